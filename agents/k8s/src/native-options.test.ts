import { describe, expect, it } from 'vitest';
import { readNativeOptions } from './native-options.ts';

describe('native.kubernetes', () => {
  it('is read', () => {
    expect(
      readNativeOptions({ queue: 'a, b', nodeSelector: { disk: 'ssd' }, shmSizeMiB: '128', ephemeralStorageMiB: 10 }),
    ).toEqual({
      options: {
        ...{ queues: ['a', 'b'], pools: [], nodeSelector: { disk: 'ssd' }, priorityClassName: null },
        ...{ kueuePriorityClassName: null, serviceAccountName: null, ephemeralStorageMiB: 10, shmSizeMiB: 128 },
      },
    });
  });

  it.each([
    [{ hostNetwork: true }, 'native.kubernetes.hostNetwork is not an option'],
    [{ securityContext: { privileged: 'true' } }, 'native.kubernetes.securityContext is not an option'],
    [{ automountServiceAccountToken: true }, 'native.kubernetes.automountServiceAccountToken is not an option'],
    [{ tolerations: 'all' }, 'native.kubernetes.tolerations is not an option'],
    [{ constructor: 'x' }, 'native.kubernetes.constructor is not an option'],
    [{ queue: true }, 'native.kubernetes.queue takes one text'],
    [{ nodeSelector: 'a=b' }, 'native.kubernetes.nodeSelector takes names and values'],
    [{ shmSizeMiB: 1.5 }, 'native.kubernetes.shmSizeMiB takes a whole number'],
    [{ shmSizeMiB: -1 }, 'native.kubernetes.shmSizeMiB takes a whole number'],
    [{ ephemeralStorageMiB: '1Gi' }, 'native.kubernetes.ephemeralStorageMiB takes a whole number'],
  ])('refuses %j by name', (native, sentence) => {
    expect((readNativeOptions(native) as { problem: string }).problem).toContain(sentence);
  });
});
