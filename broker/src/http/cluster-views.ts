import { place } from '@switchyard/core/placement/place.ts';
import { shapeKey } from '@switchyard/core/placement/request-shape.ts';
import type { PolicyName, Refusal, Score, Snapshot, WaitingJob } from '@switchyard/core/placement/snapshot.ts';
import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import { isArray, taskSet } from '@switchyard/core/spec/task-set.ts';

export type Answer = {
  readonly placements: readonly Score[];
  readonly refusals: readonly Refusal[];
  readonly wait: string | null;
};

export type ClusterViews = {
  /** Where the job would go if it were alone, and why not elsewhere. */
  wouldPlace(spec: JobSpec): Promise<Answer>;
  /** One refusal of each cluster when none can ever run it, else null. A cluster that has never reported may be able to. */
  refusedForEver(spec: JobSpec): Promise<readonly Refusal[] | null>;
};

/** A submit may be judged by a picture of the clusters that is this old: what can never run does not change in between. */
const MAX_AGE_MS = 2000;
const REMEMBERED_SHAPES = 10_000;

/**
 * What placement says of a job that is not stored yet. The clusters are loaded at most every two seconds however many ask, and
 * jobs of one shape share one answer until then.
 */
export function createClusterViews(options: {
  load: () => Promise<Snapshot>;
  policy: PolicyName;
  staleAfterMs: number;
  now?: () => number;
}): ClusterViews {
  const { load, policy, staleAfterMs, now = Date.now } = options;
  type Loaded = { at: number; snapshot: Promise<Snapshot>; refused: Map<string, readonly Refusal[] | null> };
  let loaded: Loaded | null = null;

  function current(): Loaded {
    if (loaded && now() - loaded.at <= MAX_AGE_MS) return loaded;
    const mine: Loaded = { at: now(), snapshot: load(), refused: new Map() };
    mine.snapshot.catch(() => {
      if (loaded === mine) loaded = null;
    });
    loaded = mine;
    return mine;
  }

  const ask = (snapshot: Snapshot, spec: JobSpec): Answer => {
    const alone: Snapshot = { ...snapshot, jobs: [candidate(spec, now())] };
    const plan = place(alone, now(), { policy, staleAfterMs, limit: 1 });
    const [placement] = plan.placements;
    const wait = plan.waits[0];
    return {
      placements: placement?.scores ?? [],
      refusals: placement?.refusals ?? wait?.refusals ?? [],
      wait: placement ? null : (wait?.sentence ?? null),
    };
  };

  return {
    wouldPlace: async (spec) => ask(await current().snapshot, spec),
    refusedForEver: async (spec) => {
      const { snapshot, refused } = current();
      const key = shapeKey(spec) + (spec.array?.split === false ? spec.array.tasks : '');
      const known = refused.get(key);
      if (known !== undefined) return known;
      const clusters = { ...(await snapshot), pausedReason: null };
      const { refusals } = ask(clusters, spec);
      const all = refusals.length === clusters.clusters.length && refusals.every(({ permanent }) => permanent);
      const reported = clusters.clusters.some(({ report }) => report !== null);
      const answer = all && reported ? refusals : null;
      if (refused.size < REMEMBERED_SHAPES) refused.set(key, answer);
      return answer;
    },
  };
}

/** As if it had been waiting in front of everybody else, with nothing of its own in the way. */
function candidate(spec: JobSpec, nowMs: number): WaitingJob {
  const { startAfter: _, startDeadline: __, ...timeless } = spec;
  return {
    id: '00000000-0000-7000-8000-000000000000',
    number: 0,
    groupPath: spec.group,
    owner: '',
    priority: spec.priority,
    createdAtMs: nowMs,
    spec: timeless,
    isArray: isArray(spec),
    queued: taskSet(spec),
    outTasks: 0,
    maxRunning: null,
    notBeforeMs: null,
    avoidClusters: [],
    dependency: 'met',
  };
}
