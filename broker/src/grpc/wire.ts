import { OUTCOMES, type Outcome, REASONS, type Reason, type TaskEnd } from '@switchyard/core/lifecycle/vocabulary.ts';
import { parseRangeSet } from '@switchyard/core/spec/range-set.ts';
import type * as proto from '@switchyard/proto/switchyard/v1/agent.ts';
import type { InventoryRun } from '../db/apply-inventory.ts';
import type { RunObservation } from '../db/apply-observations.ts';
import { type LogTail, MOST_TAIL_BYTES } from '../db/log-tails.ts';
import type { Stray } from '../db/save-strays.ts';

/** Called with one sentence for everything an agent said that was left out. */
export type Warn = (sentence: string) => void;

/** Text of an agent as Postgres can keep it: no NUL (neither text nor jsonb takes it), no half characters, not endless. */
export function plainText(text: string, maxLength: number): string {
  return text.replaceAll('\0', '').slice(0, maxLength).toWellFormed();
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Ids go into uuid columns: anything else would fail a whole batch. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

/** Milliseconds since 1970 up to the year 9999; 0, the proto default, also for nonsense, means "not known". */
export function knownTimeMs(value: number | undefined): number {
  return value !== undefined && value < 253_402_300_800_000 ? value : 0;
}

/** What an agent says of one run, or null when not even the run is named. */
export function observationFromWire(wire: proto.RunObservation, warn: Warn): RunObservation | null {
  if (!isUuid(wire.runId)) {
    warn(`'${plainText(wire.runId, 60)}' is not a run id`);
    return null;
  }
  return {
    runId: wire.runId,
    placementNumber: wire.placementNumber,
    placed: wire.placed,
    started: startedFromWire(wire.started, warn),
    startedAtMs: knownTimeMs(wire.startedAtMs),
    ends: endsFromWire(wire.ends, warn),
    nativeId: plainText(wire.nativeId, 255),
    nativeSubmittedAtMs: knownTimeMs(wire.nativeSubmittedAtMs),
    nativeState: plainText(wire.nativeState, 255),
    nativeReason: plainText(wire.nativeReason, 1024),
    nativePool: plainText(wire.nativePool, 255),
    stdoutPath: plainText(wire.stdoutPath, 4096),
    stderrPath: plainText(wire.stderrPath, 4096),
  };
}

/** One run of an inventory, or null when it cannot be told which run of which job that is. */
export function inventoryRunFromWire(wire: proto.InventoryRun, warn: Warn): InventoryRun | null {
  const observation = wire.observation && observationFromWire(wire.observation, warn);
  const tasks = parseRangeSet(wire.tasks);
  if (!observation || !tasks.ok || !isUuid(wire.jobId)) {
    warn(`an inventory entry without run, job or tasks (run '${plainText(wire.observation?.runId ?? '', 60)}')`);
    return null;
  }
  const { jobId, jobNumber, attempt, tasks: taskText, specHash, forgotten } = wire;
  return { observation, jobId, jobNumber, attempt, tasks: taskText, specHash: plainText(specHash, 64), forgotten };
}

/** A native job that the agent found. The run id is text from a marker: it need not be an id of ours. */
export function strayFromWire(wire: proto.Stray): Stray {
  return {
    nativeId: plainText(wire.nativeId, 255),
    runId: plainText(wire.runId, 64),
    nativeState: plainText(wire.nativeState, 255),
    nativeSubmittedAtMs: knownTimeMs(wire.nativeSubmittedAtMs),
  };
}

const MOST_INTEGER = 2_147_483_647;

/** The end of an output, cut to what one row may hold; null when it cannot be told whose it is. */
export function logTailFromWire({ runId, task, rank, offset, data }: proto.LogTail, warn: Warn): LogTail | null {
  if (!isUuid(runId) || task > MOST_INTEGER || rank > MOST_INTEGER || !Number.isSafeInteger(offset + data.length)) {
    warn(`the end of an output of task ${task}, rank ${rank}, run '${plainText(runId, 60)}'`);
    return null;
  }
  const cut = Math.max(0, data.length - MOST_TAIL_BYTES);
  return { runId, task, rank, offset: offset + cut, data: data.subarray(cut) };
}

function startedFromWire(text: string, warn: Warn): string {
  if (text === '') return '';
  const started = parseRangeSet(text);
  if (!started.ok) warn(`started tasks: ${started.message}`);
  return started.ok ? text : '';
}

/** An unknown enum text arrives typed as one we know: every word is checked against the vocabulary. */
export function endsFromWire(ends: readonly proto.TaskEnd[], warn: Warn): TaskEnd[] {
  return ends.flatMap((end) => {
    const outcome = OUTCOMES.find((word) => word === end.outcome);
    if (outcome === undefined) {
      warn(`unknown outcome '${plainText(end.outcome, 40)}'`);
      return [];
    }
    const tasks = parseRangeSet(end.tasks);
    if (!tasks.ok) {
      warn(`tasks of an end: ${tasks.message}`);
      return [];
    }
    return [taskEnd(end, outcome, warn)];
  });
}

function taskEnd(end: proto.TaskEnd, outcome: Outcome, warn: Warn): TaskEnd {
  const reason = reasonFromWire(end.reason, outcome, warn);
  const startedAtMs = knownTimeMs(end.startedAtMs);
  const endedAtMs = knownTimeMs(end.endedAtMs);
  return {
    outcome,
    tasks: end.tasks,
    ...(reason !== undefined && { reason }),
    ...(end.exitCode !== undefined && end.exitCode <= 255 && { exitCode: end.exitCode }),
    ...(end.signal !== '' && { signal: plainText(end.signal, 32) }),
    ...(end.detail !== '' && { detail: plainText(end.detail, 1024) }),
    ...(startedAtMs !== 0 && { startedAtMs }),
    ...(endedAtMs !== 0 && { endedAtMs }),
    ...(end.peakMemoryBytes !== undefined && { peakMemoryBytes: end.peakMemoryBytes }),
    ...(end.host !== '' && { host: plainText(end.host, 255) }),
  };
}

/** A success and a withdrawal need no reason; every other end has one, if only that nothing is known. */
function reasonFromWire(text: string, outcome: Outcome, warn: Warn): Reason | undefined {
  if (outcome === 'succeeded' || outcome === 'withdrawn') return undefined;
  const reason = REASONS.find((word) => word === text);
  if (reason === undefined) warn(`unknown reason '${plainText(text, 40)}'`);
  return reason ?? 'unknown_end';
}
