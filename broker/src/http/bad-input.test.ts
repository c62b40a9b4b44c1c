import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AppUnderTest, appUnderTest, script } from './testing/app-under-test.ts';

let it: AppUnderTest;
beforeAll(async () => {
  it = await appUnderTest();
});
afterAll(() => it.close());

const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

describe('what is refused, with which words', () => {
  test.each<[what: string, body: unknown, status: number, code: string, words: RegExp]>([
    ['malformed JSON', '{"spec": {', 400, 'invalid_request', /not valid JSON/],
    ['an empty body', ' ', 400, 'invalid_request', /empty/],
    ['a body that is no object', '[]', 400, 'invalid_request', /must be an object/],
    ['a body without its key', '{}', 400, 'invalid_request', /no 'spec'/],
    ['a second key in the body', { spec: { script }, jobs: [] }, 400, 'invalid_request', /no 'jobs' in this body/],
    ['depth beyond the bound', `{"spec": ${deep(100_000)}}`, 400, 'invalid_request', /deeper than 32/],
    ['half a character', '{"spec": {"name": "\\ud800"}}', 400, 'invalid_request', /not valid Unicode/],
    ['an unknown field', { spec: { script, nmae: 'x' } }, 422, 'invalid_spec', /no 'nmae'.*/],
    ['an unknown field inside', { spec: { script, resources: { wall_time: 1 } } }, 422, 'invalid_spec', /'wall_time'/],
    ['__proto__', '{"spec": {"script": "#!/bin/sh", "__proto__": {"a": 1}}}', 422, 'invalid_spec', /__proto__/],
    ['neither script nor command', { spec: {} }, 422, 'invalid_spec', /script or command/],
    ['a script without #!', { spec: { script: 'echo hi\n' } }, 422, 'invalid_spec', /interpreter line/],
    ['a wrong type', { spec: { script, priority: 'high' } }, 422, 'invalid_spec', /priority/],
    ['a NUL in the script', { spec: { script: `${script}\0` } }, 422, 'invalid_spec', /NUL/],
    ['a NUL in a label', { spec: { script, labels: { a: '\0' } } }, 422, 'invalid_spec', /NUL/],
    ['a NUL in the environment', { spec: { script, env: { A: '\0' } } }, 422, 'invalid_spec', /NUL/],
    ['a newline in the name', { spec: { script, name: 'a\nb' } }, 422, 'invalid_spec', /line breaks/],
    ['a NUL in the name', { spec: { script, name: 'a\0b' } }, 422, 'invalid_spec', /NUL/],
    ['a name of 10,000 characters', { spec: { script, name: 'x'.repeat(10_000) } }, 422, 'invalid_spec', /name/],
    ['an environment name that is none', { spec: { script, env: { 'A B': '1' } } }, 422, 'invalid_spec', /env/],
    ['a group that climbs', { spec: { script, group: '../x' } }, 422, 'invalid_spec', /group/],
    [
      'an array that ends before it starts',
      { spec: { script, array: { tasks: '9-1' } } },
      422,
      'invalid_spec',
      /array/,
    ],
  ])('%s', async (_what, body, status, code, words) => {
    const answer = await it.call('POST', '/v1/jobs', { body });
    expect({ status: answer.statusCode, ...answer.json() }).toMatchObject({
      status,
      code,
      type: `urn:switchyard:problem:${code}`,
    });
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect(answer.body).toMatch(words);
  });

  test('an unknown field is named with the nearest known one', async () => {
    const answer = await it.call('POST', '/v1/jobs', { body: { spec: { script, resources: { walltimeSecond: 1 } } } });
    expect(answer.json().details.problems).toEqual([
      { path: '/resources/walltimeSecond', message: expect.any(String), hint: "did you mean 'walltimeSeconds'?" },
    ]);
  });

  test('all problems are named at once', async () => {
    const answer = await it.call('POST', '/v1/jobs', {
      body: { spec: { script: 'x', name: '', priority: -1, foo: 1 } },
    });
    expect(answer.json().details.problems.length).toBeGreaterThanOrEqual(3);
  });

  test('an #SBATCH option that cannot be honoured is refused by name', async () => {
    const body = { spec: { script: '#!/bin/sh\n#SBATCH --burst-buffer=x\n#SBATCH --time=1:00\ntrue\n' } };
    const answer = await it.call('POST', '/v1/jobs', { body });
    expect(answer.statusCode).toBe(422);
    expect(JSON.stringify(answer.json().details)).toContain('burst-buffer');
  });

  test('bodies beyond 4 MiB, and batches beyond 32 MiB or 1,000 jobs', async () => {
    const big = await it.call('POST', '/v1/jobs', { body: `{"spec":{"script":"${'x'.repeat(4 * 1_048_576)}"}}` });
    expect(big).toMatchObject({ statusCode: 413 });
    expect(big.json()).toMatchObject({ code: 'too_large', detail: expect.stringContaining('4 MiB') });
    const jobs = Array.from({ length: 1001 }, () => ({ script }));
    const many = await it.call('POST', '/v1/jobs/batch', { body: { jobs } });
    expect(many.json()).toMatchObject({ status: 413, code: 'too_large' });
    const none = await it.call('POST', '/v1/jobs/batch', { body: { jobs: [] } });
    expect(none.json()).toMatchObject({ status: 400 });
  });

  test('a body that is not JSON by its type', async () => {
    const answer = await it.call('POST', '/v1/jobs', { body: 'a=b', headers: { 'content-type': 'text/plain' } });
    expect(answer.json()).toMatchObject({ status: 415, code: 'invalid_request' });
  });

  test('a batch names the job that is wrong, and stores nothing', async () => {
    const jobs = [
      { script, name: 'fine' },
      { script, nmae: 'x' },
    ];
    const answer = await it.call('POST', '/v1/jobs/batch', { body: { jobs } });
    expect(answer.json()).toMatchObject({ status: 422, details: { problems: [{ index: 1, path: '/nmae' }] } });
    expect((await it.call('GET', '/v1/jobs?name=fine')).json().items).toEqual([]);
  });

  test.each(['limit=0', 'limit=1001', 'limit=x', 'state=sleeping', 'lmit=1', 'cursor=!!', 'label=novalue'])(
    'the query %s',
    async (query) => {
      const answer = await it.call('GET', `/v1/jobs?${query}`);
      expect(answer.json()).toMatchObject({ status: 400, code: 'invalid_request' });
    },
  );

  test('a query with a wrong name says the nearest', async () => {
    expect((await it.call('GET', '/v1/jobs?lmit=1')).body).toContain("did you mean 'limit'?");
  });

  test('more labels than a query can join', async () => {
    const labels = Array.from({ length: 200 }, (_, at) => `label=k${at}=v`).join('&');
    const answer = await it.call('GET', `/v1/jobs?${labels}`);
    expect(answer.json()).toMatchObject({ status: 400, code: 'invalid_request' });
  });

  test('a path that is none', async () => {
    expect((await it.call('GET', '/v1/job')).json()).toMatchObject({ status: 404, code: 'invalid_request' });
    expect((await it.call('GET', '/v1/jobs/%ZZ')).json()).toMatchObject({ status: 400 });
  });

  test.each(['', 'a b', 'x'.repeat(256), 'ü', 'a\tb'])('the Idempotency-Key %j', async (key) => {
    const answer = await it.call('POST', '/v1/jobs', {
      body: { spec: { script } },
      headers: { 'idempotency-key': key },
    });
    expect(answer.statusCode).toBe(key === 'a b' ? 201 : 400);
  });

  test('nothing of all this was stored', async () => {
    const { rows } = await it.asSuperuser("SELECT count(*)::int AS jobs FROM jobs WHERE name <> 'job'");
    expect(rows).toEqual([{ jobs: 0 }]);
  });
});

describe('what looks dangerous and is only text', () => {
  test.each([
    '$(reboot)',
    '`id`; rm -rf /',
    'it\'s "quoted" & <b>',
    '--wrap=reboot',
    '../../etc/passwd',
    '🚂 Weiche',
    '%s%n',
    "'; DROP TABLE jobs; --",
  ])('%s as a name, a label and in the environment comes back as it went in', async (text) => {
    const { id } = await it.submit({ script, name: text, env: { A: `${text}\n"'\\` }, labels: { a: text } });
    const job = (await it.call('GET', `/v1/jobs/${id}`)).json();
    expect(job).toMatchObject({ name: text, labels: { a: text }, spec: { env: { A: `${text}\n"'\\` } } });
  });
});
