import { expect, test } from 'vitest';
import type { Pod } from '../api-types.ts';
import type { QueuedJob } from '../kueue/kueue-types.ts';
import type { JobClient } from './job-claim.ts';
import { letPodsGo } from './let-pods-go.ts';
import { START_CLAIM_ANNOTATION, START_GATE } from './start-claim.ts';

const NAME = { namespace: 'jobs', name: 'ydtest-1', uid: 'a5c1' };

const POD: Pod = {
  metadata: {
    name: 'ydtest-1-x',
    namespace: 'jobs',
    uid: 'p1',
    ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'ydtest-1', uid: NAME.uid, controller: true }],
  },
  spec: { containers: [], schedulingGates: [{ name: START_GATE }] },
};

/** A Job on a server that keeps versions, and what was asked of it. */
function server(start: { claim?: string; suspend?: boolean; meanwhile?: (job: QueuedJob) => QueuedJob }) {
  let version = 1;
  let meanwhile = start.meanwhile;
  let job: QueuedJob = {
    metadata: {
      ...NAME,
      generation: 2,
      resourceVersion: '1',
      annotations: start.claim === undefined ? {} : { [START_CLAIM_ANNOTATION]: start.claim },
    },
    spec: { suspend: start.suspend ?? false, template: { spec: { containers: [] } } },
  };
  const store = (next: QueuedJob) => {
    version += 1;
    job = { ...next, metadata: { ...next.metadata, resourceVersion: String(version) } };
    return job;
  };
  const asked: string[] = [];
  const request = async ({ verb, path, body }: { verb: string; path: string; body?: unknown }) => {
    asked.push(`${verb} ${path.split('/').slice(-2).join('/')}`);
    if (path.includes('/pods/')) return {};
    if (verb === 'GET') return job;
    if (meanwhile) store(meanwhile(job));
    meanwhile = undefined;
    const { metadata } = body as { metadata: { resourceVersion: string; annotations: Record<string, string> } };
    if (metadata.resourceVersion !== job.metadata.resourceVersion)
      throw Object.assign(new Error(), { kind: 'conflict' });
    return store({
      ...job,
      metadata: { ...job.metadata, annotations: { ...job.metadata.annotations, ...metadata.annotations } },
    });
  };
  return { client: { request } as JobClient, asked };
}

test('the claim is on the Job before a gate comes off', async () => {
  const { client, asked } = server({});
  expect(await letPodsGo(client, NAME, [POD])).toEqual({ kind: 'let_go', podUids: ['p1'] });
  expect(asked).toEqual(['GET jobs/ydtest-1', 'PATCH jobs/ydtest-1', 'PATCH pods/ydtest-1-x']);
});

test('of the start that was claimed, by whomever, later pods follow', async () => {
  const { client, asked } = server({ claim: 'started:2' });
  expect(await letPodsGo(client, NAME, [POD])).toEqual({ kind: 'let_go', podUids: ['p1'] });
  expect(asked).toEqual(['GET jobs/ydtest-1', 'PATCH pods/ydtest-1-x']);
});

test('an eviction between looking and claiming leaves the claim free', async () => {
  const evict = (job: QueuedJob): QueuedJob => ({
    ...job,
    metadata: { ...job.metadata, generation: 3 },
    spec: { ...job.spec, suspend: true },
  });
  const { client, asked } = server({ meanwhile: evict });
  expect(await letPodsGo(client, NAME, [POD])).toEqual({ kind: 'hold', because: 'suspended' });
  expect(asked.some((line) => line.includes('pods'))).toBe(false);
});

test('a withdrawal that came first holds the pods for ever', async () => {
  const withdraw = (job: QueuedJob): QueuedJob => ({
    ...job,
    metadata: { ...job.metadata, annotations: { [START_CLAIM_ANNOTATION]: 'never' } },
  });
  const { client, asked } = server({ meanwhile: withdraw });
  expect(await letPodsGo(client, NAME, [POD])).toEqual({ kind: 'hold', because: 'claimed_never' });
  expect(asked.some((line) => line.includes('pods'))).toBe(false);
});

test('nothing is asked when nothing waits', async () => {
  const { client, asked } = server({});
  expect(await letPodsGo(client, NAME, [])).toEqual({ kind: 'let_go', podUids: [] });
  expect(asked).toEqual([]);
});
