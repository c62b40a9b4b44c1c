import { describe, expect, it } from 'vitest';
import type { KubernetesConfigInput } from '../config.ts';
import { readNativeOptions } from '../native-options.ts';
import { bindingOf, namespacesOf, queuesOf } from './binding.ts';
import { podPlaceOf } from './pod-place.ts';
import { makeConfig, makeOrder } from './testing/make-order.ts';

const file: KubernetesConfigInput = {
  namespace: 'batch',
  queue: 'main',
  queues: ['night'],
  bindings: [
    { group: 'physics', namespace: 'physics', queue: 'physics', serviceAccount: 'runner' },
    { group: 'physics/astro', namespace: 'astro' },
    { group: 'biology', namespace: 'batch' },
  ],
  pools: {
    cpu: { nodeSelector: { pool: 'cpu' } },
    gpu: { nodeSelector: { pool: 'gpu' }, tolerations: [{ key: 'gpu' }] },
  },
};
const config = makeConfig(file);

describe('the binding of a group', () => {
  it.each([
    ['physics', { namespace: 'physics', queue: 'physics', queues: ['physics'], serviceAccount: 'runner' }],
    ['physics/solid', { namespace: 'physics', queue: 'physics', queues: ['physics'], serviceAccount: 'runner' }],
    ['physics/astro/stars', { namespace: 'astro', queue: null, queues: [], serviceAccount: null }],
    ['physicsts', { namespace: 'batch', queue: 'main', queues: ['main', 'night'], serviceAccount: null }],
    ['biology', { namespace: 'batch', queue: 'main', queues: ['main', 'night'], serviceAccount: null }],
  ])('%s', (group, binding) => {
    expect(bindingOf(config, group)).toEqual(binding);
  });

  it('names every namespace and every queue once', () => {
    expect(namespacesOf(config)).toEqual(['astro', 'batch', 'physics']);
    expect(queuesOf(config)).toEqual([
      { namespace: 'batch', queue: 'main' },
      { namespace: 'batch', queue: 'night' },
      { namespace: 'physics', queue: 'physics' },
    ]);
  });
});

describe('the place of a pod', () => {
  function place(groupPath: string, pool: string, native = {}, change: KubernetesConfigInput = {}) {
    const order = makeOrder({ command: ['true'], native: { kubernetes: native } }, { groupPath, pool });
    const read = readNativeOptions(native);
    if ('problem' in read) throw new Error(read.problem);
    const result = podPlaceOf(order, read.options, makeConfig({ ...file, ...change }));
    return 'place' in result ? [result.place.queue, result.place.nodeSelector['pool'] ?? null] : result.refusal;
  }

  it.each([
    ['chemistry', 'main', ['main', null]],
    ['chemistry', 'night', ['night', null]],
    ['chemistry', 'gpu', ['main', 'gpu']],
    ['chemistry', '', ['main', null]],
    // Placement may not know the bindings: a queue that is not this group's stands for the cluster.
    ['physics', 'main', ['physics', null]],
    ['physics/astro', 'main', [null, 'cpu']],
    ['physics/astro', 'gpu', [null, 'gpu']],
  ])('of %s in the pool %j', (group, pool, expected) => {
    expect(place(group, pool)).toEqual(expected);
  });

  it('is the one that the job names', () => {
    expect(place('chemistry', 'main', { queue: 'night' })).toEqual(['night', null]);
    expect(place('chemistry', 'night', { queue: 'main,night' })).toEqual(['night', null]);
    expect(place('chemistry', 'night', { pool: 'gpu' })).toEqual(['night', 'gpu']);
    expect(place('chemistry', 'cpu', { pool: 'gpu,cpu' })).toEqual(['main', 'cpu']);
    expect(place('physics', 'main', { queue: 'main' })).toContain("for the group 'physics', there is 'physics'");
  });

  it("is the agent's default pool where it names one", () => {
    expect(place('chemistry', '', {}, { defaultPool: 'gpu' })).toEqual(['main', 'gpu']);
  });
});
