import { randomBytes, randomUUID } from 'node:crypto';
import type { Placement, Plan } from '@switchyard/core/placement/snapshot.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { rangeSet } from '@switchyard/core/spec/range-set.ts';
import { acceptJobs, type JobToAccept } from '../accept-jobs.ts';
import { addCluster } from '../add-cluster.ts';
import { applyInventory, type InventoryRun } from '../apply-inventory.ts';
import { applyObservations, type RunObservation } from '../apply-observations.ts';
import { clusterHello, type Hello } from '../cluster-hello.ts';
import { commitPlan, type PlanCommit } from '../commit-plan.ts';
import type { Database } from '../database.ts';
import { takeLeaderLease } from '../leader-lease.ts';
import type { Session } from '../session.ts';
import { jobToAccept } from './job-to-accept.ts';

/** Clusters, a leader and jobs in a test's database, moved by hand. */
export function smallWorld(db: Database) {
  const tokens = new Map<string, Buffer>();
  let counter = 0;

  const hello = async (cluster: string, change: Partial<Hello> = {}) => {
    if (!tokens.has(cluster)) {
      tokens.set(cluster, randomBytes(32));
      await addCluster(db, { name: cluster, tokenHash: tokens.get(cluster)!, actor: 'test' });
    }
    const words: Hello = {
      ...{ cluster, kind: 'slurm', fingerprint: `slurm:${cluster}`, agentVersion: '0', highestPlacementNumber: 0 },
      ...{ filesystems: [], labels: {}, backlog: 200, allowedNativeOptions: [] },
      ...change,
    };
    return clusterHello(db, { tokenHash: tokens.get(cluster)!, hello: words, holder: 'test' });
  };

  return {
    hello,
    /** A session whose inventory is reconciled. */
    async session(cluster: string, change: Partial<Hello> = {}, runs: InventoryRun[] = []): Promise<Session> {
      const answer = await hello(cluster, change);
      if (!answer.ok) throw new Error(answer.sentence);
      const session = { cluster, sessionEpoch: answer.sessionEpoch };
      await applyInventory(db, session, { runs, last: true });
      return session;
    },
    async submit(input: Partial<JobSpecInput> = {}, change: Partial<JobToAccept> = {}): Promise<string> {
      const job = jobToAccept(input, change);
      await acceptJobs(db, [job]);
      return job.id;
    },
    async lead(holder = 'test'): Promise<number> {
      const lease = await takeLeaderLease(db, holder, 60_000);
      if (lease === null) throw new Error('another one leads');
      return lease.epoch;
    },
    commit(epoch: number, ...placements: readonly Placement[]): Promise<PlanCommit | null> {
      return commitPlan(db, planOf(placements), { epoch, newRunId: randomUUID });
    },
    observe(session: Session, ...observations: readonly RunObservation[]) {
      counter += 1;
      return applyObservations(db, session, counter, observations);
    },
  };
}

export type SmallWorld = ReturnType<typeof smallWorld>;

export function planOf(placements: readonly Placement[]): Plan {
  return { placements, waits: [], dead: [] };
}

export function placement(jobId: string, cluster: string, tasks = '0'): Placement {
  return { jobId, cluster, pool: '', tasks: rangeSet(tasks), scores: [], refusals: [] };
}

export function observation(runId: string, change: Partial<RunObservation> = {}): RunObservation {
  return {
    ...{ runId, placementNumber: 0, placed: true, started: '', startedAtMs: 0, ends: [], nativePool: '' },
    ...{
      nativeId: '1',
      nativeSubmittedAtMs: 0,
      nativeState: 'PENDING',
      nativeReason: '',
      stdoutPath: '',
      stderrPath: '',
    },
    ...change,
  };
}
