import { isLetGo } from './gang.ts';
import { isLeaving } from './pod-facts.ts';
import type { RunFacts } from './run-facts.ts';

/**
 * Gangs that each hold nodes which the others wait for would all wait until they give up. So none is let go to the scheduler while
 * another of its pool holds nodes and waits for more; and of those that were let go together, all but the oldest give way.
 */
export const GIVE_WAY_MS = 15_000;

/** It holds nodes, which it cannot use before it has more. */
export function isHalfBound(run: RunFacts): boolean {
  if (run.gang === 0 || run.asked !== null || run.cancelWanted || isLetGo(run)) return false;
  const bound = [...run.pods.values()].filter((pod) => pod.node !== '' && !isLeaving(pod)).length;
  return bound > 0 && bound < run.gang;
}

/** The gang that this one, none of whose pods the scheduler has seen yet, must wait for. */
export function heldBackBy(run: RunFacts, all: Iterable<RunFacts>): RunFacts | null {
  if (run.gang === 0 || [...run.pods.values()].some(({ gated }) => !gated)) return null;
  return rivals(run, all)[0] ?? null;
}

/** The older gang that waits for what this one holds. */
export function givesWayTo(run: RunFacts, all: Iterable<RunFacts>): RunFacts | null {
  if (!isHalfBound(run)) return null;
  return rivals(run, all).find((other) => isBefore(other, run)) ?? null;
}

function rivals(run: RunFacts, all: Iterable<RunFacts>): RunFacts[] {
  return [...all].filter((other) => other !== run && other.order.pool === run.order.pool && isHalfBound(other));
}

function isBefore(one: RunFacts, other: RunFacts): boolean {
  return one.order.jobNumber === other.order.jobNumber
    ? one.order.runId < other.order.runId
    : one.order.jobNumber < other.order.jobNumber;
}
