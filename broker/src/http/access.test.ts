import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { takeLeaderLease } from '../db/leader-lease.ts';
import { type AppUnderTest, appUnderTest, script } from './testing/app-under-test.ts';

let it: AppUnderTest;
let astro: string;
let bio: string;
let viewer: string;
let operator: string;
let hidden: { id: string; number: number };
beforeAll(async () => {
  it = await appUnderTest();
  [astro, bio, viewer, operator] = await Promise.all([
    it.token('member', ['physics/astro']),
    it.token('member', ['bio']),
    it.token('viewer'),
    it.token('operator'),
  ]);
  const body = { spec: { script, group: 'physics/astro/stars', name: 'secret' } };
  hidden = (await it.call('POST', '/v1/jobs', { body, token: astro })).json();
});
afterAll(() => it.close());

describe('without a token', () => {
  test.each(['/v1/jobs', '/v1/clusters', '/v1/jobs/1'])('%s answers 401', async (url) => {
    const answer = await it.call('GET', url, { token: null });
    expect(answer.json()).toMatchObject({ status: 401, code: 'unauthenticated' });
    expect(answer.headers['www-authenticate']).toContain('Bearer');
  });

  test.each(['/livez', '/metrics', '/openapi.json', '/docs'])('%s is open', async (url) => {
    expect((await it.call('GET', url, { token: null })).statusCode).toBe(200);
  });
});

describe('one group and another', () => {
  test('a member submits to its groups alone', async () => {
    const body = { spec: { script, group: 'physics/astro' } };
    expect((await it.call('POST', '/v1/jobs', { body, token: bio })).json()).toMatchObject({
      status: 403,
      code: 'forbidden',
    });
    const batch = {
      jobs: [
        { script, group: 'bio' },
        { script, group: 'physics' },
      ],
    };
    expect((await it.call('POST', '/v1/jobs/batch', { body: batch, token: bio })).statusCode).toBe(403);
  });

  test('a foreign job and an absent one give the same answer, on every route', async () => {
    const urls = ['', '/events', '/logs', '/events?follow=true', '/logs?follow=true'];
    const absent = { id: '01890000-0000-7000-8000-000000000000', number: 999_999 };
    for (const key of ['id', 'number'] as const)
      for (const url of urls) {
        const [foreign, missing] = await Promise.all(
          [hidden[key], absent[key]].map((id) => it.call('GET', `/v1/jobs/${id}${url}`, { token: bio })),
        );
        const shape = (body: string) => body.replace(/job \\"[^"]+\\"/, 'job').replace(/"requestId":"[^"]+"/, '');
        expect(foreign!.statusCode).toBe(404);
        expect(shape(foreign!.body)).toBe(shape(missing!.body));
      }
    const cancel = await it.call('POST', `/v1/jobs/${hidden.id}/cancel`, { token: bio });
    expect(cancel.json()).toMatchObject({ status: 404, code: 'unknown_job' });
  });

  test('lists show what one may see', async () => {
    const names = async (token: string) =>
      (await it.call('GET', '/v1/jobs', { token })).json().items.map((job: { name: string }) => job.name);
    expect(await names(astro)).toEqual(['secret']);
    expect(await names(bio)).toEqual([]);
    expect(await names(viewer)).toEqual(['secret']);
    expect((await it.call('GET', '/v1/jobs?group=physics', { token: bio })).json().items).toEqual([]);
  });

  test.each(['abc', '0', '-1', '1e3', '99999999999999999999', '%00', "1'--"])(
    'the job id %s is simply unknown',
    async (id) => {
      expect((await it.call('GET', `/v1/jobs/${id}`)).statusCode).toBe(404);
    },
  );
});

describe('roles', () => {
  test('a viewer sees all and changes nothing', async () => {
    expect((await it.call('GET', `/v1/jobs/${hidden.number}`, { token: viewer })).statusCode).toBe(200);
    expect((await it.call('POST', `/v1/jobs/${hidden.number}/cancel`, { token: viewer })).statusCode).toBe(403);
    expect((await it.call('POST', '/v1/jobs', { body: { spec: { script } }, token: viewer })).statusCode).toBe(403);
    expect((await it.call('POST', '/v1/clusters', { body: { name: 'north' }, token: viewer })).statusCode).toBe(403);
  });

  test('an operator looks after clusters; a cluster is added once and its token shown once', async () => {
    const body = { name: 'north' };
    const added = await it.call('POST', '/v1/clusters', { body, token: operator });
    expect(added.statusCode).toBe(201);
    expect(added.json().token).toMatch(/^yc_/);
    const { rows: federation } = await it.asSuperuser('SELECT code FROM federation');
    expect(added.json().federation).toBe(federation[0].code);
    const again = await it.call('POST', '/v1/clusters', { body, token: operator });
    expect(again.json()).toMatchObject({ status: 409, code: 'cluster_exists' });
    expect((await it.call('POST', '/v1/clusters/north/cordon', { token: operator })).statusCode).toBe(200);
    const { items } = (await it.call('GET', '/v1/clusters', { token: bio })).json();
    expect(items).toMatchObject([{ name: 'north', state: 'never_connected', admission: 'cordoned' }]);
    expect((await it.call('POST', '/v1/clusters/south/drain')).json()).toMatchObject({
      status: 404,
      code: 'unknown_cluster',
    });
    expect((await it.call('POST', '/v1/clusters/north/forget', { body: {} })).statusCode).toBe(400);
    expect((await it.call('POST', '/v1/clusters', { body: { name: '../x' } })).statusCode).toBe(400);
    const { rows } = await it.asSuperuser("SELECT action FROM audit WHERE subject = 'north' ORDER BY at");
    expect(rows.length).toBeGreaterThanOrEqual(2);
  });

  test('the token of a cluster opens nothing here', async () => {
    const { token } = (await it.call('POST', '/v1/clusters', { body: { name: 'east' } })).json();
    expect((await it.call('GET', '/v1/jobs', { token })).statusCode).toBe(401);
  });
});

describe('what is open to everybody', () => {
  test('names no group, no user and no job', async () => {
    for (const url of ['/metrics', '/openapi.json', '/readyz'])
      expect((await it.call('GET', url, { token: null })).body).not.toMatch(/secret|stars/);
  });

  test('a broker is ready when somebody leads', async () => {
    expect((await it.call('GET', '/readyz', { token: null })).json()).toMatchObject({
      status: 503,
      detail: expect.stringContaining('no replica leads'),
    });
    await takeLeaderLease(it.db, 'test', 60_000);
    expect((await it.call('GET', '/readyz', { token: null })).statusCode).toBe(200);
  });

  test('metrics are OpenMetrics', async () => {
    const answer = await it.call('GET', '/metrics', { token: null });
    expect(answer.headers['content-type']).toContain('application/openmetrics-text');
    expect(answer.body).toMatch(/switchyard_jobs\{state="queued"\} 1/);
    expect(answer.body).toMatch(/switchyard_accept_flush_jobs_count [1-9]/);
    expect(answer.body).toMatch(/switchyard_cluster_connected\{cluster="north"\} 0/);
    expect(answer.body.trimEnd()).toMatch(/# EOF$/);
  });

  test('the description is OpenAPI 3.1 and names every route', async () => {
    const description = (await it.call('GET', '/openapi.json', { token: null })).json();
    expect(description.openapi).toBe('3.1.0');
    expect(Object.keys(description.paths).sort()).toEqual(
      [
        ...[
          '/livez',
          '/metrics',
          '/readyz',
          '/v1/clusters',
          '/v1/clusters/{name}/activate',
          '/v1/clusters/{name}/cordon',
        ],
        ...['/v1/clusters/{name}/drain', '/v1/clusters/{name}/forget', '/v1/jobs', '/v1/jobs/batch', '/v1/jobs/{id}'],
        ...['/v1/jobs/{id}/cancel', '/v1/jobs/{id}/events', '/v1/jobs/{id}/logs', '/v1/runs/{id}/withdraw'],
        ...['/v1/jobs/{id}/release'],
      ].sort(),
    );
    const submit = description.paths['/v1/jobs'].post;
    expect(submit.requestBody.content['application/json'].schema.properties.spec.properties).toHaveProperty(
      'resources',
    );
    expect((await it.call('GET', '/docs/static/swagger-ui.css', { token: null })).statusCode).toBe(200);
  });
});
