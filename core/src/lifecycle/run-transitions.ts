import { difference, type RangeSet } from '../spec/range-set.ts';
import { endedTasks } from './ended-tasks.ts';
import type { Outcome, RunState, TaskEnd } from './vocabulary.ts';

/**
 * Every legal move of a run; what is not here is illegal. The natural way is offered → placed → running → ended. A move
 * may skip states, for an observation may come late (the agent was away while the job ran). `ended` names the outcomes
 * that are possible from there: what has started can be neither withdrawn nor refused.
 */
export const RUN_MOVES: {
  readonly [From in RunState]: { readonly to: readonly RunState[]; readonly outcomes: readonly Outcome[] };
} = {
  offered: {
    to: ['placed', 'running', 'ended'],
    outcomes: ['withdrawn', 'refused', 'cancelled', 'succeeded', 'failed'],
  },
  placed: { to: ['running', 'ended'], outcomes: ['withdrawn', 'refused', 'cancelled', 'succeeded', 'failed'] },
  running: { to: ['ended'], outcomes: ['succeeded', 'failed', 'cancelled'] },
  ended: { to: [], outcomes: [] },
};

export type Move = { ok: true } | { ok: false; message: string };

/** Whether a run may move; staying where it is, is no move. */
export function moveRun(from: RunState, to: RunState, outcome?: Outcome): Move {
  const { to: targets, outcomes } = RUN_MOVES[from];
  if (!targets.includes(to))
    return no(from === 'ended' ? 'an end is final' : `a run cannot move from ${from} to ${to}`);
  if (to !== 'ended') return outcome === undefined ? { ok: true } : no(`a run that is ${to} has no outcome yet`);
  if (outcome === undefined) return no('a run cannot end without an outcome');
  return outcomes.includes(outcome) ? { ok: true } : no(`a run that is ${from} cannot end ${outcome}`);
}

/** The state that an observation of a run shows, whatever was known before. */
export function runStateOf(observed: {
  readonly placed: boolean;
  readonly started: RangeSet;
  readonly ends: readonly TaskEnd[];
  readonly tasks: RangeSet;
}): RunState {
  const ended = endedTasks(observed.ends);
  if (difference(observed.tasks, ended).length === 0) return 'ended';
  if (observed.started.length > 0 || observed.ends.some((end) => end.outcome === 'succeeded')) return 'running';
  return observed.placed ? 'placed' : 'offered';
}

function no(message: string): Move {
  return { ok: false, message };
}
