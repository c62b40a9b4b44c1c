import { isLetGo } from './gang.ts';
import { isLeaving } from './pod-facts.ts';
import { hasEnded, type RunFacts } from './run-facts.ts';

/**
 * Gangs that each hold nodes which the others wait for would all wait until they give up. So none is let go to the scheduler while
 * another of its pool holds nodes and waits for more; and of those that were let go together, all but the oldest give way.
 */
export const GIVE_WAY_MS = 15_000;

/** It holds nodes, which it cannot use before it has more, and there are none. */
export function isHalfBound(run: RunFacts): boolean {
  if (run.gang === 0 || run.asked !== null || run.cancelWanted || run.jobGone) return false;
  if (hasEnded(run) || isLetGo(run)) return false;
  const pods = [...run.pods.values()].filter((pod) => !isLeaving(pod));
  const lacks = run.createFailure !== null || pods.some(({ unschedulable }) => unschedulable !== '');
  return lacks && pods.some(({ node }) => node !== '');
}

/** The gang that this one, none of whose pods the scheduler has seen yet, must wait for. */
export function heldBackBy(run: RunFacts, all: Iterable<RunFacts>): RunFacts | null {
  if (run.gang === 0 || hasEnded(run)) return null;
  const pods = [...run.pods.values()];
  const isHeld = pods.some((pod) => !isLeaving(pod)) && pods.every(({ gated }) => gated);
  return isHeld ? (rivals(run, all)[0] ?? null) : null;
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
