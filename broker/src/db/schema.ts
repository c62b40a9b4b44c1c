import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  customType,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';

/**
 * The tables, for drizzle-kit alone: `migrations/` comes from here and is reviewed by hand (roles, row-level security,
 * partitions and UNLOGGED stand only there). Nothing imports this file at run time; queries are plain SQL.
 */

const multirange = customType<{ data: string }>({ dataType: () => 'int4multirange' });
const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });
const at = (name: string) => timestamp(name, { withTimezone: true });
const none = sql`'{}'`;

/** One row: what all replicas and agents must agree on, and the lease of the leader. */
export const federation = pgTable(
  'federation',
  {
    id: integer('id').primaryKey().default(1),
    code: text('code').notNull(),
    placementNumber: bigint('placement_number', { mode: 'number' }).notNull().default(0),
    /** Not null: placement, withdrawal and the cancelling of strays stand still until every cluster is reconciled. */
    pausedReason: text('paused_reason'),
    pausedAt: at('paused_at'),
  },
  (table) => [check('federation_one_row', sql`${table.id} = 1`)],
);

export const leaderLease = pgTable(
  'leader_lease',
  {
    id: integer('id').primaryKey().default(1),
    epoch: bigint('epoch', { mode: 'number' }).notNull().default(0),
    holder: text('holder'),
    expiresAt: at('expires_at'),
  },
  (table) => [check('leader_lease_one_row', sql`${table.id} = 1`)],
);

export const clusters = pgTable('clusters', {
  name: text('name').primaryKey(),
  kind: text('kind'),
  fingerprint: text('fingerprint').unique('clusters_fingerprint_key'),
  tokenHash: bytea('token_hash').notNull().unique('clusters_token_hash_key'),
  /** active, cordoned, draining */
  admission: text('admission').notNull().default('active'),
  labels: jsonb('labels').notNull().default({}),
  filesystems: jsonb('filesystems').notNull().default([]),
  allowedNativeOptions: jsonb('allowed_native_options').notNull().default([]),
  backlog: integer('backlog').notNull().default(200),
  agentVersion: text('agent_version'),
  sessionEpoch: bigint('session_epoch', { mode: 'number' }).notNull().default(0),
  /** Replica that holds the live session; null when there is none. */
  sessionHolder: text('session_holder'),
  helloAt: at('hello_at'),
  lastSeenAt: at('last_seen_at'),
  /** When the inventory of the current session was reconciled. */
  reconciledAt: at('reconciled_at'),
  highestPlacement: bigint('highest_placement', { mode: 'number' }).notNull().default(0),
  breakerUntil: at('breaker_until'),
  breakerReason: text('breaker_reason'),
  createdAt: at('created_at').notNull().defaultNow(),
});

/** Tasks ever placed on each cluster, for round-robin; apart from `clusters`, whose rows the agents' sessions hold. */
export const placementCounts = pgTable('placement_counts', {
  cluster: text('cluster')
    .primaryKey()
    .references(() => clusters.name, { onDelete: 'cascade' }),
  tasks: bigint('tasks', { mode: 'number' }).notNull(),
});

/** The latest report of each cluster. */
export const capacityReports = pgTable('capacity_reports', {
  cluster: text('cluster')
    .primaryKey()
    .references(() => clusters.name, { onDelete: 'cascade' }),
  reportedAt: at('reported_at').notNull(),
  report: jsonb('report').notNull(),
});

export const jobs = pgTable(
  'jobs',
  {
    id: uuid('id').primaryKey(),
    number: bigint('number', { mode: 'number' }).generatedAlwaysAsIdentity().unique('jobs_number_key'),
    groupPath: text('group_path').notNull(),
    owner: text('owner').notNull(),
    name: text('name').notNull(),
    spec: jsonb('spec').notNull(),
    specHash: text('spec_hash').notNull(),
    priority: integer('priority').notNull(),
    /** Cached jobState(job, runs), written by the statement that changed a run. */
    state: text('state').notNull(),
    reason: text('reason'),
    exitCode: integer('exit_code'),
    signal: text('signal'),
    detail: text('detail'),
    taskCount: integer('task_count').notNull(),
    /** An array even with one index; its runs are native arrays. */
    isArray: boolean('is_array').notNull(),
    labels: jsonb('labels').notNull().default({}),
    maxRunning: integer('max_running'),
    tasks: multirange('tasks').notNull(),
    /** Tasks without a run and without an end. Out = tasks − queued − succeeded − failed − cancelled. */
    queued: multirange('queued').notNull(),
    succeeded: multirange('succeeded').notNull().default(none),
    failed: multirange('failed').notNull().default(none),
    cancelled: multirange('cancelled').notNull().default(none),
    held: boolean('held').notNull().default(false),
    cancelRequestedAt: at('cancel_requested_at'),
    cancelReason: text('cancel_reason'),
    notBefore: at('not_before'),
    attempts: integer('attempts').notNull().default(0),
    refusals: integer('refusals').notNull().default(0),
    avoidClusters: jsonb('avoid_clusters').notNull().default([]),
    eventCount: integer('event_count').notNull().default(0),
    createdAt: at('created_at').notNull().defaultNow(),
    stateSince: at('state_since').notNull().defaultNow(),
    startedAt: at('started_at'),
    endedAt: at('ended_at'),
  },
  (table) => [
    index('jobs_waiting')
      .on(sql`priority DESC`, table.number)
      .where(sql`state IN ('queued', 'placing', 'placed', 'running') AND queued <> '{}'`),
    index('jobs_by_group').on(table.groupPath, sql`number DESC`),
    index('jobs_by_group_and_state').on(table.groupPath, table.state, sql`number DESC`),
    index('jobs_by_state').on(table.state, sql`number DESC`),
  ],
);

/**
 * The labels once more, to find jobs by: under row-level security a search in jsonb cannot use an index, for its operators are not
 * leakproof (manual, "Rules and Privileges").
 */
export const jobLabels = pgTable(
  'job_labels',
  {
    key: text('key').notNull(),
    value: text('value').notNull(),
    number: bigint('number', { mode: 'number' }).notNull(),
    groupPath: text('group_path').notNull(),
  },
  (table) => [primaryKey({ name: 'job_labels_pkey', columns: [table.key, table.value, table.number] })],
);

export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    principal: text('principal').notNull(),
    key: text('key').notNull(),
    bodyHash: text('body_hash').notNull(),
    jobId: uuid('job_id').notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ name: 'idempotency_keys_pkey', columns: [table.principal, table.key] })],
);

export const runs = pgTable(
  'runs',
  {
    id: uuid('id').primaryKey(),
    jobId: uuid('job_id')
      .notNull()
      .references(() => jobs.id),
    groupPath: text('group_path').notNull(),
    cluster: text('cluster')
      .notNull()
      .references(() => clusters.name),
    pool: text('pool').notNull().default(''),
    attempt: integer('attempt').notNull(),
    placementNumber: bigint('placement_number', { mode: 'number' }).notNull().unique('runs_placement_number_key'),
    tasks: multirange('tasks').notNull(),
    state: text('state').notNull().default('offered'),
    /** Of the whole run once ended: the worst of its tasks. */
    outcome: text('outcome'),
    reason: text('reason'),
    /** withdraw or cancel: the message the agent's session repeats until the run has moved. */
    wanted: text('wanted'),
    wantedAt: at('wanted_at'),
    wantedReason: text('wanted_reason'),
    nativeId: text('native_id'),
    nativeSubmittedAt: at('native_submitted_at'),
    nativeState: text('native_state'),
    nativeReason: text('native_reason'),
    started: multirange('started').notNull().default(none),
    endedTasks: multirange('ended_tasks').notNull().default(none),
    /** TaskEnd[] of core/lifecycle. */
    ends: jsonb('ends').notNull().default([]),
    stdoutPath: text('stdout_path'),
    stderrPath: text('stderr_path'),
    observedEpoch: bigint('observed_epoch', { mode: 'number' }).notNull().default(0),
    observedCounter: bigint('observed_counter', { mode: 'number' }).notNull().default(0),
    /** What one task takes: {cpus, memoryMiB, gpus}. */
    size: jsonb('size').notNull().default({}),
    /** Digest of the snapshot, scores and refusals of the placement. */
    explanation: jsonb('explanation').notNull().default({}),
    offeredAt: at('offered_at').notNull().defaultNow(),
    placedAt: at('placed_at'),
    startedAt: at('started_at'),
    endedAt: at('ended_at'),
    /** By our clock, when the end arrived here; ended_at is the cluster's own time. */
    recordedEndAt: at('recorded_end_at'),
    /** When the agent answered Forget. */
    forgottenAt: at('forgotten_at'),
  },
  (table) => [
    index('runs_by_job').on(table.jobId, table.placementNumber),
    index('runs_open').on(table.cluster, table.placementNumber).where(sql`forgotten_at IS NULL`),
    index('runs_wanted').on(table.cluster, table.placementNumber).where(sql`wanted IS NOT NULL`),
    index('runs_by_end').on(table.recordedEndAt).where(sql`recorded_end_at IS NOT NULL`),
  ],
);

/** Partitioned by month in the migration; numbered per job under the job's row lock. */
export const events = pgTable(
  'events',
  {
    jobId: uuid('job_id').notNull(),
    sequence: integer('sequence').notNull(),
    at: at('at').notNull().defaultNow(),
    groupPath: text('group_path').notNull(),
    kind: text('kind').notNull(),
    data: jsonb('data').notNull().default({}),
  },
  (table) => [primaryKey({ name: 'events_pkey', columns: [table.jobId, table.sequence, table.at] })],
);

export const tokens = pgTable('tokens', {
  id: uuid('id').primaryKey(),
  hash: bytea('hash').notNull().unique('tokens_hash_key'),
  name: text('name').notNull(),
  /** admin, operator, viewer, member */
  role: text('role').notNull(),
  groups: jsonb('groups').notNull().default([]),
  createdAt: at('created_at').notNull().defaultNow(),
  expiresAt: at('expires_at'),
  revokedAt: at('revoked_at'),
});

export const audit = pgTable(
  'audit',
  {
    id: uuid('id').notNull(),
    at: at('at').notNull().defaultNow(),
    actor: text('actor').notNull(),
    action: text('action').notNull(),
    subject: text('subject').notNull(),
    before: jsonb('before'),
    after: jsonb('after'),
    why: text('why'),
  },
  (table) => [primaryKey({ name: 'audit_pkey', columns: [table.id, table.at] })],
);

/** A read that some reader waits for; the session of the cluster answers it. */
export const logReads = pgTable('log_reads', {
  id: uuid('id').primaryKey(),
  cluster: text('cluster').notNull(),
  runId: uuid('run_id').notNull(),
  task: integer('task').notNull(),
  stream: text('stream').notNull(),
  byteOffset: bigint('byte_offset', { mode: 'number' }).notNull(),
  byteLimit: integer('byte_limit').notNull(),
  waitMs: integer('wait_ms').notNull(),
  rank: integer('rank').notNull().default(0),
  sentAt: at('sent_at'),
  wantedUntil: at('wanted_until').notNull(),
});

/** UNLOGGED in the migration; bounded by the reads that are wanted. */
export const logChunks = pgTable('log_chunks', {
  readId: uuid('read_id').primaryKey(),
  byteOffset: bigint('byte_offset', { mode: 'number' }).notNull(),
  data: bytea('data').notNull(),
  isEnd: boolean('is_end').notNull(),
  problem: text('problem').notNull().default(''),
  arrivedAt: at('arrived_at').notNull().defaultNow(),
});

/** The ends of outputs that went away with their runs; bounded for each run by the statement that writes them. */
export const logTails = pgTable(
  'log_tails',
  {
    runId: uuid('run_id')
      .notNull()
      .references(() => runs.id, { onDelete: 'cascade' }),
    task: integer('task').notNull(),
    rank: integer('rank').notNull(),
    byteOffset: bigint('byte_offset', { mode: 'number' }).notNull(),
    data: bytea('data').notNull(),
    storedAt: at('stored_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ name: 'log_tails_pkey', columns: [table.runId, table.task, table.rank] }),
    index('log_tails_by_age').on(table.storedAt),
    check('log_tails_bounded', sql`octet_length(${table.data}) <= 65536`),
  ],
);

export const strays = pgTable(
  'strays',
  {
    cluster: text('cluster').notNull(),
    nativeId: text('native_id').notNull(),
    runId: text('run_id').notNull(),
    nativeState: text('native_state').notNull(),
    nativeSubmittedAt: at('native_submitted_at'),
    /** show: nobody knows the run; cancel: the run ended or is claimed by another copy. */
    verdict: text('verdict').notNull(),
    firstSeenAt: at('first_seen_at').notNull().defaultNow(),
    lastSeenAt: at('last_seen_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ name: 'strays_pkey', columns: [table.cluster, table.nativeId, table.runId] })],
);
