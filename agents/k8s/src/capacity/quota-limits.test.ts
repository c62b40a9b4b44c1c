import { expect, test } from 'vitest';
import { quotaFacts } from './quota-facts.ts';
import { quotaLimits } from './quota-limits.ts';
import { testQuota } from './testing/objects.ts';

const GPU = 'nvidia.com/gpu';
const facts = (...of: Parameters<typeof testQuota>) => quotaFacts(testQuota(...of), GPU);
const NONE = Number.POSITIVE_INFINITY;

test('what a quota leaves, in whole numbers that can really be had', () => {
  const hard = { 'requests.cpu': '10', 'limits.cpu': '8500m', 'requests.memory': '10Gi', [`requests.${GPU}`]: '4' };
  const used = { 'requests.cpu': '1', 'limits.cpu': '1200m', 'requests.memory': '1M', [`requests.${GPU}`]: '5' };
  expect(facts('q', { ...hard, 'count/jobs.batch': '7' }, { ...used, 'count/jobs.batch': '3' })).toMatchObject({
    hard: { cpus: 8, memoryMiB: 10_240, gpus: 4, pods: NONE, jobs: 7 },
    left: { cpus: 7, memoryMiB: 10_239, gpus: 0, pods: NONE, jobs: 4 },
  });
});

test('while nobody knows what is used, nothing is left', () => {
  const { status, ...fresh } = testQuota('q', { pods: '5', cpu: '3' });
  expect(status).toBeDefined();
  expect(quotaFacts(fresh, GPU).left).toMatchObject({ pods: 0, cpus: 0, memoryMiB: NONE });
});

test.each([
  [{ scopes: ['Terminating'] }, null],
  [{ scopes: ['NotBestEffort', 'Terminating'] }, null],
  [{ scopes: ['NotTerminating'] }, 'jobs without a walltime'],
  [{ scopes: ['Terminating', 'BestEffort'] }, 'pods without requests'],
  [
    { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }] } },
    'pods of some priority classes',
  ],
  [
    { scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'NotIn', values: ['high'] }] } },
    null,
  ],
])('%j', (spec, besides) => {
  expect(facts('q', { pods: '1' }, {}, spec).besides).toBe(besides);
});

test('all quotas of a namespace bind; namespaces add up; one without a quota has no limit', () => {
  const at = (namespace: string, name: string, cpus: string) => ({ ...facts(name, { cpu: cpus }), namespace });
  const quotas = [at('a', 'x', '6'), at('a', 'y', '4'), at('b', 'z', '3'), at('elsewhere', 'w', '0')];
  expect(quotaLimits(quotas, ['a'])).toMatchObject({ hard: { cpus: 4 }, largest: { cpus: 4 } });
  expect(quotaLimits(quotas, ['a', 'b'])).toMatchObject({ hard: { cpus: 7 }, left: { cpus: 7 }, largest: { cpus: 4 } });
  expect(quotaLimits(quotas, ['a', 'b', 'c'])).toMatchObject({ hard: { cpus: NONE }, largestLeft: { cpus: NONE } });
  expect(quotaLimits([], ['a'])).toMatchObject({ hard: { cpus: NONE, jobs: NONE }, notes: [] });
});
