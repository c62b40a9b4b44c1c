import { describe, expect, it } from 'vitest';
import { kubernetesConfigSchema } from './config.ts';

function problems(input: unknown): string[] {
  const parsed = kubernetesConfigSchema.safeParse(input);
  return (parsed.error?.issues ?? []).map(({ path, message }) => `${path.map(String).join('.')}: ${message}`);
}

describe('the kubernetes section of an agent', () => {
  it('may be empty: one namespace, one pool of all nodes, no image but those that jobs may name', () => {
    expect(kubernetesConfigSchema.parse({})).toMatchObject({
      namespace: 'default',
      bindings: [],
      pools: { default: { nodeSelector: {}, tolerations: [] } },
      runAsUser: 65_532,
      ttlSecondsAfterFinished: 604_800,
      allowedPriorityClasses: [],
    });
  });

  it('reads what is said', () => {
    const config = kubernetesConfigSchema.parse({
      namespace: 'batch',
      queue: 'main',
      bindings: [{ group: 'physics', namespace: 'physics', queue: 'astro', serviceAccount: 'runner' }],
      defaultImage: 'registry.example:5000/base@sha256:abc',
      allowedImages: ['registry.example:5000/*'],
      volumes: { scratch: { claim: 'scratch', mountPath: '/scratch' } },
      pools: { gpu: { nodeSelector: { pool: 'gpu' }, tolerations: [{ key: 'gpu', operator: 'Exists' }] } },
      defaultPool: 'gpu',
    });
    expect(config.volumes['scratch']).toEqual({ claim: 'scratch', mountPath: '/scratch', readOnly: false });
    expect(config.bindings[0]).toMatchObject({ queues: [], queue: 'astro' });
  });

  it.each([
    [{ runAsUser: 0 }, 'runAsUser: must not be root'],
    [{ defaultPool: 'gpu' }, "defaultPool: there is no pool 'gpu'; there is default"],
    [{ pools: {} }, 'pools: must have at least one pool; leave it out for one of all nodes'],
    [{ queue: 'default' }, 'pools.default: is also the name of a LocalQueue, and jobs name both in one place'],
    [
      {
        bindings: [
          { group: 'a', namespace: 'a' },
          { group: 'a', namespace: 'b' },
        ],
      },
      'bindings.1.group: has a binding already',
    ],
    [
      { volumes: { a: { claim: 'a', mountPath: '/data' }, b: { claim: 'b', mountPath: '/data' } } },
      'volumes.b.mountPath: is the place of another volume',
    ],
    [
      { volumes: { a: { claim: 'a', mountPath: '/yard' } } },
      'volumes.a.mountPath: is a folder that every container needs itself',
    ],
    [
      { volumes: { a: { claim: 'a', mountPath: '/' } } },
      'volumes.a.mountPath: must be a path without a colon, a doubled or a trailing slash',
    ],
    [{ volumes: { a: { claim: 'a', mountPath: '/a/../etc' } } }, "volumes.a.mountPath: must not contain '..'"],
    [
      { volumes: { a: { claim: 'a', mountPath: '/a', subPath: 'b/../../c' } } },
      "volumes.a.subPath: must not contain '..'",
    ],
    [{ defaultImage: 'two words' }, 'defaultImage: must be an image such as registry.example/team/tool:1.4'],
  ])('says what is wrong with %j', (input, sentence) => {
    expect(problems(input)).toEqual([sentence]);
  });
});
