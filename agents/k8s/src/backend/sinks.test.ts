import { expect, test } from 'vitest';
import type { Pod } from '../api-types.ts';
import { RUN_LABEL } from '../names.ts';
import type { KubeState } from './kube-state.ts';
import { podSink } from './sinks.ts';

test('pods of runs that are forgotten leave nothing behind', () => {
  const state = { runs: new Map(), earlyPods: new Map(), now: Date.now } as unknown as KubeState;
  const sink = podSink(state, 'jobs');
  const pod: Pod = {
    metadata: { name: 'one', namespace: 'jobs', uid: 'u', labels: { [RUN_LABEL]: 'forgotten' } },
    spec: { containers: [] },
  };
  sink.put(pod);
  expect(state.earlyPods.size).toBe(1);
  sink.remove(pod);
  expect(state.earlyPods.size).toBe(0);
});
