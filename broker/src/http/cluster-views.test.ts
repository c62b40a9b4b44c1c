import type { ClusterView, Snapshot } from '@switchyard/core/placement/snapshot.ts';
import { type JobSpec, jobSpecSchema } from '@switchyard/core/spec/job-spec.ts';
import { expect, test } from 'vitest';
import { createClusterViews } from './cluster-views.ts';

const silent: ClusterView = {
  ...{ name: 'north', kind: 'slurm', admission: 'active', labels: {}, filesystems: [], allowedNativeOptions: [] },
  ...{ report: null, reportedAtMs: null, connected: false, breakerReason: null, backlog: 10, waitingTasks: 0 },
  ...{ unstarted: [], unansweredOffers: 0, placedCount: 0 },
};
const spec = (input: object = {}): JobSpec => jobSpecSchema.parse({ script: '#!/bin/sh\n', ...input });

function views(snapshot: Partial<Snapshot>) {
  const state = { loads: 0, now: 0, failing: false };
  const created = createClusterViews({
    ...{ policy: 'least-loaded', staleAfterMs: 30_000, now: () => state.now },
    load: async () => {
      state.loads += 1;
      if (state.failing) throw new Error('away');
      return { jobs: [], clusters: [silent], pausedReason: null, ...snapshot };
    },
  });
  return { state, ...created };
}

test('a cluster that has never reported may be able to run anything', async () => {
  const { refusedForEver } = views({});
  expect(await refusedForEver(spec({ resources: { cpusPerTask: 99_999 } }))).toBeNull();
  expect(await refusedForEver(spec({ constraints: { kinds: ['lsf'] } }))).toBeNull();
});

test('without any cluster everything waits for the first', async () => {
  expect(await views({ clusters: [] }).refusedForEver(spec())).toBeNull();
});

test('a pause of placement refuses nothing', async () => {
  expect(await views({ pausedReason: 'back in time' }).refusedForEver(spec())).toBeNull();
});

test('one picture serves everybody for two seconds; a failure is not remembered', async () => {
  const { state, refusedForEver, wouldPlace } = views({});
  await Promise.all([refusedForEver(spec()), refusedForEver(spec()), wouldPlace(spec())]);
  state.now = 2000;
  await refusedForEver(spec());
  expect(state.loads).toBe(1);
  state.now = 2001;
  await refusedForEver(spec());
  expect(state.loads).toBe(2);
  state.now = 9000;
  state.failing = true;
  await expect(refusedForEver(spec())).rejects.toThrow('away');
  state.failing = false;
  expect(await refusedForEver(spec())).toBeNull();
});
