import { describe, expect, test } from 'vitest';
import type { JobClient } from '../start/job-claim.ts';
import { START_CLAIM_ANNOTATION } from '../start/start-claim.ts';
import type { QueuedJob, Workload } from './kueue-types.ts';
import { decideDeactivate, decideWithdraw, withdrawWorkload } from './withdraw-workload.ts';
import { workloadFacts } from './workload-facts.ts';

const UID = 'a5c1';
const NAME = { namespace: 'jobs', name: 'ydtest-1', uid: UID };

function job(change: { uid?: string; claim?: string; suspend?: boolean; finished?: boolean } = {}): QueuedJob {
  return {
    metadata: {
      name: 'ydtest-1',
      uid: change.uid ?? UID,
      resourceVersion: '7',
      generation: 1,
      annotations: change.claim === undefined ? {} : { [START_CLAIM_ANNOTATION]: change.claim },
    },
    spec: { suspend: change.suspend ?? true, template: { spec: { containers: [] } } },
    status: { conditions: change.finished ? [{ type: 'Complete', status: 'True' }] : [] },
  };
}

function workload(change: { owner?: string; active?: boolean; conditions?: string[] } = {}): Workload {
  return {
    metadata: {
      name: 'job-ydtest-1-11111',
      namespace: 'jobs',
      uid: 'w1',
      resourceVersion: '9',
      ownerReferences: [
        { apiVersion: 'batch/v1', kind: 'Job', name: 'ydtest-1', uid: change.owner ?? UID, controller: true },
      ],
    },
    spec: { queueName: 'q', active: change.active ?? true },
    status: { conditions: (change.conditions ?? []).map((type) => ({ type, status: 'True' as const })) },
  };
}

describe('the claim decides', () => {
  test.each([
    ['waiting', job(), { kind: 'claim', text: 'never' }],
    ['admitted, and nothing let go', job({ suspend: false }), { kind: 'claim', text: 'never' }],
    ['already taken back', job({ claim: 'never' }), { kind: 'withdrawn' }],
    ['started', job({ claim: 'started:2', suspend: false }), { kind: 'lost' }],
    ['of a spoiled claim', job({ claim: 'x' }), { kind: 'lost' }],
    ['finished without a claim', job({ finished: true }), { kind: 'lost' }],
    ['of another UID', job({ uid: 'other' }), { kind: 'foreign' }],
    ['gone', null, { kind: 'gone' }],
  ])('a Job that is %s', (_name, seen, verdict) => {
    expect(decideWithdraw(seen, UID)).toEqual(verdict);
  });

  test.each([
    ['waiting', workload(), 'deactivate'],
    ['admitted', workload({ conditions: ['QuotaReserved', 'Admitted'] }), 'deactivate'],
    ['inactive', workload({ active: false }), 'done'],
    ['finished', workload({ conditions: ['Finished'] }), 'done'],
    ['of another Job of that name', workload({ owner: 'other' }), 'foreign'],
  ])('a Workload that is %s', (_name, seen, kind) => {
    expect(decideDeactivate(workloadFacts(seen)!, UID).kind).toBe(kind);
  });
});

test('a Job that changes meanwhile is looked at again, and a start that came first wins', async () => {
  const asked: string[] = [];
  const states = [job(), job({ claim: 'started:2', suspend: false })];
  const client = {
    request: async ({ verb, path }: { verb: string; path: string }) => {
      asked.push(`${verb} ${path}`);
      if (verb === 'GET') return states.shift();
      throw Object.assign(new Error('changed'), { kind: 'conflict' });
    },
  } as JobClient;
  expect(await withdrawWorkload(client, 'v1beta1', NAME)).toEqual({ kind: 'lost' });
  expect(asked).toEqual([
    'GET /apis/batch/v1/namespaces/jobs/jobs/ydtest-1',
    'PATCH /apis/batch/v1/namespaces/jobs/jobs/ydtest-1',
    'GET /apis/batch/v1/namespaces/jobs/jobs/ydtest-1',
  ]);
});

test('a Workload of another owner is never touched, whatever its labels say', async () => {
  const patched: string[] = [];
  const client = {
    request: async ({ verb, path, body }: { verb: string; path: string; body?: unknown }) => {
      if (verb === 'PATCH') patched.push(path);
      if (path.includes('/jobs/')) return verb === 'PATCH' ? merged(job(), body) : job();
      return { items: [workload({ owner: 'other' })] };
    },
  } as JobClient;
  expect(await withdrawWorkload(client, 'v1beta1', NAME)).toEqual({ kind: 'withdrawn' });
  expect(patched).toEqual(['/apis/batch/v1/namespaces/jobs/jobs/ydtest-1']);
});

function merged(seen: QueuedJob, body: unknown): QueuedJob {
  const { annotations } = (body as { metadata: { annotations: Record<string, string> } }).metadata;
  return { ...seen, metadata: { ...seen.metadata, annotations } };
}
