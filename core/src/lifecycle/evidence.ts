import type { ClaimEnd, ClaimRecord } from './claim-record.ts';
import { signalName } from './signal-name.ts';
import type { TaskEnd } from './vocabulary.ts';

/** What the cluster says of one task's native job; structurally a NativeJob of agents/runtime. */
export type NativeEvidence = {
  readonly phase: 'waiting' | 'running' | 'ended' | 'unknown';
  readonly end:
    | 'completed'
    | 'failed'
    | 'out_of_memory'
    | 'timeout'
    | 'cancelled'
    | 'cancelled_by_system'
    | 'node_fail'
    | 'preempted'
    | 'launch_failed'
    | 'deadline'
    | null;
  readonly rawState: string;
  readonly rawReason: string;
  readonly exitCode: number | null;
  readonly signal: number | null;
  /** How often the cluster started it again; above the claim's, it speaks of a copy that lost the claim. */
  readonly restartCount?: number;
};

export type Evidence = {
  readonly claim: ClaimRecord | null;
  /** The native job that the claim names, or, without a claim, the one that was submitted; null: not in the last listing. */
  readonly native: NativeEvidence | null;
  readonly cancelWanted: 'cancel' | null;
  readonly neverSeen: {
    /** Trustworthy listings in a row, taken since the submission, that did not show the native job. */
    readonly listingsWithout: number;
    /** Seconds since the agent last saw the native job waiting or running; since the submission if it never did. */
    readonly secondsSince: number;
  };
  /** How long the record has said that the payload ended, while the cluster still shows the job. */
  readonly recordedForSeconds?: number;
};

export type Verdict =
  /** Nothing has ended. `started`: the payload may be running. */
  | { readonly kind: 'open'; readonly started: boolean }
  /** Gone without a claim: the agent takes the claim, and if it wins, `endWithoutStart` says how the task ended. */
  | { readonly kind: 'take_claim' }
  | { readonly kind: 'ended'; readonly end: End };

export type End = Omit<TaskEnd, 'tasks'>;

/** A slow file system shows a record late, and a payload outlives the NODE_FAIL of its node (both seen on real Slurm). */
export const UNKNOWN_END_SECONDS = 90;
export const UNKNOWN_END_LISTINGS = 2;
/** How long the record of an ended job may need to become visible before the cluster's own word is taken. */
export const RECORD_SECONDS = 10;

/** A controller that was killed may have lost the end of a job and show it running for ever: after this the record is believed. */
export const BELIEVED_RECORD_SECONDS = 30;

/** The wrapper's own exits: it lost the claim, or could not take it. They say nothing of the payload. */
export const LOST_CLAIM_EXIT = 113;
export const NO_CLAIM_EXIT = 114;

/**
 * How one task stands, from everything that is known (design section 5 "Evidence"), strongest first: who holds the claim;
 * native kill states; an OOM kill in the cgroup; the recorded exit or signal; the cluster's own word. A native state that
 * nobody knows ends nothing, no success is guessed, and silence is an end only after two listings and 90 seconds.
 */
export function judge(evidence: Evidence): Verdict {
  const { claim, native } = evidence;
  if (claim === null) return withoutClaim(evidence);
  if (claim.by === 'cancelled') return ended({ outcome: 'cancelled', reason: 'cancelled_by_user' });
  if (claim.by !== 'wrapper') return ended({ outcome: 'withdrawn' });
  const own = native !== null && (native.restartCount ?? 0) > claim.restartCount ? 'restarted' : native;
  const known = {
    startedAtMs: claim.startedAtMs ?? claim.claimedAtMs,
    endedAtMs: claim.end?.endedAtMs ?? null,
    peakMemoryBytes: claim.end?.peakMemoryBytes ?? null,
    host: claim.host,
  };
  const end = claim.end ? recordedEnd(claim.end, claim.signals, own, evidence) : unrecordedEnd(own, evidence);
  return end === null ? { kind: 'open', started: true } : ended({ ...end, ...present(known) });
}

/** How a task ended whose claim the agent itself won after the native job was gone: it never started and never will. */
export function endWithoutStart({ native, cancelWanted }: Pick<Evidence, 'native' | 'cancelWanted'>): End {
  if (cancelWanted) return { outcome: 'cancelled', reason: 'cancelled_by_user' };
  if (native === null)
    return { outcome: 'refused', reason: 'rejected', detail: 'the cluster lost the job before it started' };
  const detail = `${said(native)} before it started`;
  if (native.end === 'cancelled') return { outcome: 'cancelled', reason: 'cancelled_natively', detail };
  if (native.end === 'deadline') return { outcome: 'failed', reason: 'deadline', detail };
  // `CANCELLED by 0` without a claim is a failed prolog, not a cancellation (seen on Slurm 22.05).
  return { outcome: 'refused', reason: 'rejected', detail };
}

function withoutClaim({ native, neverSeen }: Evidence): Verdict {
  const gone = native === null ? silent(neverSeen) : native.phase === 'ended';
  return gone ? { kind: 'take_claim' } : { kind: 'open', started: false };
}

type Own = NativeEvidence | 'restarted' | null;

/** An end from the record and the native state beside it; null while the cluster may still say how it was killed. */
function recordedEnd(record: ClaimEnd, signals: readonly string[], native: Own, evidence: Evidence): End | null {
  if (native === 'restarted' || native?.phase === 'unknown') return fromRecord(record, signals, evidence);
  if (native === null)
    return evidence.neverSeen.listingsWithout >= UNKNOWN_END_LISTINGS ? fromRecord(record, signals, evidence) : null;
  if (native.phase !== 'ended')
    return (evidence.recordedForSeconds ?? 0) >= BELIEVED_RECORD_SECONDS ? fromRecord(record, signals, evidence) : null;
  // Whoever kills a job signals it first: exit 0 without such a signal came before the kill. Running out of memory is the
  // exception, for the kernel kills a child and the script may still exit 0.
  const untouched = record.code === 0 && !signals.some(kills);
  const killed = untouched && native.end !== 'out_of_memory' ? null : killedEnd(native, evidence.cancelWanted);
  return killed ? { ...killed, ...exitOf(record.code) } : fromRecord(record, signals, evidence);
}

/** An end of a payload that started and left no record. */
function unrecordedEnd(native: Own, { cancelWanted, neverSeen }: Evidence): End | null {
  const late = neverSeen.secondsSince >= UNKNOWN_END_SECONDS;
  if (native === null)
    return silent(neverSeen) ? unknownEnd('the native job is gone and left no record of its end') : null;
  if (native === 'restarted')
    return late ? nodeFailure('the cluster started it again and its first start left no end') : null;
  if (native.phase !== 'ended') return null;
  const killed = killedEnd(native, cancelWanted);
  if (killed) return killed;
  // NODE_FAIL proves no end: the payload was still running when it was tried.
  if (native.end === 'node_fail') return late ? nodeFailure(said(native)) : null;
  if (native.exitCode === LOST_CLAIM_EXIT || native.exitCode === NO_CLAIM_EXIT)
    return late ? nodeFailure('a later start of it lost the claim and the first start left no end') : null;
  return neverSeen.secondsSince >= RECORD_SECONDS ? fromCluster(native, cancelWanted) : null;
}

/** Native states that say who or what killed the job; they beat any exit code. */
function killedEnd(native: NativeEvidence, cancelWanted: Evidence['cancelWanted']): End | null {
  const detail = said(native);
  switch (native.end) {
    case 'out_of_memory':
      return { outcome: 'failed', reason: 'out_of_memory', detail };
    case 'timeout':
      return { outcome: 'failed', reason: 'walltime', detail };
    case 'deadline':
      return { outcome: 'failed', reason: 'deadline', detail };
    case 'preempted':
      return { outcome: 'failed', reason: 'preempted', detail };
    case 'cancelled':
    case 'cancelled_by_system':
      return { outcome: 'cancelled', reason: cancelWanted ? 'cancelled_by_user' : 'cancelled_natively', detail };
    default:
      return null;
  }
}

function fromRecord(record: ClaimEnd, signals: readonly string[], { cancelWanted }: Evidence): End {
  if (record.code === 0) return { outcome: 'succeeded', exitCode: 0 };
  const exit = exitOf(record.code);
  if (record.oomKills > 0)
    return {
      outcome: 'failed',
      reason: 'out_of_memory',
      detail: `the kernel killed ${record.oomKills} of its processes`,
      ...exit,
    };
  if (cancelWanted && (exit.signal !== undefined || signals.some(kills)))
    return { outcome: 'cancelled', reason: 'cancelled_by_user', ...exit };
  return failedBy(exit);
}

/** The controller's or the accounting's exit; completed without an exit code is no proof of success. */
function fromCluster(native: NativeEvidence, cancelWanted: Evidence['cancelWanted']): End {
  const name = native.signal ? signalName(native.signal) : null;
  if (name !== null && cancelWanted) return { outcome: 'cancelled', reason: 'cancelled_by_user', signal: name };
  if (name !== null) return { ...failedBy({ signal: name }), detail: said(native) };
  if (native.exitCode) return { ...failedBy(exitOf(native.exitCode)), detail: said(native) };
  if (native.end === 'completed' && native.exitCode === 0)
    return { outcome: 'succeeded', exitCode: 0, detail: `${said(native)}; the job's own record is missing` };
  return unknownEnd(`${said(native)} without an exit code`);
}

function failedBy(exit: { exitCode?: number; signal?: string }): End {
  return { outcome: 'failed', reason: exit.signal === undefined ? 'exit_code' : 'signal', ...exit };
}

/** 129–192 is a signal where there is one of that number; 0 says nothing beside a failure. */
function exitOf(code: number): { exitCode?: number; signal?: string } {
  const signal = code > 128 ? signalName(code - 128) : null;
  if (signal !== null) return { signal };
  return code === 0 ? {} : { exitCode: code };
}

function kills(signal: string): boolean {
  return ['TERM', 'INT', 'HUP', 'KILL'].includes(signal);
}

function silent({ listingsWithout, secondsSince }: Evidence['neverSeen']): boolean {
  return listingsWithout >= UNKNOWN_END_LISTINGS && secondsSince >= UNKNOWN_END_SECONDS;
}

function said({ rawState, rawReason }: NativeEvidence): string {
  const reason = rawReason === '' || rawReason === 'None' ? '' : ` (${rawReason})`;
  return `the cluster says ${rawState || 'nothing'}${reason}`;
}

function nodeFailure(detail: string): End {
  return { outcome: 'failed', reason: 'node_failure', detail };
}

function unknownEnd(detail: string): End {
  return { outcome: 'failed', reason: 'unknown_end', detail };
}

function ended(end: End): Verdict {
  return { kind: 'ended', end };
}

/** Only what is known: neither null nor empty. */
function present(known: {
  startedAtMs: number | null;
  endedAtMs: number | null;
  peakMemoryBytes: number | null;
  host: string;
}): Partial<End> {
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== null && value !== ''));
}
