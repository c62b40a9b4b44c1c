import { markerOf } from '@switchyard/core/spec/marker.ts';
import { expect, test } from 'vitest';
import type { Pod } from '../api-types.ts';
import { JOB_UID, makeRun } from '../facts/testing/make-facts.ts';
import { jobManifest } from '../manifest/job-manifest.ts';
import { makeConfig, makeOrder } from '../manifest/testing/make-order.ts';
import { FEDERATION_LABEL, HOLD_FINALIZER, RUN_LABEL } from '../names.ts';
import { type KubeState, track } from './kube-state.ts';
import { createFailureSink, jobSink, podSink } from './sinks.ts';

test('pods of runs that are forgotten leave nothing behind', () => {
  const state = {
    runs: new Map(),
    earlyPods: new Map(),
    held: new Map(),
    wake: () => {},
    now: Date.now,
  } as unknown as KubeState;
  const sink = podSink(state, 'jobs');
  const pod: Pod = {
    metadata: {
      ...{ name: 'one', namespace: 'jobs', uid: 'u', labels: { [RUN_LABEL]: 'forgotten' } },
      ...{ finalizers: [HOLD_FINALIZER], deletionTimestamp: '2026-11-21T10:00:00Z' },
    },
    spec: { containers: [] },
  };
  sink.put(pod);
  expect([state.earlyPods.size, state.held.size]).toEqual([1, 1]);
  sink.remove(pod);
  expect([state.earlyPods.size, state.held.size]).toEqual([0, 0]);
});

test('since when pods are refused is told by the clock of this agent, whatever the event says', () => {
  const run = track(makeRun());
  const { runId } = run.facts.order;
  let nowMs = 1_000_000;
  const state = { runs: new Map([[runId, run]]), dirty: new Set(), wake: () => {}, now: () => nowMs };
  const sink = createFailureSink(state as unknown as KubeState);
  const involvedObject = { kind: 'Job', name: markerOf('test', runId), uid: JOB_UID };
  for (const message of ['exceeded quota: one', 'exceeded quota: other']) {
    const metadata = { name: 'event', namespace: 'jobs' };
    sink.put({ metadata, involvedObject, reason: 'FailedCreate', message, firstTimestamp: '2020-01-01T00:00:00Z' });
    nowMs += 5000;
  }
  expect(run.facts.createFailure).toEqual({ message: 'exceeded quota: other', sinceMs: 1_000_000 });
});

test('a Job whose run is forgotten while a list is under way is still to be deleted', () => {
  const manifest = jobManifest(makeOrder({ command: ['true'] }), makeConfig(), { cluster: 'k' });
  if (!('job' in manifest)) throw new Error(manifest.refusal);
  const { job } = manifest;
  const state = {
    ...{ runs: new Map(), doomed: new Map(), strays: new Map(), arrivals: new Map() },
    options: { federation: job.metadata.labels?.[FEDERATION_LABEL] },
  } as unknown as KubeState;
  const sink = jobSink(state, 'default', () => {});
  sink.begin();
  sink.put({ ...job, metadata: { ...job.metadata, uid: 'u' } });
  state.doomed.set('u', { namespace: 'default', name: 'one', uid: 'u', notBeforeMs: 0, failures: 0 });
  sink.synced();
  expect(state.doomed.size).toBe(1);
  sink.begin();
  sink.synced();
  expect(state.doomed.size).toBe(0);
});
