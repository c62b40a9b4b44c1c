import { expect, test } from 'vitest';
import { chooseKueueVersion, detectKueue, kueuePath } from './detect-kueue.ts';

function cluster(answers: Record<string, unknown>) {
  return {
    request: async <T>({ path }: { path: string }) => {
      if (path in answers) return answers[path] as T;
      throw Object.assign(new Error(`${path}: 404`), { kind: 'not_found' });
    },
  };
}

test('the newest version that both sides speak is chosen', () => {
  expect(chooseKueueVersion(['v1alpha1', 'v1beta1'])).toBe('v1beta1');
  expect(chooseKueueVersion(['v1beta1', 'v1beta2'])).toBe('v1beta2');
  expect(chooseKueueVersion(['v1', 'v1alpha1'])).toBeNull();
});

test('no API group: no Kueue', async () => {
  expect(await detectKueue(cluster({}))).toBeNull();
});

test('a version of Kueue that serves cohorts', async () => {
  const kueue = cluster({
    '/apis/kueue.x-k8s.io': { versions: [{ version: 'v1beta1' }, { version: 'v1alpha1' }] },
    '/apis/kueue.x-k8s.io/v1beta1': {
      resources: [{ name: 'workloads' }, { name: 'workloads/status' }, { name: 'cohorts' }],
    },
  });
  expect(await detectKueue(kueue)).toEqual({ version: 'v1beta1', cohorts: true });
});

test('a Kueue of other versions is an error that names them, not none', async () => {
  const kueue = cluster({ '/apis/kueue.x-k8s.io': { versions: [{ version: 'v1' }] } });
  await expect(detectKueue(kueue)).rejects.toThrow(
    'serves kueue.x-k8s.io as v1, and this agent speaks v1beta2 and v1beta1',
  );
});

test('a server that does not answer is not a cluster without Kueue', async () => {
  const silent = { request: async () => Promise.reject(Object.assign(new Error('no answer'), { kind: 'timeout' })) };
  await expect(detectKueue(silent)).rejects.toThrow('no answer');
});

test('paths', () => {
  expect(kueuePath('v1beta1', 'workloads', 'jobs', 'w')).toBe(
    '/apis/kueue.x-k8s.io/v1beta1/namespaces/jobs/workloads/w',
  );
  expect(kueuePath('v1beta2', 'clusterqueues')).toBe('/apis/kueue.x-k8s.io/v1beta2/clusterqueues');
});
