import { requestOf } from '@switchyard/core/placement/resources.ts';
import { difference, formatRangeSet, intersection, parseRangeSet } from '@switchyard/core/spec/range-set.ts';
import type { InventoryRun } from './apply-inventory.ts';
import type { Queryable } from './database.ts';
import { insertRuns, type NewRun } from './insert-runs.ts';
import type { LockedJob } from './locked-jobs.ts';
import { newLockedRun } from './new-locked-run.ts';

/**
 * Writes down the runs that only the agent knows, of jobs that the database knows: it went back to before their placement. Reality wins:
 * their tasks are not queued any more. What became of them follows like any other observation. Gives their ids.
 */
export async function rollForward(
  client: Queryable,
  cluster: string,
  jobs: ReadonlyMap<string, LockedJob>,
  inventory: readonly InventoryRun[],
): Promise<string[]> {
  const known = new Set([...jobs.values()].flatMap((job) => [...job.runs.keys()]));
  const missing = inventory.filter((run) => !known.has(run.observation.runId) && jobs.has(run.jobId));
  if (missing.length === 0) return [];
  const elsewhere = await knownElsewhere(client, missing);
  const numbers = await freeNumbers(client, missing);
  const fresh = missing
    .filter((run) => !elsewhere.has(run.observation.runId))
    .map((run) => newRun(cluster, jobs.get(run.jobId)!, run, numbers.get(run.observation.runId)!))
    .filter((run) => run.tasks.length > 0);
  await insertRuns(client, fresh);
  for (const run of fresh) takeIn(jobs.get(run.jobId)!, run);
  return fresh.map((run) => run.id);
}

function takeIn(job: LockedJob, run: NewRun): void {
  const { id: runId, cluster, pool, attempt } = run;
  job.queued = difference(job.queued, run.tasks);
  job.runs.set(runId, newLockedRun(run));
  const tasks = formatRangeSet(run.tasks);
  job.newEvents.push({ kind: 'placing', data: { runId, cluster, pool, attempt, tasks, rolledForward: true } });
}

/** An id that belongs to another cluster or another job is a mistake: it is left alone. */
async function knownElsewhere(client: Queryable, missing: readonly InventoryRun[]): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ id: string }>('SELECT id FROM runs WHERE id = ANY($1::uuid[])', [
    missing.map((run) => run.observation.runId),
  ]);
  return new Set(rows.map((row) => row.id));
}

/** Keeps the agent's placement numbers where they are free: before anybody noticed, the restored database may have given one away again. */
async function freeNumbers(client: Queryable, missing: readonly InventoryRun[]): Promise<ReadonlyMap<string, number>> {
  const { rows } = await client.query<{ taken: number[]; lowest: number }>(
    `SELECT array(SELECT placement_number::float8 FROM runs WHERE placement_number = ANY($1::bigint[])) AS taken,
       coalesce(least(0, (SELECT min(placement_number) FROM runs)), 0)::float8 AS lowest`,
    [missing.map((run) => run.observation.placementNumber)],
  );
  const taken = new Set(rows[0]!.taken);
  let lowest = rows[0]!.lowest;
  const numbers = new Map<string, number>();
  for (const { observation } of missing) {
    const { placementNumber, runId } = observation;
    const isFree = placementNumber > 0 && !taken.has(placementNumber);
    // Below zero: placement never gives such a number.
    if (!isFree) lowest -= 1;
    const number = isFree ? placementNumber : lowest;
    taken.add(number);
    numbers.set(runId, number);
  }
  return numbers;
}

function newRun(cluster: string, job: LockedJob, run: InventoryRun, placementNumber: number): NewRun {
  const { cpus, memoryMiB, gpus } = requestOf(job);
  const tasks = parseRangeSet(run.tasks);
  return {
    ...{
      id: run.observation.runId,
      jobId: job.id,
      groupPath: job.groupPath,
      cluster,
      pool: run.observation.nativePool,
    },
    ...{ attempt: run.attempt, placementNumber, tasks: tasks.ok ? intersection(tasks.set, job.tasks) : [] },
    ...{ size: { cpus, memoryMiB, gpus }, explanation: { rolledForward: true } },
    wanted: job.cancelRequested ? 'cancel' : null,
  };
}
