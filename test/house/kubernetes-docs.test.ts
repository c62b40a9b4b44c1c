import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RIGHTS } from '@switchyard/agent-k8s/backend/rights.ts';
import { kubernetesConfigSchema } from '@switchyard/agent-k8s/config.ts';
import { FEDERATION } from '@switchyard/core/spec/marker.ts';
import { NATIVE_KUBERNETES_OPTIONS } from '@switchyard/core/spec/native-options.ts';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '../..');
const text = readFileSync(join(ROOT, 'docs/kubernetes.md'), 'utf8');
const example = parse(/```yaml\n([\s\S]*?)```/.exec(text)![1]!);

test('the example has every setting, and none that does not exist', () => {
  expect(kubernetesConfigSchema.safeParse(example.kubernetes).error).toBeUndefined();
  expect(Object.keys(example.kubernetes).sort()).toEqual(Object.keys(kubernetesConfigSchema.shape).sort());
});

test('what the example calls defaults are the defaults', () => {
  const defaults = Object.entries(kubernetesConfigSchema.parse({}));
  const waitsAndLimits = defaults.filter(([, value]) => typeof value === 'number');
  expect(example.kubernetes).toMatchObject(Object.fromEntries(waitsAndLimits));
});

test('the agent that is shipped reads its own file', () => {
  const shipped = parse(readFileSync(join(ROOT, 'deploy/kubernetes/agent/agent.yaml'), 'utf8'));
  expect(kubernetesConfigSchema.safeParse(shipped.kubernetes).error).toBeUndefined();
});

test('both name a federation, which such an agent cannot do without', () => {
  const shipped = parse(readFileSync(join(ROOT, 'deploy/kubernetes/agent/agent.yaml'), 'utf8'));
  for (const file of [example, shipped]) expect(file.federation).toMatch(FEDERATION);
});

test('the native options are those that exist', () => {
  const row = /^\| `native\.kubernetes` \| (.*?);/m.exec(text)![1]!;
  expect(row.match(/\w+/g)!.sort()).toEqual(Object.keys(NATIVE_KUBERNETES_OPTIONS).sort());
});

test('the table of rights is the one that is checked', () => {
  const rows = [...text.matchAll(/^\| (namespace|cluster)(?:, Kueue)? \| (.*?) \| (.*?) \|/gm)];
  const told = rows.flatMap(([, scope, what, verbs]) =>
    [...what!.matchAll(/`(.*?)`/g)].map(([, resource]) => `${scope} ${resource}: ${verbs}`),
  );
  const real = RIGHTS.map(
    ({ scope, resource, name, verbs }) =>
      `${scope} ${name === undefined ? resource : `${resource}/${name}`}: ${verbs.join(' ')}`,
  );
  expect(told.sort()).toEqual(real.sort());
});
