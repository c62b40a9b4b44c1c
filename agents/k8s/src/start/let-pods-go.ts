import type { Pod } from '../api-types.ts';
import { STRATEGIC_MERGE } from '../client/kube-request.ts';
import { getJob } from '../get-job.ts';
import type { QueuedJob } from '../kueue/kueue-types.ts';
import { podsPath } from '../object-path.ts';
import { claimOnJob, type JobClient, type JobName } from './job-claim.ts';
import { type HoldReason, mayStart, podsToLetGo, START_GATE } from './start-claim.ts';

export type LetGo =
  /** UIDs of the pods whose gate is off now. */
  | { readonly kind: 'let_go'; readonly podUids: readonly string[] }
  | { readonly kind: 'hold'; readonly because: HoldReason }
  /** The Job changed under every try: look again with the next event. */
  | { readonly kind: 'busy' };

const TRIES = 8;

/**
 * Lets the waiting pods of an admitted Job start: claims the start, if it is not claimed yet, and takes the gates away. May be
 * repeated at any time: level-triggered, called whenever a gated pod is seen.
 *
 * @param pods what is known of the Job's pods, gated or not; those made later wait for the next call
 */
export async function letPodsGo(
  client: JobClient,
  name: JobName,
  pods: readonly Pod[],
  { needsClaim = true } = {},
): Promise<LetGo> {
  const chosen = podsToLetGo(pods, name.uid);
  if (chosen.length === 0) return { kind: 'let_go', podUids: [] };
  if (needsClaim) {
    const verdict = await claimStart(client, name);
    if (verdict.kind !== 'let_go') return verdict;
  }
  const done = await Promise.all(chosen.map((pod) => takeGateAway(client, pod)));
  return { kind: 'let_go', podUids: done.filter((uid) => uid !== null) };
}

type Claimed = { readonly kind: 'let_go' } | Exclude<LetGo, { kind: 'let_go' }>;

/** Reads the Job anew each time: a copy from the watch may be older than the pods. */
async function claimStart(client: JobClient, name: JobName): Promise<Claimed> {
  let job: QueuedJob | null = await getJob(client, name);
  for (let tries = 0; tries < TRIES && job; tries++) {
    const verdict = mayStart(job, name.uid);
    if (verdict.kind !== 'claim') return verdict;
    job = (await claimOnJob(client, name, job, verdict.text)) ?? (await getJob(client, name));
  }
  return job ? { kind: 'busy' } : { kind: 'hold', because: 'over' };
}

/** Strategic, so that gates of others (Kueue's own for topologies) stay. The UID keeps it off a later pod of the same name. */
async function takeGateAway(client: JobClient, { metadata }: Pod): Promise<string | null> {
  try {
    await client.request({
      verb: 'PATCH',
      lane: 'start',
      path: podsPath(metadata.namespace ?? '', metadata.name),
      contentType: STRATEGIC_MERGE,
      body: { metadata: { uid: metadata.uid }, spec: { schedulingGates: [{ $patch: 'delete', name: START_GATE }] } },
    });
    return metadata.uid ?? '';
  } catch (error) {
    const { kind } = error as { kind?: string };
    // A pod of that name with another UID is refused as invalid: its UID cannot be changed.
    if (kind === 'not_found' || kind === 'conflict' || kind === 'invalid') return null;
    throw error;
  }
}
