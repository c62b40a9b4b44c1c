import { describe, expect, it } from 'vitest';
import { GO_ANNOTATION } from '../names.ts';
import { givesWayTo, heldBackBy, isHalfBound } from './gang-turn.ts';
import type { RunFacts } from './run-facts.ts';
import { makeRun, type PodStory, sec, withPods } from './testing/make-facts.ts';

const bound = { node: 'n1' };
const waits = { unschedulable: '0/2 nodes are available' };
const fresh = {};

function gang(jobNumber: number, pods: readonly PodStory[], pool = ''): RunFacts {
  const run = makeRun({ gang: 2 });
  const stories = pods.map((story, index) => ({ name: `pod-${jobNumber}-${index}`, index, ...story }));
  return withPods({ ...run, order: { ...run.order, jobNumber, pool, runId: `run-${jobNumber}` } }, ...stories);
}

/** Before the scheduler has seen any of it. */
function held(jobNumber: number, pool = ''): RunFacts {
  const run = gang(jobNumber, [waits, waits], pool);
  for (const [uid, pod] of run.pods) run.pods.set(uid, { ...pod, gated: true });
  return run;
}

describe('gangs in turn', () => {
  it('one is half bound while it holds nodes and there is none for the rest of it', () => {
    expect(isHalfBound(gang(1, [bound, waits]))).toBe(true);
    expect(isHalfBound(gang(1, [bound, fresh]))).toBe(false);
    const refused = { createFailure: { message: 'exceeded quota', sinceMs: 1 } };
    expect(isHalfBound(Object.assign(gang(1, [bound]), refused))).toBe(true);
    expect(isHalfBound(gang(1, [waits, waits]))).toBe(false);
    expect(isHalfBound(gang(1, [bound, bound]))).toBe(false);
    expect(isHalfBound(gang(1, [{ ...bound, deleted: [5, 30] }, waits]))).toBe(false);
    expect(isHalfBound(gang(1, [{ ...bound, annotations: { [GO_ANNOTATION]: sec(5) } }, waits]))).toBe(false);
    for (const over of [{ asked: 'give back' }, { cancelWanted: true }, { jobGone: true }, { ended: [[0, 0]] }])
      expect(isHalfBound(Object.assign(gang(1, [bound, waits]), over))).toBe(false);
    expect(isHalfBound(withPods(makeRun(), bound))).toBe(false);
  });

  it('none is let go while another of its pool is half bound, whichever is older', () => {
    const half = gang(2, [bound, waits]);
    for (const number of [1, 3]) expect(heldBackBy(held(number), [half])).toBe(half);
    expect(heldBackBy(held(3, 'gpu'), [half])).toBe(null);
    expect(heldBackBy(held(3), [gang(2, [waits, waits]), gang(1, [bound, bound])])).toBe(null);
    expect(heldBackBy(gang(3, [waits, waits]), [half])).toBe(null);
    expect(heldBackBy(gang(3, []), [half])).toBe(null);
    expect(heldBackBy(Object.assign(held(3), { ended: [[0, 0]] }), [half])).toBe(null);
    expect(heldBackBy(makeRun(), [half])).toBe(null);
  });

  it('of those that are half bound all but the oldest give way', () => {
    const all = [
      gang(2, [bound, waits]),
      gang(1, [waits, bound]),
      gang(3, [bound, waits]),
      gang(0, [bound, waits], 'gpu'),
    ];
    expect(all.map((run) => givesWayTo(run, all)?.order.jobNumber ?? null)).toEqual([1, null, 2, null]);
    expect(givesWayTo(gang(4, [waits, waits]), all)).toBe(null);
  });
});
