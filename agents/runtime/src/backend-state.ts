import type { End } from '@switchyard/core/lifecycle/evidence.ts';
import type { RangeSet } from '@switchyard/core/spec/range-set.ts';
import { indexes } from '@switchyard/core/spec/range-set.ts';
import type { RunStatus } from './backend.ts';
import type { ClaimPurpose, ClaimStore } from './claim-store.ts';
import { endOfClaim } from './end-of-claim.ts';
import type { ForgottenLog } from './forgotten-log.ts';
import type { ListingTrust } from './listing-trust.ts';
import type { NativeQueue } from './native-queue.ts';
import { noteEnd, noteStart, statusOf, type TrackedRun } from './tracked-run.ts';

export type ClaimBackendOptions = {
  readonly queue: NativeQueue;
  readonly stateDir: string;
  readonly cluster: string;
  /** For jobs that name no working directory. */
  readonly defaultWorkdir: string;
  /** How long a native job must be out of sight before its end is called unknown; shorter in tests. */
  readonly graceMs?: number;
  readonly now?: () => number;
  /** Told of what goes wrong with single runs while everything else goes on. */
  readonly warn?: (sentence: string) => void;
  /** For tests: what must stay harmless. */
  readonly faults?: { readonly lookUp?: boolean; readonly copies?: number };
};

/** What the parts of the claim backend share. */
export type BackendState = {
  readonly options: ClaimBackendOptions;
  readonly queue: NativeQueue;
  readonly store: ClaimStore;
  readonly forgotten: ForgottenLog;
  readonly trust: ListingTrust;
  readonly runs: Map<string, TrackedRun>;
  /** Runs whose status differs from what `observe` last returned. */
  readonly changed: Set<string>;
  /** Offers under way, by run. */
  readonly submits: Map<string, Promise<RunStatus>>;
  readonly birthMs: number;
  /** Says each sentence once in a while only. */
  readonly warn: (sentence: string) => void;
  /** Native jobs to kill in the next call, by native id. */
  readonly doomed: Map<string, TrackedRun>;
  readonly now: () => number;
  lastChangeMs: number;
  listingMs: number;
  closed: boolean;
};

/** Runs `work` and notes whether the run's status is another afterwards. */
export async function changing<Result>(
  state: BackendState,
  run: TrackedRun,
  work: () => Promise<Result>,
): Promise<Result> {
  const before = JSON.stringify(statusOf(run));
  try {
    return await work();
  } finally {
    if (JSON.stringify(statusOf(run)) !== before) {
      state.changed.add(run.order.runId);
      state.lastChangeMs = state.now();
    }
  }
}

/** Takes these claims and notes what holds now: our own end, or the start that was faster. */
export async function takeClaims(
  state: BackendState,
  run: TrackedRun,
  tasks: RangeSet,
  purpose: ClaimPurpose,
  end: End,
): Promise<void> {
  // Without a directory nothing can start, and nobody can tell what has.
  if (!run.hasDirectory || tasks.length === 0 || !(await state.store.has(run.order.runId))) return;
  const taken = await state.store.take(run.order.runId, indexes(tasks), purpose, end);
  const won: number[] = [];
  for (const [task, claim] of taken) {
    if (claim.won) won.push(task);
    else if (claim.record.by === 'wrapper') noteStart(run, task, claim.record);
    else noteEnd(run, [task], endOfClaim(claim));
  }
  noteEnd(run, won, end);
  run.restless = true;
}
