import { getJob } from '../get-job.ts';
import { claimOnJob, type JobClient, type JobName } from '../start/job-claim.ts';
import { isFinished, startClaimOf, startClaimText } from '../start/start-claim.ts';
import { kueuePath } from './detect-kueue.ts';
import { JOB_UID_LABEL, type KueueVersion, type QueuedJob, type Workload } from './kueue-types.ts';
import { isWorkloadOf, type WorkloadFacts, workloadFacts } from './workload-facts.ts';

export type WithdrawVerdict =
  /** Claim it for the broker, under the precondition of this very state of the Job. */
  | { readonly kind: 'claim'; readonly text: string }
  /** It can never start any more. */
  | { readonly kind: 'withdrawn' }
  /** A start was claimed: what is bound or runs stays; unbound pods may still be taken back one by one, as without Kueue. */
  | { readonly kind: 'lost' }
  | { readonly kind: 'foreign' }
  | { readonly kind: 'gone' };

/**
 * Whether a queued Job can still be taken back. The claim alone decides: whether Kueue has admitted the Workload says nothing
 * certain, because its scheduler writes an admission that it has decided without looking at the Workload again (the patch carries
 * no resourceVersion): of 68 Workloads deactivated under that precondition while they had no quota, 6 were started all the same.
 */
export function decideWithdraw(job: QueuedJob | null, jobUid: string): WithdrawVerdict {
  if (!job) return { kind: 'gone' };
  if (job.metadata.uid !== jobUid || jobUid === '') return { kind: 'foreign' };
  const claim = startClaimOf(job);
  if (claim.kind === 'never') return { kind: 'withdrawn' };
  if (claim.kind === 'started') return { kind: 'lost' };
  return isFinished(job.status) ? { kind: 'lost' } : { kind: 'claim', text: startClaimText({ kind: 'never' }) };
}

export type DeactivateVerdict =
  | { readonly kind: 'deactivate'; readonly resourceVersion: string; readonly uid: string }
  | { readonly kind: 'done' }
  | { readonly kind: 'foreign' };

/** Whether a Workload of a Job that will never start (again) still asks for quota. */
export function decideDeactivate(workload: WorkloadFacts, jobUid: string): DeactivateVerdict {
  if (!isWorkloadOf(workload, jobUid)) return { kind: 'foreign' };
  if (!workload.active || workload.finished || workload.deleting) return { kind: 'done' };
  return { kind: 'deactivate', resourceVersion: workload.resourceVersion, uid: workload.uid };
}

export type Withdrawal = Exclude<WithdrawVerdict, { kind: 'claim' }> | { readonly kind: 'busy' };

const TRIES = 8;

/** Takes the claim of a queued Job for the broker, then gives its place in the queue and its quota back. May be repeated. */
export async function withdrawWorkload(client: JobClient, version: KueueVersion, name: JobName): Promise<Withdrawal> {
  let job = await getJob(client, name);
  for (let tries = 0; tries < TRIES; tries++) {
    const verdict = decideWithdraw(job, name.uid);
    if (verdict.kind === 'withdrawn') await deactivateWorkloads(client, version, name);
    if (verdict.kind !== 'claim' || !job) return verdict as Withdrawal;
    job = (await claimOnJob(client, name, job, verdict.text)) ?? (await getJob(client, name));
  }
  return { kind: 'busy' };
}

/**
 * Deactivates the Workloads of a Job whose claim is taken: nothing of it may start again. Kueue makes the Workload some time after
 * the Job and may be busy with it, so this is called again with every Workload of such a Job that is seen active.
 *
 * @returns how many Workloads still ask for quota: 0 when it is done
 */
export async function deactivateWorkloads(client: JobClient, version: KueueVersion, name: JobName): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const verdicts = (await workloadsOf(client, version, name)).map((facts) => ({
      facts,
      verdict: decideDeactivate(facts, name.uid),
    }));
    const left = verdicts.filter(({ verdict }) => verdict.kind === 'deactivate');
    if (left.length === 0) return 0;
    const done = await Promise.all(left.map(({ facts }) => deactivate(client, version, facts)));
    if (done.every(Boolean)) return 0;
  }
  return (await workloadsOf(client, version, name)).filter((facts) => facts.active).length;
}

async function workloadsOf(client: JobClient, version: KueueVersion, name: JobName): Promise<WorkloadFacts[]> {
  const { items = [] } = await client.request<{ items?: readonly Workload[] }>({
    verb: 'GET',
    path: kueuePath(version, 'workloads', name.namespace),
    query: { labelSelector: `${JOB_UID_LABEL}=${name.uid}` },
  });
  return items.map(workloadFacts).filter((facts) => facts !== null);
}

/** False when the Workload has changed since it was seen. */
async function deactivate(client: JobClient, version: KueueVersion, facts: WorkloadFacts): Promise<boolean> {
  try {
    await client.request({
      verb: 'PATCH',
      path: kueuePath(version, 'workloads', facts.namespace, facts.name),
      contentType: 'application/merge-patch+json',
      body: { metadata: { uid: facts.uid, resourceVersion: facts.resourceVersion }, spec: { active: false } },
    });
    return true;
  } catch (error) {
    const { kind } = error as { kind?: string };
    if (kind === 'not_found') return true;
    if (kind === 'conflict') return false;
    throw error;
  }
}
