import { type RunObservation, settleAll } from './apply-observations.ts';
import type { Database, Queryable } from './database.ts';
import { holdSession } from './hold-session.ts';
import { inTransaction } from './in-transaction.ts';
import { lockJobs } from './locked-jobs.ts';
import { notify } from './notify.ts';
import { rollForward } from './roll-forward.ts';
import type { Session } from './session.ts';

export type InventoryRun = {
  readonly observation: RunObservation;
  readonly jobId: string;
  readonly jobNumber: number;
  readonly attempt: number;
  /** Range set in text form. */
  readonly tasks: string;
  readonly specHash: string;
  /** From the agent's daily log of forgotten runs. */
  readonly forgotten: boolean;
};

export type InventoryApplied = {
  readonly accepted: readonly string[];
  /** Runs that only the agent knew and that were rolled forward. */
  readonly rolledForward: readonly string[];
  /** Runs of jobs that nobody knows: shown as strays, never cancelled. */
  readonly unknown: readonly string[];
};

/** Reconciles one part of an agent's inventory; the last part marks the cluster as reconciled. Null: fenced. */
export function applyInventory(
  db: Database,
  session: Session,
  { runs, last }: { runs: readonly InventoryRun[]; last: boolean },
): Promise<InventoryApplied | null> {
  return inTransaction(db.system, async (client) => {
    const held = await holdSession(client, session, last ? 'to change' : 'to share');
    if (held === null) return null;
    const observations = runs.map((run) => run.observation);
    const runIds = observations.map((observation) => observation.runId);
    const jobs = await lockJobs(client, { runIds, jobIds: runs.map((run) => run.jobId) });
    const rolledForward = await rollForward(client, session.cluster, jobs, runs);
    const observed = { epoch: session.sessionEpoch, counter: 0, nowMs: held.nowMs };
    const { accepted, unknown } = await settleAll(client, session.cluster, jobs, observations, observed);
    await markKnownForgotten(client, session.cluster, runs);
    await showStrays(client, session.cluster, runs, unknown);
    if (last) await markReconciled(client, session);
    return { accepted, rolledForward, unknown };
  });
}

/** What the agent has forgotten it need not be asked to forget again. */
async function markKnownForgotten(client: Queryable, cluster: string, runs: readonly InventoryRun[]): Promise<void> {
  const ids = runs.filter((run) => run.forgotten).map((run) => run.observation.runId);
  if (ids.length === 0) return;
  await client.query(
    `UPDATE runs SET forgotten_at = now() WHERE id = ANY($1::uuid[]) AND cluster = $2 AND state = 'ended' AND forgotten_at IS NULL`,
    [ids, cluster],
  );
}

/** What nobody knows is shown to people and never cancelled: it may be the only trace of an acknowledged job. */
async function showStrays(
  client: Queryable,
  cluster: string,
  runs: readonly InventoryRun[],
  unknown: readonly string[],
): Promise<void> {
  const strays = runs.filter((run) => !run.forgotten && unknown.includes(run.observation.runId));
  if (strays.length === 0) return;
  await client.query(
    `INSERT INTO strays (cluster, native_id, run_id, native_state, verdict)
     SELECT $1, s.native_id, s.run_id, s.native_state, 'show' FROM unnest($2::text[], $3::text[], $4::text[]) AS s (native_id, run_id, native_state)
     ON CONFLICT (cluster, native_id, run_id) DO UPDATE SET native_state = excluded.native_state, last_seen_at = now()`,
    [
      cluster,
      strays.map(({ observation }) => observation.nativeId),
      strays.map(({ observation }) => observation.runId),
      strays.map(({ observation }) => observation.nativeState),
    ],
  );
}

/** The agent has named all it knows. A run that was given up and that it does not know is not alive there either. */
async function markReconciled(client: Queryable, { cluster, sessionEpoch }: Session): Promise<void> {
  await client.query(
    `UPDATE runs SET wanted = NULL
     WHERE cluster = $1 AND forgotten_at IS NULL AND state = 'ended' AND wanted IS NOT NULL AND observed_epoch < $2`,
    [cluster, sessionEpoch],
  );
  await client.query('UPDATE clusters SET reconciled_at = clock_timestamp(), last_seen_at = now() WHERE name = $1', [
    cluster,
  ]);
  await notify(client, { t: 'runs', c: cluster }, { t: 'jobs' });
}
