import type { WaitingJob } from '@switchyard/core/placement/snapshot.ts';
import type { Database } from './database.ts';
import { inTransaction, statement } from './in-transaction.ts';
import { isStillLeader } from './leader-lease.ts';
import { lockJobs } from './locked-jobs.ts';
import { fromMultirange } from './multirange.ts';
import { notify } from './notify.ts';
import { type WaitingRow, waitingJob, waitingJobColumns } from './waiting-jobs.ts';

/** A run that waits in a cluster's own queue: placed there, nothing started, nothing else asked of it. */
export type WaitingRun = {
  readonly runId: string;
  readonly cluster: string;
  readonly placedAtMs: number;
  /** Its job, as if only the tasks of this run were queued. */
  readonly job: WaitingJob;
};

/** Runs that have waited longest in a cluster's own queue, at least so long. */
export async function waitingRuns(
  db: Database,
  { olderThanMs, limit }: { olderThanMs: number; limit: number },
): Promise<WaitingRun[]> {
  const { rows } = await statement<WaitingRow & RunRow>(
    db.system,
    `SELECT ${waitingJobColumns}, r.id AS run_id, r.cluster, r.placed_at, r.tasks AS run_tasks
     FROM runs r JOIN jobs j ON j.id = r.job_id
     WHERE r.forgotten_at IS NULL AND r.state = 'placed' AND r.wanted IS NULL AND r.ended_tasks = '{}'
       AND r.placed_at <= now() - $1 * interval '1 ms'
     ORDER BY r.placed_at, r.id LIMIT $2`,
    [olderThanMs, limit],
  );
  return rows.map((row) => ({
    runId: row.run_id,
    cluster: row.cluster,
    placedAtMs: row.placed_at.getTime(),
    job: { ...waitingJob(row, 'met'), queued: fromMultirange(row.run_tasks), notBeforeMs: null, maxRunning: null },
  }));
}

type RunRow = { run_id: string; cluster: string; placed_at: Date; run_tasks: string };

/** Asks to take these runs back; those that started meanwhile stay. Gives how many were asked. Null: not the leader. */
export function wantWithdrawn(
  db: Database,
  leader: { epoch: number },
  runIds: readonly string[],
  why: string,
): Promise<number | null> {
  return inTransaction(db.system, async (client) => {
    if (!(await isStillLeader(client, leader.epoch))) return null;
    const jobs = await lockJobs(client, { runIds });
    const { rows } = await client.query<{ cluster: string }>(
      `UPDATE runs SET wanted = 'withdraw', wanted_at = now(), wanted_reason = $2
       WHERE id = ANY($1::uuid[]) AND job_id = ANY($3::uuid[]) AND state IN ('offered', 'placed') AND wanted IS NULL
         AND (SELECT paused_reason IS NULL FROM federation)
       RETURNING cluster`,
      [runIds, why, [...jobs.keys()]],
    );
    await notify(client, ...rows.map((row) => ({ t: 'runs' as const, c: row.cluster })));
    return rows.length;
  });
}
