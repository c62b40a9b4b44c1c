import { createHash } from 'node:crypto';
import { canonicalJson } from '@switchyard/core/spec/canonical-json.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { validateJobSpec } from '@switchyard/core/spec/validate-job-spec.ts';
import { expect, it } from 'vitest';
import type { LocalPolicy } from '../local-policy.ts';
import { checkOffer } from './check-offer.ts';

const RUN = '01900000-0000-7000-8000-000000000001';

function offer(input: Partial<JobSpecInput> = {}, changes: Record<string, unknown> = {}) {
  const parsed = validateJobSpec({ script: '#!/bin/sh\ntrue\n', ...input });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return rawOffer(canonicalJson({ ...parsed.spec, ...(changes['extra'] as object) }), changes);
}

function rawOffer(specJson: string, changes: Record<string, unknown> = {}) {
  const specHash = createHash('sha256').update(specJson).digest('hex');
  const { extra: _, ...rest } = changes;
  return {
    ...{ runId: RUN, placementNumber: 4, jobId: RUN, jobNumber: 9, attempt: 1, tasks: '0', specJson, specHash },
    ...{ pool: '', observedBefore: false, groupPath: 'physics/astro', owner: 'ada' },
    ...rest,
  };
}

function check(given: ReturnType<typeof rawOffer>, policy: LocalPolicy = {}, nativeOptions: string[] = ['qos']) {
  return checkOffer(given, { federation: 'fedx', kind: 'slurm', policy, nativeOptions });
}

function refusal(...given: Parameters<typeof check>): string {
  const checked = check(...given);
  if (checked.ok) return 'taken';
  expect(checked.refusal).toMatchObject({
    runId: RUN,
    placementNumber: 4,
    placed: false,
    ends: [{ outcome: 'refused', reason: 'rejected' }],
  });
  return checked.refusal.ends[0]!.detail!;
}

it('makes an order of an offer', () => {
  const checked = check(offer({ name: 'a', array: { tasks: '0-9' } }, { tasks: '3-5' }));
  expect(checked).toMatchObject({
    ok: true,
    order: { runId: RUN, tasks: '3-5', jobNumber: 9, owner: 'ada', spec: { name: 'a', priority: 500 } },
  });
  if (checked.ok) expect(checked.order.marker).toMatch(/^ydfedx-[a-z2-7]{26}$/);
});

it('takes only the bytes that the hash is of', () => {
  expect(refusal({ ...offer(), specHash: '0'.repeat(64) })).toContain('hash');
  expect(refusal(rawOffer('{"script":'))).toContain('not JSON');
});

it('refuses what its own schema does not know, rather than drop it', () => {
  expect(refusal(offer({}, { extra: { newFeature: true } }))).toContain("there is no 'newFeature' here");
});

it('refuses tasks that the job does not have', () => {
  expect(refusal(offer({}, { tasks: '0-3' }))).toContain('tasks');
  expect(refusal(offer({}, { tasks: 'x' }))).toContain('tasks');
});

it.each<[string, LocalPolicy, Partial<JobSpecInput>, Record<string, unknown>, string]>([
  ['another pool', { allowedPools: ['main'] }, {}, { pool: 'gpu' }, "pool 'gpu'"],
  ['a native option nobody knows', {}, { native: { slurm: { uid: '0' } } }, {}, "'uid'"],
  [
    'a native option the site forbids',
    { allowedNativeOptions: [] },
    { native: { slurm: { qos: 'high' } } },
    {},
    "'qos'",
  ],
  ['too long a job', { maxWalltimeSeconds: 60 }, { resources: { walltimeSeconds: 61 } }, {}, 'at most 60 s'],
  ['a job without a limit', { maxWalltimeSeconds: 60 }, {}, {}, 'no limit'],
  ['too large a script', { maxScriptBytes: 10 }, {}, {}, 'at most 10 bytes'],
  ['too many tasks', { maxTasksPerRun: 5 }, { array: { tasks: '0-9' } }, { tasks: '0-9' }, 'at most 5 tasks'],
  ['another group', { allowedGroups: ['physics/as', 'bio'] }, {}, {}, "group 'physics/astro'"],
])('keeps to the policy of the site: %s', (_, policy, spec, changes, words) => {
  expect(refusal(offer(spec, changes), policy)).toContain(words);
});

it('takes what the policy allows', () => {
  const policy = {
    allowedPools: ['main'],
    maxWalltimeSeconds: 60,
    maxScriptBytes: 99,
    allowedGroups: ['physics'],
    allowedNativeOptions: ['qos'],
  };
  const given = offer({ resources: { walltimeSeconds: 60 }, native: { slurm: { qos: 'high' } } }, { pool: 'main' });
  expect(refusal(given, policy)).toBe('taken');
});
