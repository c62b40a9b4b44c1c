import { canonicalJson } from '@switchyard/core/spec/canonical-json.ts';
import { formatRangeSet } from '@switchyard/core/spec/range-set.ts';
import type { Database, Queryable } from './database.ts';
import { holdSession } from './hold-session.ts';
import { inTransaction } from './in-transaction.ts';
import { fromMultirange } from './multirange.ts';
import type { Session } from './session.ts';

export type PendingOffer = {
  readonly runId: string;
  readonly placementNumber: number;
  readonly jobId: string;
  readonly jobNumber: number;
  readonly attempt: number;
  readonly tasks: string;
  readonly specJson: string;
  readonly specHash: string;
  readonly pool: string;
  /** The agent may look for it and report, never submit. */
  readonly observedBefore: boolean;
  readonly groupPath: string;
  readonly owner: string;
};

export type PendingLogRead = {
  readonly readId: string;
  readonly runId: string;
  readonly task: number;
  readonly rank: number;
  readonly stream: 'stdout' | 'stderr';
  readonly offset: number;
  readonly limitBytes: number;
  readonly waitMs: number;
};

export type PendingMessages = {
  readonly offers: readonly PendingOffer[];
  readonly withdraws: readonly string[];
  readonly cancels: readonly string[];
  readonly forgets: readonly string[];
  /** Each is given once per session. */
  readonly logReads: readonly PendingLogRead[];
  /** Empty while the federation is paused. */
  readonly cancelStrays: readonly { readonly nativeId: string; readonly runId: string }[];
  /** The highest of the federation, for PlacementNumber. */
  readonly placementNumber: number;
  readonly pausedReason: string | null;
  /** The federation was paused after this session's hello: only a new session brings the inventory that is needed now. */
  readonly mustReconnect: boolean;
};

export type MessageLimits = {
  /** Unanswered at the same time. */
  readonly offers?: number;
  readonly others?: number;
  /** Runs whose offer went out lately: they count as unanswered, and their specs, which may be megabytes, are not read again. */
  readonly exceptOffers?: readonly string[];
};

/** Everything that the runs of a cluster need from its agent now; the same again until they have moved. Null: fenced. */
export function pendingMessages(
  db: Database,
  session: Session,
  { offers = 64, others = 500, exceptOffers = [] }: MessageLimits = {},
): Promise<PendingMessages | null> {
  return inTransaction(db.system, async (client) => {
    const held = await holdSession(client, session);
    if (held === null) return null;
    const isPaused = held.pausedReason !== null;
    const wanted = await wantedRuns(client, session, others);
    const ids = (kind: WantedRow['kind']) => wanted.filter((row) => row.kind === kind).map((row) => row.id);
    return {
      // Before the inventory is complete nobody knows which offers the agent has answered already.
      offers: held.isSettled ? await unansweredOffers(client, session, offers, exceptOffers) : [],
      withdraws: held.isSettled ? ids('withdraw') : [],
      cancels: ids('cancel'),
      forgets: ids('forget'),
      logReads: await logReads(client, session, held.helloAtMs),
      cancelStrays: held.isSettled ? await straysToCancel(client, session, held.helloAtMs, others) : [],
      placementNumber: held.placementNumber,
      pausedReason: held.pausedReason,
      mustReconnect: isPaused && held.reconciledAtMs === null && held.helloAtMs < (held.pausedAtMs ?? 0),
    };
  });
}

type WantedRow = { id: string; kind: 'withdraw' | 'cancel' | 'forget' };

/**
 * The first so many of each kind: cancels that take their time do not keep the rest. A run that its agent has never spoken of is offered
 * first, whatever is wanted of it: an agent that does not know a run cannot tell one that never came from one that it lost.
 */
async function wantedRuns(client: Queryable, { cluster }: Session, limit: number): Promise<WantedRow[]> {
  const { rows } = await client.query<WantedRow>({
    name: 'wanted-runs',
    text: `(SELECT id, wanted AS kind FROM runs
        WHERE cluster = $1 AND forgotten_at IS NULL AND wanted = 'withdraw' AND observed_epoch > 0 ORDER BY placement_number LIMIT $2)
      UNION ALL (SELECT id, wanted FROM runs
        WHERE cluster = $1 AND forgotten_at IS NULL AND wanted = 'cancel' AND observed_epoch > 0 ORDER BY placement_number LIMIT $2)
      UNION ALL (SELECT id, 'forget' FROM runs
        WHERE cluster = $1 AND forgotten_at IS NULL AND wanted IS NULL AND state = 'ended' ORDER BY placement_number LIMIT $2)`,
    values: [cluster, limit],
  });
  return rows;
}

/**
 * Open runs that this session's agent has said nothing of: new ones, and those that its inventory did not hold. Of those that it has spoken
 * of and that are to be withdrawn or cancelled only what it lost: without the order it could neither follow nor end them.
 */
async function unansweredOffers(
  client: Queryable,
  session: Session,
  limit: number,
  except: readonly string[],
): Promise<PendingOffer[]> {
  const { rows } = await client.query<OfferRow>({
    name: 'unanswered-offers',
    text: `SELECT r.id, r.placement_number, r.job_id, j.number, r.attempt, r.tasks, j.spec, j.spec_hash, r.pool, r.observed_epoch, r.group_path, j.owner
      FROM (
        SELECT * FROM runs
        WHERE cluster = $1 AND forgotten_at IS NULL AND state <> 'ended' AND CASE WHEN wanted IS NULL OR observed_epoch = 0 THEN observed_epoch < $2
          ELSE observed_epoch > 0 AND (observed_epoch < $2 OR (state = 'offered' AND native_id IS NULL)) END
        ORDER BY placement_number LIMIT $3
      ) r JOIN jobs j ON j.id = r.job_id
      WHERE r.id <> ALL($4::uuid[]) ORDER BY r.placement_number`,
    values: [session.cluster, session.sessionEpoch, limit, except],
  });
  return rows.map((row) => ({
    runId: row.id,
    placementNumber: row.placement_number,
    jobId: row.job_id,
    jobNumber: row.number,
    attempt: row.attempt,
    tasks: formatRangeSet(fromMultirange(row.tasks)),
    // jsonb keeps the value, not the bytes; the canonical form brings the very bytes back that were hashed.
    specJson: canonicalJson(row.spec),
    specHash: row.spec_hash,
    pool: row.pool,
    observedBefore: row.observed_epoch > 0,
    groupPath: row.group_path,
    owner: row.owner,
  }));
}

type OfferRow = {
  id: string;
  placement_number: number;
  job_id: string;
  number: number;
  attempt: number;
  tasks: string;
  spec: unknown;
  spec_hash: string;
  pool: string;
  observed_epoch: number;
  group_path: string;
  owner: string;
};

async function logReads(client: Queryable, { cluster }: Session, helloAtMs: number): Promise<PendingLogRead[]> {
  const { rows } = await client.query<LogReadRow>({
    name: 'pending-log-reads',
    text: `UPDATE log_reads SET sent_at = now() WHERE cluster = $1 AND wanted_until > now() AND (sent_at IS NULL OR sent_at < $2)
      RETURNING id, run_id, task, rank, stream, byte_offset, byte_limit, wait_ms`,
    values: [cluster, new Date(helloAtMs)],
  });
  return rows.map((row) => ({
    readId: row.id,
    runId: row.run_id,
    task: row.task,
    rank: row.rank,
    stream: row.stream,
    offset: row.byte_offset,
    limitBytes: row.byte_limit,
    waitMs: row.wait_ms,
  }));
}

type LogReadRow = {
  id: string;
  run_id: string;
  task: number;
  rank: number;
  stream: 'stdout' | 'stderr';
  byte_offset: number;
  byte_limit: number;
  wait_ms: number;
};

/** What the agent has seen within this session and the last minute; what is gone it does not report any more. */
async function straysToCancel(client: Queryable, { cluster }: Session, helloAtMs: number, limit: number) {
  const { rows } = await client.query<{ nativeId: string; runId: string }>({
    name: 'strays-to-cancel',
    text: `SELECT native_id AS "nativeId", run_id AS "runId" FROM strays
      WHERE cluster = $1 AND verdict = 'cancel' AND last_seen_at > $2 AND last_seen_at > now() - interval '60 s'
      ORDER BY native_id LIMIT $3`,
    values: [cluster, new Date(helloAtMs), limit],
  });
  return rows;
}
