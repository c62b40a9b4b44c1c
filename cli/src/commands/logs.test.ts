import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventStream, type FakeBroker, problem, startFakeBroker } from '../testing/fake-broker.ts';
import { runYard } from '../testing/run-yard.ts';

let broker: FakeBroker;
beforeEach(async () => {
  broker = await startFakeBroker();
});
afterEach(() => broker.close());

const LOGS = 'GET /v1/jobs/42/logs';
const yard = (...args: string[]) => runYard(args, { url: broker.url });
const piece = (offset: number, text: string) => ({ data: { offset, data: Buffer.from(text).toString('base64') } });
const end = (data: object = {}) => ({ event: 'end', data });

test('the bytes come as they are', async () => {
  const bytes = Buffer.from([0, 1, 0x1b, 0x5b, 0x41, 0xff, 0xfe, 10]);
  broker.on(LOGS, () => ({ body: bytes, headers: { 'content-type': 'text/plain', 'switchyard-end': 'true' } }));
  const ran = await yard('logs', '42', '--stderr', '--task', '7');
  expect(ran.code).toBe(0);
  expect(ran.bytes.equals(bytes)).toBe(true);
  const { query } = broker.received[0]!;
  expect([query.get('stream'), query.get('task'), query.get('offset')]).toEqual(['stderr', '7', '0']);
});

test('42_7 is task 7', async () => {
  broker.on(LOGS, () => ({ body: Buffer.from('x') }));
  await yard('logs', '42_7');
  expect(broker.received[0]!.query.get('task')).toBe('7');
  expect((await yard('logs', '42_7', '--task', '8')).code).toBe(2);
});

test('a long output is read piece by piece', async () => {
  const size = 4 * 1_048_576;
  broker.on(LOGS, ({ query }) => ({ body: Buffer.alloc(query.get('offset') === '0' ? size : 3, 'a') }));
  const ran = await yard('logs', '42');
  expect(ran.bytes.length).toBe(size + 3);
  expect(broker.received.map(({ query }) => query.get('offset'))).toEqual(['0', String(size)]);
});

test('--rank names a node', async () => {
  broker.on(LOGS, () => ({ body: Buffer.from('x') }));
  await yard('logs', '42', '--rank', '3');
  expect(broker.received[0]!.query.get('rank')).toBe('3');
});

test('output whose beginning is gone is said to be, on standard error alone', async () => {
  const headers = { 'switchyard-offset': '1000', 'switchyard-next-offset': '1003', 'switchyard-end': 'true' };
  broker.on(LOGS, () => ({ body: Buffer.from('end'), headers }));
  const ran = await yard('logs', '42');
  expect([ran.code, ran.stdout]).toEqual([0, 'end']);
  expect(ran.stderr).toBe(
    '(1000 bytes before this are gone: of output that goes away with its job only the end is kept)\n',
  );
  expect(await yard('logs', '42', '--tail', '2')).toMatchObject({ stdout: 'nd', stderr: '' });
});

test('what goes away while it is read leaves a gap that is named', async () => {
  broker.on(LOGS, ({ query }) => {
    const [body, offset, next] = query.get('offset') === '0' ? ['one', 0, 50] : ['two', 50, 53];
    return {
      body: Buffer.from(String(body)),
      headers: { 'switchyard-offset': `${offset}`, 'switchyard-next-offset': `${next}` },
    };
  });
  const ran = await yard('logs', '42');
  expect(ran.stdout).toBe('onetwo');
  expect(ran.stderr).toContain('47 bytes before this are gone');
});

test('-f of output whose beginning is gone says so', async () => {
  broker.on(LOGS, () => eventStream([piece(40, 'end'), end()]));
  const ran = await yard('logs', '-f', '42');
  expect(ran.stdout).toBe('end');
  expect(ran.stderr).toContain('40 bytes before this are gone');
});

test('--tail prints the last bytes alone', async () => {
  broker.on(LOGS, () => ({ body: Buffer.from('one two three') }));
  expect((await yard('logs', '42', '--tail', '5')).stdout).toBe('three');
  expect((await yard('logs', '42', '--tail', '99')).stdout).toBe('one two three');
});

test('-f goes on where a broken stream broke, until the end', async () => {
  broker.on(LOGS, (_, times) =>
    times === 1 ? eventStream([piece(0, 'one '), piece(4, 'two ')]) : eventStream([piece(8, 'three'), end()]),
  );
  const { code, stdout } = await yard('logs', '-f', '42');
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'one two three' });
  expect(broker.received.map(({ query }) => query.get('offset'))).toEqual(['0', '8']);
});

test('-f says when the job was started again', async () => {
  broker.on(LOGS, () => eventStream([piece(0, 'first '), piece(0, 'second'), end()]));
  const { stdout, stderr } = await yard('logs', '-f', '42');
  expect(stdout).toBe('first second');
  expect(stderr).toContain('started again');
});

test('-f of a job that never started ends with a sentence', async () => {
  broker.on(LOGS, () => eventStream([end({ problem: 'the task never started' })]));
  expect(await yard('logs', '-f', '42')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: 'yard: The output ends here: the task never started.\n',
  });
});

test('a job without output is an error with its hint', async () => {
  broker.on(LOGS, () => problem(409, 'conflict', 'Job 42 has not started yet.', { hint: 'Follow it.' }));
  expect(await yard('logs', '42')).toMatchObject({
    code: 1,
    stderr: 'yard: Job 42 has not started yet.\nhint: Follow it.\n',
  });
});
