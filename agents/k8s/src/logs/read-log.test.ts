import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { type OpenedKubeClient, openKubeClient } from '../client/kube-client.ts';
import { kubeconfigText, testFolder } from '../client/testing/kubeconfig-file.ts';
import { logTails } from './log-tails.ts';
import { createLogReader, type LogReader } from './read-log.ts';
import { type FakeKubelet, type Message, startFakeKubelet } from './testing/fake-kubelet.ts';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

type World = { kubelet: FakeKubelet; client: OpenedKubeClient; reader: LogReader; pod: ReturnType<typeof podOf> };

async function world(): Promise<World> {
  const kubelet = await startFakeKubelet();
  const folder = testFolder();
  const client = await openKubeClient({ kubeconfig: folder.file('config', kubeconfigText(kubelet.url)) });
  const reader = createLogReader(client, { lookAgainMs: 10 });
  endings.push(
    folder.remove,
    () => kubelet.close(),
    () => client.close(),
    () => reader.close(),
  );
  return { kubelet, client, reader, pod: podOf() };
}

function podOf() {
  const state = { started: true, ended: false };
  const facts = { hasStarted: () => state.started, hasEnded: () => state.ended };
  return { state, namespace: 'x', name: 'p', uid: 'u', ...facts };
}

/** Every message so many milliseconds after the one before. */
function lines(texts: readonly string[], everyMs = 1, from = Date.parse('2026-11-21T10:00:00Z')): Message[] {
  return texts.map((text, at) => ({ stamp: stampOf(from + at * everyMs), text }));
}

const stampOf = (ms: number) => new Date(ms).toISOString().replace('Z', '123456Z');
const outputOf = (messages: readonly Message[]) =>
  messages.map(({ text, isPartial }) => (isPartial ? text : `${text}\n`)).join('');

/** As a reader does that follows: piece by piece, each from where the last ended. */
async function readAll(
  { reader, pod }: Pick<World, 'reader' | 'pod'>,
  { limit = 1000, waitMs = 2000, from = 0, meanwhile = async (_: number) => {} } = {},
): Promise<{ text: string; problem: string; pieces: number }> {
  const parts: Buffer[] = [];
  let offset = from;
  for (let pieces = 1; ; pieces += 1) {
    const slice = await reader.read(pod, { offset, limitBytes: limit, waitMs });
    expect(slice.data.length).toBeLessThanOrEqual(limit);
    parts.push(Buffer.from(slice.data));
    offset += slice.data.length;
    if (slice.end || slice.problem !== '') {
      return { text: Buffer.concat(parts).toString('latin1'), problem: slice.problem, pieces };
    }
    await meanwhile(pieces);
  }
}

test('an ended output, in pieces, from any offset', async () => {
  const it = await world();
  it.kubelet.add(...lines(Array.from({ length: 500 }, (_, at) => `line ${at} ${'x'.repeat(at % 50)}`)));
  it.kubelet.exit();
  it.pod.state.ended = true;
  const whole = outputOf(it.kubelet.messages);
  expect(await readAll(it)).toMatchObject({ text: whole, problem: '' });
  for (const offset of [1, 777, 5000, whole.length])
    expect(await readAll(it, { from: offset })).toMatchObject({ text: whole.slice(offset), problem: '' });
  const beyond = await it.reader.read(it.pod, { offset: whole.length + 9, limitBytes: 9, waitMs: 0 });
  expect(beyond).toMatchObject({ end: true, problem: `the node has only ${whole.length} bytes of this output` });
});

test('an output without a byte ends at once', async () => {
  const it = await world();
  it.pod.state.ended = true;
  expect(await it.reader.read(it.pod, { offset: 0, limitBytes: 10, waitMs: 5000 })).toMatchObject({ end: true });
});

test('what has not started has no output yet', async () => {
  const it = await world();
  it.pod.state.started = false;
  expect(await it.reader.read(it.pod, { offset: 0, limitBytes: 9, waitMs: 0 })).toMatchObject({
    end: false,
    problem: '',
  });
  expect(it.kubelet.asked).toEqual([]);
  const waited = it.reader.read(it.pod, { offset: 0, limitBytes: 9, waitMs: 5000 });
  it.kubelet.refuse(400, 1, 'container "main" in pod "p" is waiting to start: ContainerCreating');
  it.pod.state.started = true;
  it.kubelet.add(...lines(['first']));
  expect(Buffer.from((await waited).data).toString()).toBe('first\n');
});

test('following waits for bytes, gives them at once, and costs what is new', async () => {
  const it = await world();
  it.kubelet.add(...lines(Array.from({ length: 2000 }, (_, at) => `old line ${at}`)));
  const old = outputOf(it.kubelet.messages).length;
  let offset = 0;
  while (offset < old)
    offset += (await it.reader.read(it.pod, { offset, limitBytes: 65_536, waitMs: 1000 })).data.length;
  const before = it.kubelet.sentBytes();
  const begun = performance.now();
  expect((await it.reader.read(it.pod, { offset, limitBytes: 65_536, waitMs: 150 })).data).toHaveLength(0);
  expect(performance.now() - begun).toBeGreaterThan(140);
  for (let at = 0; at < 20; at += 1) {
    const more = it.reader.read(it.pod, { offset, limitBytes: 65_536, waitMs: 5000 });
    await delay(5);
    it.kubelet.add(...lines([`new ${at}`], 1, Date.parse('2026-11-21T11:00:00Z') + at));
    const { data } = await more;
    expect(Buffer.from(data).toString()).toBe(`new ${at}\n`);
    offset += data.length;
  }
  expect(it.kubelet.sentBytes() - before).toBeLessThan(2000);
  expect(it.kubelet.asked).toHaveLength(1);
  it.kubelet.exit();
  it.pod.state.ended = true;
  expect(await it.reader.read(it.pod, { offset, limitBytes: 10, waitMs: 5000 })).toMatchObject({ end: true });
});

test('a reader that does not wait gets what there is, and the next one goes on from the last seconds', async () => {
  const it = await world();
  it.kubelet.add(
    ...lines(
      Array.from({ length: 1000 }, (_, at) => `line ${at}`),
      10,
    ),
  );
  const whole = outputOf(it.kubelet.messages);
  const read = async (offset: number) => {
    const { data, end, problem } = await it.reader.read(it.pod, { offset, limitBytes: 99_999, waitMs: 0 });
    expect([end, problem]).toEqual([false, '']);
    return Buffer.from(data).toString();
  };
  expect(await read(0)).toBe(whole);
  const before = it.kubelet.sentBytes();
  expect(await read(whole.length)).toBe('');
  it.kubelet.add(...lines(['three'], 1, Date.parse('2026-11-21T10:00:10Z')));
  expect(await read(whole.length)).toBe('three\n');
  // Not read from the beginning again.
  expect(it.kubelet.sentBytes() - before).toBeLessThan(before / 2);
});

test('bytes stay as they are: split lines, no newline at the end, empty lines, text like a timestamp, any byte', async () => {
  const it = await world();
  const [first] = lines(['x']);
  const split = { ...first!, text: 'a'.repeat(16_384), isPartial: true };
  it.kubelet.add(
    ...[split, split, { ...first!, text: 'the rest' }, { ...first!, text: '' }, { ...first!, text: '' }],
    ...lines(['2026-11-21T10:00:00.000000000Z not a stamp', '\0\x01\xff\xfe\r', ' leading blank', 'trailing blank ']),
    { ...first!, text: 'no newline, stdout closed', isPartial: true },
    ...lines(['of stderr, glued to it']),
    { ...first!, text: 'the very end', isPartial: true },
  );
  it.kubelet.exit();
  it.pod.state.ended = true;
  const whole = outputOf(it.kubelet.messages);
  expect((await readAll(it, { limit: 777 })).text).toBe(whole);
  expect((await readAll({ ...it, pod: { ...it.pod, uid: 'again' } }, { limit: 100_000 })).text).toBe(whole);
});

test('cuts in the middle of anything leave no gap and repeat nothing', async () => {
  const stamps = fc.constantFrom(0, 0, 0, 1, 300, 999, 1000, 2500, -1, -40);
  const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'Z', '\xff', '0'), maxLength: 60 });
  const message = fc.record({ step: stamps, text, isPartial: fc.boolean() });
  const cutting = fc.record({ bytes: fc.integer({ min: 1, max: 900 }), how: fc.constantFrom('broken', 'clean') });
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 60 }),
      fc.array(fc.option(cutting), { maxLength: 12 }),
      fc.integer({ min: 1, max: 400 }),
      fc.boolean(),
      async (written, cuts, limit, whileRunning) => {
        const it = await world();
        let ms = Date.parse('2026-11-21T10:00:00Z');
        // A partial message without a byte is not written by any runtime.
        const all = written.map(({ step, text: body, isPartial }) => {
          ms += step;
          return { stamp: stampOf(ms), text: body, isPartial: isPartial && body !== '' };
        });
        const half = whileRunning ? Math.floor(all.length / 2) : all.length;
        it.kubelet.add(...all.slice(0, half));
        if (!whileRunning) it.kubelet.exit();
        it.pod.state.ended = !whileRunning;
        const { text: read, problem } = await readAll(it, {
          limit,
          waitMs: 30,
          meanwhile: async (pieces) => {
            // Streams that wait for the next piece are gone, as after a while: only the cursors are left.
            if (pieces % 4 === 2) it.reader.close();
            const cut = cuts[pieces % Math.max(1, cuts.length)];
            if (cut && pieces < 40) it.kubelet.cutAfter(cut.bytes, 1, cut.how as 'broken' | 'clean');
            if (pieces % 3 === 1 && it.kubelet.messages.length < all.length)
              it.kubelet.add(...all.slice(it.kubelet.messages.length, it.kubelet.messages.length + 3));
            else if (it.kubelet.messages.length === all.length && !it.pod.state.ended) {
              it.kubelet.exit();
              it.pod.state.ended = true;
            }
          },
        });
        expect(problem).toBe('');
        expect(read).toBe(outputOf(all));
        for (const end of endings.splice(0).reverse()) await end();
      },
    ),
    { numRuns: 40 },
  );
}, 120_000);

test('errors of the server pass; those that last are said', async () => {
  const it = await world();
  it.kubelet.add(...lines(['one']));
  it.kubelet.exit();
  it.pod.state.ended = true;
  it.kubelet.refuse(500, 3);
  expect((await readAll(it)).text).toBe('one\n');
  it.kubelet.refuse(500, 1000, 'dial tcp: connection refused');
  const pod = { ...it.pod, uid: 'v' };
  expect(await it.reader.read(pod, { offset: 0, limitBytes: 9, waitMs: 0 })).toMatchObject({
    ...{ end: false, problem: expect.stringContaining('connection refused') },
  });
  it.kubelet.refuse(404, 1);
  expect(await it.reader.read(pod, { offset: 0, limitBytes: 9, waitMs: 0 })).toMatchObject({
    ...{ end: true, problem: 'the pod p is gone, and its output with it' },
  });
});

test('an error that the kubelet writes into the answer is no output', async () => {
  const it = await world();
  it.kubelet.add(...lines(['one', 'two']));
  it.kubelet.exit();
  it.kubelet.noise = 'rpc error: code = NotFound desc = an error occurred when try to find container';
  it.pod.state.ended = true;
  expect(await readAll(it, { limit: 4 })).toMatchObject({ text: 'one\ntwo\n', problem: '' });
});

test('what the node threw away before it was read is named, and reading goes on behind it', async () => {
  const it = await world();
  it.kubelet.add(
    ...lines(
      Array.from({ length: 100 }, (_, at) => `line ${at}`),
      100,
    ),
  );
  const first = await it.reader.read(it.pod, { offset: 0, limitBytes: 70, waitMs: 0 });
  it.reader.close();
  // Still there: found by its line.
  it.kubelet.rotate(5);
  const second = await it.reader.read(it.pod, { offset: 70, limitBytes: 70, waitMs: 0 });
  const output = outputOf(lines(Array.from({ length: 100 }, (_, at) => `line ${at}`)));
  expect(Buffer.concat([first.data, second.data]).toString()).toBe(output.slice(0, 140));
  it.reader.close();
  it.kubelet.rotate(80);
  expect(await it.reader.read(it.pod, { offset: 140, limitBytes: 70, waitMs: 0 })).toMatchObject({
    ...{ end: false, problem: expect.stringContaining('thrown a part of the output away') },
  });
  it.pod.state.ended = true;
  it.kubelet.exit();
  expect((await readAll(it, { from: 140 })).text).toBe(output.slice(output.indexOf('line 85')));
}, 20_000);

test('the ends of the outputs of a run, those that failed first, within one MiB', async () => {
  const it = await world();
  it.kubelet.add(...lines(Array.from({ length: 5000 }, (_, at) => `line ${at}`)));
  it.kubelet.exit();
  const whole = outputOf(it.kubelet.messages);
  const podsOf = (count: number) =>
    Array.from({ length: count }, (_, task) => ({
      namespace: 'x',
      name: 'p',
      task,
      rank: 0,
      hasFailed: task === count - 1,
    }));
  const tailsOf = async (count: number) => Array.fromAsync(logTails(it.client, 'r', podsOf(count)));
  const few = await tailsOf(3);
  expect(few.map(({ task }) => task)).toEqual([2, 0, 1]);
  expect(
    few.every(
      ({ data, offset }) =>
        Buffer.from(data).toString() === whole.slice(offset) && data.length === Math.min(65_536, whole.length),
    ),
  ).toBe(true);
  const many = await tailsOf(100);
  expect(many).toHaveLength(100);
  const bytes = many.reduce((sum, { data }) => sum + data.length, 0);
  expect(bytes).toBeGreaterThan(1_000_000);
  expect(bytes).toBeLessThanOrEqual(1_048_576);
});

test('outputs that are gone are left out, an API server that is away is an error', async () => {
  const it = await world();
  const pods = [{ namespace: 'x', name: 'p', task: 0, rank: 0, hasFailed: false }];
  it.kubelet.refuse(404, 1);
  expect(await Array.fromAsync(logTails(it.client, 'r', pods))).toEqual([]);
  expect(await Array.fromAsync(logTails(it.client, 'r', pods))).toMatchObject([{ offset: 0 }]);
  it.kubelet.refuse(401, 5);
  await expect(Array.fromAsync(logTails(it.client, 'r', pods))).rejects.toThrow('401');
});
