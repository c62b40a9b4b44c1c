import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isAlive, LocalWorld, until } from './testing/local-world.ts';

let world: LocalWorld;
beforeEach(() => {
  world = new LocalWorld({ cpus: 1, memoryMiB: 1000 });
});
afterEach(() => world.close());

const gate = 'while [ ! -e go ]; do sleep 0.02; done';
const open = () => writeFileSync(world.path('go'), '');
const history = (nativeId: string) => world.path(`state/local/${nativeId}/history`);

test('what runs goes on, what waits waits, what has ended is still there', async () => {
  const done = await world.submit('exit 5');
  const before = await world.ended(done);
  const running = await world.submit(`echo $$ >pid; echo x >>starts; ${gate}; exit 6`);
  const waiting = await world.submit('echo x >>starts');
  await until('it runs', () => world.text('pid') || undefined);
  await world.restart();
  expect(await world.lines(done)).toEqual([before]);
  expect(await world.lines(running)).toMatchObject([{ phase: 'running', nativeId: running.nativeId }]);
  expect(await world.lines(waiting)).toMatchObject([{ phase: 'waiting', nativeId: waiting.nativeId }]);
  open();
  // Nobody is its parent any more: the exit code is in the claim.
  expect(await world.ended(running)).toMatchObject({ end: null, rawState: 'EXITED', exitCode: null });
  expect(world.claim(running)).toMatch(/\nend 6 /);
  expect(await world.ended(waiting)).toMatchObject({ end: 'completed' });
  expect(world.text('starts')).toBe('x\nx\n');
  expect((await world.submit('true')).nativeId).toBe('4');
});

test('what ended while the agent was away has ended', async () => {
  const job = await world.submit(`${gate}`);
  await world.running(job);
  await world.queue.close();
  open();
  await until('the record is there', () => /\nend 0 /.test(world.claim(job)) || undefined);
  await world.restart();
  expect(await world.ended(job)).toMatchObject({ end: null, rawState: 'EXITED' });
});

test('what was adopted can be killed, with everything it started', async () => {
  const job = await world.submit("trap '' TERM; echo $$ >pid; while :; do sleep 0.1; done");
  await until('it runs', () => world.text('pid') || undefined);
  await world.restart();
  await world.kill(job, job.nativeId);
  expect(await world.ended(job)).toMatchObject({ end: 'cancelled' });
  expect(world.claim(job)).toMatch(/\nend 137 /);
  expect(isAlive(world.text('pid'))).toBe(false);
});

test('a wrapper that was killed takes its payload with it, even after a restart', async () => {
  const job = await world.submit('echo $$ >pid; while :; do sleep 0.1; done');
  await until('it runs', () => world.text('pid') || undefined);
  await world.queue.close();
  process.kill(Number(/^claim .* (\d+)$/m.exec(world.claim(job))![1]), 'SIGKILL');
  await world.restart();
  expect(await world.ended(job)).toMatchObject({ end: null });
  await until('the payload is gone', () => !isAlive(world.text('pid')) || undefined);
});

test('a start that was not written down is found again, not repeated', async () => {
  const job = await world.submit(`echo x >>starts; ${gate}`);
  await until('it runs', () => world.text('starts') || undefined);
  await world.queue.close();
  rmSync(history(job.nativeId));
  await world.restart();
  expect(await world.lines(job)).toMatchObject([{ phase: 'running' }]);
  open();
  await world.ended(job);
  expect(world.text('starts')).toBe('x\n');
});

test('another process with the same number is never touched', async () => {
  const job = await world.submit(gate);
  await world.running(job);
  await world.queue.close();
  const text = readFileSync(history(job.nativeId), 'utf8');
  open();
  await until('the record is there', () => /\nend 0 /.test(world.claim(job)) || undefined);
  writeFileSync(history(job.nativeId), text.replace(/"pid":\d+/, `"pid":${process.pid}`));
  await world.restart();
  await world.kill(job, job.nativeId);
  expect(await world.ended(job)).toMatchObject({ end: null });
});

test('evidence written before the kill survives the agent', async () => {
  const job = await world.submit(gate);
  await world.running(job);
  await world.queue.close();
  const event = { type: 'ending', task: 0, end: 'out_of_memory', reason: 'used 9 MiB of 8 MiB of memory', atMs: 1 };
  appendFileSync(history(job.nativeId), `\n{"type":"half\n${JSON.stringify(event)}`);
  await world.restart();
  expect(await world.ended(job)).toMatchObject({ end: 'out_of_memory', rawReason: event.reason });
  expect(world.claim(job)).toMatch(/\nend 137 /);
});

test('a job larger than a host that became smaller still runs, alone', async () => {
  await world.close();
  world = new LocalWorld({ cpus: 4, memoryMiB: 1000 });
  const blocker = await world.submit(gate, { resources: { cpusPerTask: 4 } });
  const job = await world.submit('true', { resources: { cpusPerTask: 4 } });
  await world.running(blocker);
  await world.restart({ cpus: 1, memoryMiB: 500 });
  open();
  expect(await world.ended(job)).toMatchObject({ end: 'completed' });
});

test('a job that was only half stored is forgotten, its number is not used again', async () => {
  const job = await world.submit('true');
  await world.ended(job);
  writeFileSync(world.path(`state/local/${job.nativeId}/job.json`), '{"facts":');
  await world.restart();
  expect(await world.queue.list()).toEqual([]);
  expect((await world.submit('true')).nativeId).toBe('2');
});
