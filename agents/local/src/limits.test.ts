import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAlive, LocalWorld, until } from './testing/local-world.ts';

let world: LocalWorld;
beforeEach(() => {
  world = new LocalWorld();
});
afterEach(() => world.close());

/** Fills memory and waits: an array of strings of a million bytes each. */
const hog = (mib: number) =>
  `exec node -e 'const all = Buffer.alloc(${mib} * 2 ** 20, 1); setTimeout(() => all, 60000)'`;

test('a job over its memory is killed, and the wrapper records it', async () => {
  const job = await world.submit(`echo $$ >pid; ${hog(300)}`, {
    resources: { memoryMiBPerNode: 200 },
    env: { PATH: `${process.execPath.replace(/\/node$/, '')}:/usr/bin:/bin` },
  });
  expect(await world.ended(job)).toMatchObject({
    ...{ end: 'out_of_memory', rawState: 'OUT_OF_MEMORY' },
    rawReason: expect.stringMatching(/^used [23]\d\d MiB of 200 MiB of memory$/),
  });
  expect(world.claim(job)).toMatch(/\nend 137 /);
  expect(isAlive(world.text('pid'))).toBe(false);
});

test('memory that a session of its own hides is counted too', async () => {
  const job = await world.submit(`setsid sh -c "${hog(300)}" & wait`, {
    resources: { memoryMiBPerNode: 200 },
    env: { PATH: `${process.execPath.replace(/\/node$/, '')}:/usr/bin:/bin` },
  });
  expect(await world.ended(job)).toMatchObject({ end: 'out_of_memory' });
});

test('a job over its walltime gets TERM, and ends as timeout whatever it says', async () => {
  const job = await world.submit("trap 'echo saved; exit 0' TERM; while :; do sleep 0.02; done", {
    resources: { walltimeSeconds: 1 },
  });
  expect(await world.ended(job)).toMatchObject({ end: 'timeout', rawState: 'TIMEOUT', rawReason: 'ran for 1 s' });
  expect(world.output(job)).toMatch(/saved\n$/);
  expect(world.claim(job)).toMatch(/\nsignal TERM\n/);
});

test('the signal that the job asked for comes before the end of its walltime, once', async () => {
  const job = await world.submit("trap 'echo warned' USR1; echo ready; while :; do sleep 0.02; done", {
    resources: { walltimeSeconds: 4 },
    signal: { name: 'USR1', beforeEndSeconds: 3 },
  });
  await until('it is warned', () => world.output(job).includes('warned') || undefined);
  expect((await world.lines(job))[0]!.phase).toBe('running');
  expect(await world.ended(job)).toMatchObject({ end: 'timeout' });
  expect(world.output(job).match(/warned/g)).toHaveLength(1);
});
