import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Container, Pod } from '../api-types.ts';
import { podRequest } from './pod-request.ts';

const GPU = 'nvidia.com/gpu';
const cpuOf = (pod: Pick<Pod, 'spec' | 'status'>) => podRequest(pod, GPU).cpuMilli;
const container = (cpu: string, more: object = {}): Container => ({
  name: 'main',
  resources: { requests: { cpu } },
  ...more,
});
const sidecar = (cpu: string) => container(cpu, { name: `side-${cpu}`, restartPolicy: 'Always' });

describe('as the scheduler counts', () => {
  test('containers add up', () => {
    const requests = { cpu: '250m', memory: '64Mi', [GPU]: '1' };
    const both = [{ name: 'a', resources: { requests } }, { name: 'b', resources: { requests } }, { name: 'c' }];
    expect(podRequest({ spec: { containers: both } }, GPU)).toEqual({ cpuMilli: 500, memoryBytes: 2 ** 27, gpus: 2 });
    expect(podRequest({ spec: { containers: [] } }, GPU)).toEqual({ cpuMilli: 0, memoryBytes: 0, gpus: 0 });
  });

  test('init containers run one after another, so only the largest counts, and only if it is more', () => {
    expect(cpuOf({ spec: { containers: [container('1')], initContainers: [container('3'), container('2')] } })).toBe(
      3000,
    );
    expect(cpuOf({ spec: { containers: [container('5')], initContainers: [container('3'), container('2')] } })).toBe(
      5000,
    );
  });

  test('each resource by itself', () => {
    const init = { name: 'init', resources: { requests: { cpu: '2', memory: '10' } } };
    const main = { name: 'main', resources: { requests: { cpu: '1', memory: '20' } } };
    expect(podRequest({ spec: { containers: [main], initContainers: [init] } }, GPU)).toMatchObject({
      cpuMilli: 2000,
      memoryBytes: 20,
    });
  });

  test('sidecars run beside the containers, and beside the init containers after them', () => {
    expect(cpuOf({ spec: { containers: [container('1')], initContainers: [sidecar('2')] } })).toBe(3000);
    expect(cpuOf({ spec: { containers: [container('1')], initContainers: [sidecar('2'), container('4')] } })).toBe(
      6000,
    );
    expect(cpuOf({ spec: { containers: [container('1')], initContainers: [container('4'), sidecar('2')] } })).toBe(
      4000,
    );
  });

  test('overhead comes on top; what the pod asks for as a whole stands for its containers', () => {
    const spec = { containers: [container('1')], overhead: { cpu: '100m' } };
    expect(cpuOf({ spec })).toBe(1100);
    expect(cpuOf({ spec: { ...spec, resources: { requests: { cpu: '3' } } } })).toBe(3100);
    expect(cpuOf({ spec: { ...spec, resources: { requests: { memory: '3' } } } })).toBe(1100);
  });

  test('a container that is being resized counts with the larger size until that is settled', () => {
    const shrinking = [{ name: 'main', resources: { requests: { cpu: '4' } }, allocatedResources: { cpu: '4' } }];
    const spec = { containers: [container('2')] };
    expect(cpuOf({ spec, status: { containerStatuses: shrinking } })).toBe(4000);
    const infeasible = [{ type: 'PodResizePending', status: 'True', reason: 'Infeasible' } as const];
    const status = { containerStatuses: shrinking, conditions: infeasible };
    expect(cpuOf({ spec: { containers: [container('9')] }, status })).toBe(4000);
  });
});

test('never less than what runs at any one time', () => {
  const cpus = fc.integer({ min: 0, max: 9 });
  const inits = fc.array(fc.record({ cpu: cpus, isSidecar: fc.boolean() }), { maxLength: 6 });
  fc.assert(
    fc.property(fc.array(cpus, { maxLength: 4 }), inits, (mains, befores) => {
      const spec = {
        containers: mains.map((cpu) => container(`${cpu}`)),
        initContainers: befores.map(({ cpu, isSidecar }) => (isSidecar ? sidecar(`${cpu}`) : container(`${cpu}`))),
      };
      const sum = (list: readonly number[]) => list.reduce((total, each) => total + each, 0);
      const sidecars = (upTo: number) => sum(befores.slice(0, upTo).map(({ cpu, isSidecar }) => (isSidecar ? cpu : 0)));
      const moments = [...befores.map(({ cpu }, at) => cpu + sidecars(at)), sum(mains) + sidecars(befores.length)];
      expect(cpuOf({ spec })).toBe(Math.max(...moments) * 1000);
    }),
  );
});
