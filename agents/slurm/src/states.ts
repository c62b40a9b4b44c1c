import type { NativeEnd, NativePhase } from '@switchyard/agent-runtime/native-queue.ts';

type Meaning = { readonly phase: NativePhase; readonly end: NativeEnd | null };

const waiting: Meaning = { phase: 'waiting', end: null };
const running: Meaning = { phase: 'running', end: null };
const ended = (end: NativeEnd): Meaning => ({ phase: 'ended', end });

/**
 * JOB STATE CODES of squeue(1), 20.11 to 26.05: base states and the flags that squeue shows in their place, both by long
 * and short name. A state that is not here is kept as `unknown` with its text.
 */
const STATES: Readonly<Record<string, Meaning>> = {
  BOOT_FAIL: ended('launch_failed'),
  BF: ended('launch_failed'),
  CANCELLED: ended('cancelled'),
  CA: ended('cancelled'),
  COMPLETED: ended('completed'),
  CD: ended('completed'),
  // Nodes are allocated and may still boot: nothing has started.
  CONFIGURING: waiting,
  CF: waiting,
  // The payload is over but the job's end is not decided yet.
  COMPLETING: running,
  CG: running,
  DEADLINE: ended('deadline'),
  DL: ended('deadline'),
  EXPEDITING: waiting,
  FAILED: ended('failed'),
  F: ended('failed'),
  NODE_FAIL: ended('node_fail'),
  NF: ended('node_fail'),
  OUT_OF_MEMORY: ended('out_of_memory'),
  OOM: ended('out_of_memory'),
  PENDING: waiting,
  PD: waiting,
  POWER_UP_NODE: waiting,
  PREEMPTED: ended('preempted'),
  PR: ended('preempted'),
  RUNNING: running,
  R: running,
  RESV_DEL_HOLD: waiting,
  RD: waiting,
  REQUEUE_FED: waiting,
  RF: waiting,
  REQUEUE_HOLD: waiting,
  RH: waiting,
  REQUEUED: waiting,
  RQ: waiting,
  RESIZING: running,
  RS: running,
  // Another cluster of the federation started the job: this copy never will.
  REVOKED: ended('cancelled_by_system'),
  RV: ended('cancelled_by_system'),
  SIGNALING: running,
  SI: running,
  SPECIAL_EXIT: waiting,
  SE: waiting,
  STAGE_OUT: running,
  SO: running,
  STOPPED: running,
  ST: running,
  SUSPENDED: running,
  S: running,
  TIMEOUT: ended('timeout'),
  TO: ended('timeout'),
  UPDATE_DB: running,
};

/** What a state means; sacct adds who cancelled: `CANCELLED by 1000`. */
export function stateMeaning(state: string): Meaning {
  const [word = '', by, uid] = state.trim().replace(/\+$/, '').split(/\s+/);
  const meaning = Object.hasOwn(STATES, word) ? STATES[word]! : { phase: 'unknown' as const, end: null };
  return meaning.end === 'cancelled' && by === 'by' && uid === '0' ? ended('cancelled_by_system') : meaning;
}

/**
 * The same for a line of squeue, which does not say who cancelled. A cancelled job that had been given nodes was either
 * running or failed its launch (a prolog that fails under --no-requeue ends so; tried): the claim tells which, and without
 * one the cluster cancelled it. Reason `Prolog` remains only when somebody cancelled while the prolog ran (tried).
 */
export function listedStateMeaning(job: {
  readonly state: string;
  readonly reason: string;
  readonly host: string;
}): Meaning {
  const meaning = stateMeaning(job.state);
  const launchFailed = meaning.end === 'cancelled' && job.host !== '' && job.reason !== 'Prolog';
  return launchFailed ? ended('cancelled_by_system') : meaning;
}
