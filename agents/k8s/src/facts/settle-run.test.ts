import { describe, expect, it } from 'vitest';
import { GO_ANNOTATION, WITHDRAW_LOST_ANNOTATION } from '../names.ts';
import { firstBoundMs, isWhole, whatIsMissing } from './gang.ts';
import { jobFacts } from './job-facts.ts';
import { mergePod } from './pod-facts.ts';
import { type RunFacts, statusOf } from './run-facts.ts';
import { settleRun } from './settle-run.ts';
import { ended, exited, makeJob, makePodFacts, makeRun, START, sec, withPods } from './testing/make-facts.ts';

const settled = (run: RunFacts, nowMs = START + 60_000) => {
  settleRun(run, { nowMs, lostNodeMs: 90_000 });
  return statusOf(run);
};
const running = { running: { startedAt: sec(2) } };
const up = { node: 'n1', phase: 'Running', state: running } as const;
const over = (code: number) =>
  ({ node: 'n1', phase: code === 0 ? 'Succeeded' : 'Failed', state: exited(code) }) as const;

describe('a run', () => {
  it('has started when its container has, not when it is bound', () => {
    expect(settled(withPods(makeRun(), { node: 'n1' }))).toMatchObject({
      started: '',
      nativeState: 'ContainerCreating',
    });
    expect(settled(withPods(makeRun(), up))).toMatchObject({
      started: '0',
      startedAtMs: START + 2000,
      nativeState: 'Running',
    });
  });

  it("says the scheduler's sentence while it waits, and why pods are refused", () => {
    const run = withPods(makeRun(), { unschedulable: '0/2 nodes are available: 2 Insufficient cpu.' });
    expect(settled(run)).toMatchObject({
      nativeState: 'Pending',
      nativeReason: '0/2 nodes are available: 2 Insufficient cpu.',
    });
    const refused = makeRun();
    refused.createFailure = { message: 'exceeded quota: small', sinceMs: START };
    expect(settled(refused)).toMatchObject({ nativeState: 'Pending', nativeReason: 'exceeded quota: small' });
  });

  it('gives the tasks of an array the numbers of the array', () => {
    const run = withPods(
      makeRun({ isArray: true, tasks: '4-12:2' }),
      { index: 1, ...over(4) },
      { index: 4, ...up },
      { index: 5, ...up },
    );
    const status = settled(run);
    expect(status.started).toBe('6,12');
    expect(status.ends).toMatchObject([{ tasks: '6', exitCode: 4 }]);
  });

  it('groups tasks that ended alike', () => {
    const run = withPods(
      makeRun({ isArray: true, tasks: '0-4' }),
      ...[0, 3, 0, 3, 0].map((code, index) => ({ index, ...over(code) })),
    );
    expect(settled(run).ends.map(({ tasks, outcome }) => [tasks, outcome])).toEqual([
      ['0-4:2', 'succeeded'],
      ['1,3', 'failed'],
    ]);
  });

  it('ends a task once, whatever comes later', () => {
    const run = withPods(makeRun(), over(3));
    settled(run);
    withPods(run, { ...over(0), name: 'second' });
    expect(settled(run).ends).toHaveLength(1);
  });

  it('waits for its pods to be looked for before it believes a Job without them', () => {
    const run = makeRun({ isArray: true, tasks: '0-3' });
    run.job = ended('Failed', 'FailedIndexes', { completedIndexes: '0,2', failedIndexes: '1,3' });
    expect(settled(run).ends).toEqual([]);
    run.podsConfirmed = true;
    expect(settled(run).ends).toMatchObject([
      { outcome: 'succeeded', tasks: '0,2' },
      { outcome: 'failed', reason: 'unknown_end', tasks: '1,3' },
    ]);
  });

  it('knows after a restart why its pods are gone', () => {
    const run = makeRun();
    run.job = ended('Failed', 'BackoffLimitExceeded');
    run.podsConfirmed = true;
    run.asked = 'withdraw';
    expect(settled(run).ends).toMatchObject([{ outcome: 'withdrawn' }]);
    const started = makeRun();
    Object.assign(started, { job: ended('Failed'), podsConfirmed: true, asked: 'withdraw', started: [[0, 0]] });
    expect(settled(started).ends).toMatchObject([{ outcome: 'failed', reason: 'unknown_end' }]);
  });

  it('knows after a restart which tasks the withdrawal came too late for', () => {
    const run = makeRun({ isArray: true, tasks: '0-3' });
    const annotations = { [WITHDRAW_LOST_ANNOTATION]: '1-2' };
    const job = { ...ended('Failed', 'FailedIndexes'), lost: jobFacts(makeJob({ metadata: { annotations } })).lost };
    Object.assign(run, { job, podsConfirmed: true, asked: 'withdraw' });
    expect(settled(run).ends).toMatchObject([
      { outcome: 'withdrawn', tasks: '0,3' },
      { outcome: 'failed', reason: 'unknown_end', tasks: '1-2' },
    ]);
  });

  it('may have run when nobody saw its unbound pod go', () => {
    const vanished = (changes: Partial<RunFacts>) => {
      const run = withPods(makeRun(), {});
      for (const [uid, pod] of run.pods) run.pods.set(uid, { ...pod, gone: true });
      return settled(Object.assign(run, { asked: 'withdraw', podsConfirmed: true, ...changes })).ends;
    };
    expect(vanished({ job: ended('Complete') })).toMatchObject([{ outcome: 'succeeded' }]);
    expect(vanished({ job: ended('Failed') })).toMatchObject([{ outcome: 'failed', reason: 'unknown_end' }]);
    expect(vanished({ jobGone: true })).toMatchObject([{ outcome: 'failed', reason: 'unknown_end' }]);
    expect(vanished({})).toEqual([]);
  });

  it('was not taken back while another pod of it may start', () => {
    const taken = { name: 'taken', deleted: [5, 0] } as const;
    const second = (story: Parameters<typeof withPods>[1]) =>
      settled(Object.assign(withPods(makeRun(), taken, { name: 'second', ...story }), { asked: 'withdraw' })).ends;
    expect(second({ node: 'n1' })).toEqual([]);
    expect(second({})).toEqual([]);
    expect(second({ node: 'n1', deleted: [5, 3] })).toEqual([]);
    expect(second(over(3))).toMatchObject([{ exitCode: 3 }]);
    expect(second({ deleted: [5, 0] })).toMatchObject([{ outcome: 'withdrawn' }]);
  });

  it('was cancelled when that was asked, its Job has failed and its pod was gone before anybody saw it end', () => {
    const run = Object.assign(makeRun(), {
      ...{ job: ended('Failed', 'BackoffLimitExceeded'), started: [[0, 0]], podsConfirmed: true },
      ...{ asked: 'cancel', cancelWanted: true },
    });
    expect(settled(run).ends).toMatchObject([{ outcome: 'cancelled', reason: 'cancelled_by_user' }]);
  });

  it('was cancelled natively when its Job is gone', () => {
    const run = makeRun();
    Object.assign(run, { jobGone: true, podsConfirmed: true });
    expect(settled(run)).toMatchObject({ nativeState: 'Deleted', ends: [{ reason: 'cancelled_natively' }] });
  });

  it('was cancelled by its user when that is why its Job is gone', () => {
    const run = makeRun();
    Object.assign(run, { jobGone: true, podsConfirmed: true, cancelWanted: true });
    expect(settled(run)).toMatchObject({ ends: [{ reason: 'cancelled_by_user' }] });
  });
});

describe('a run of a queue', () => {
  const claimed = (startClaim: string) => ({
    ...jobFacts(makeJob({ spec: { suspend: true } })),
    queue: 'q',
    startClaim,
  });

  it('was withdrawn when nobody may start it any more', () => {
    const run = makeRun();
    run.job = claimed('never');
    expect(settled(run)).toMatchObject({ started: '', ends: [{ outcome: 'withdrawn' }] });
  });

  it('was preempted when it was taken back after its start, and only then', () => {
    const taken = { eviction: 'Kueue evicted it', evictionConfirmed: true, job: claimed('started:2') };
    const killed = { node: 'n1', phase: 'Failed', state: exited(143), deleted: [8, 3] } as const;
    const run = Object.assign(
      withPods(makeRun({ isArray: true, tasks: '0-3' }), { index: 0, ...killed }, { index: 1, deleted: [8, 0] }),
      taken,
    );
    expect(settled(run).ends).toMatchObject([
      { outcome: 'failed', reason: 'preempted', tasks: '0' },
      { outcome: 'refused', reason: 'rejected', tasks: '1', detail: 'Kueue evicted it' },
      // Of these nobody knows.
      { outcome: 'failed', reason: 'preempted', tasks: '2-3' },
    ]);
    const madeHere = withPods(makeRun({ isArray: true, tasks: '0-3' }), { index: 0, ...killed });
    expect(settled(Object.assign(madeHere, taken, { madeHere: true })).ends).toMatchObject([
      { outcome: 'failed', reason: 'preempted', tasks: '0' },
      { outcome: 'refused', reason: 'rejected', tasks: '1-3', detail: 'Kueue evicted it' },
    ]);
    const unseen = Object.assign(withPods(makeRun(), {}), taken, { letGo: true });
    for (const [uid, pod] of unseen.pods) unseen.pods.set(uid, { ...pod, gated: true, gone: true });
    expect(settled(unseen).ends).toMatchObject([{ outcome: 'failed', reason: 'preempted' }]);
    const away = Object.assign(makeRun(), taken);
    expect(settled(away).ends).toMatchObject([{ outcome: 'failed', reason: 'preempted' }]);
  });
});

describe('a gang', () => {
  const go = { annotations: { [GO_ANNOTATION]: sec(5) } };
  const gang = (...pods: Parameters<typeof withPods>[1][]) => withPods(makeRun({ gang: 2 }), ...pods);

  it('is whole when all of it is up, and has started when it was let go', () => {
    expect(isWhole(gang({ index: 0, ...up }))).toBe(false);
    expect(isWhole(gang({ index: 0, ...up }, { index: 0, ...up }))).toBe(false);
    const whole = gang({ index: 0, ...up }, { index: 1, ...up });
    expect(isWhole(whole)).toBe(true);
    expect(settled(whole)).toMatchObject({ started: '', nativeState: 'Pending' });
    expect(settled(gang({ index: 0, ...up, ...go }, { index: 1, ...up }))).toMatchObject({
      ...{ started: '0', startedAtMs: START + 5000, nativeState: 'Running' },
    });
  });

  it('waits for the rest of it by the clock of this agent, whatever that of the cluster says', () => {
    const run = gang();
    expect(firstBoundMs(run)).toBe(0);
    for (const [at, seenMs] of [START + 700_000, START + 600_000].entries()) {
      const bound = makePodFacts({ name: `pod-${at}`, index: at, node: 'n1' }, seenMs);
      run.pods.set(
        bound.uid,
        mergePod(bound, makePodFacts({ name: `pod-${at}`, index: at, node: 'n1' }, seenMs + 50_000)),
      );
    }
    expect(firstBoundMs(run)).toBe(START + 600_000);
  });

  it('says what is missing', () => {
    const half = gang({ index: 0, ...up }, { index: 1, unschedulable: 'no room' });
    expect(settled(half).nativeReason).toBe('1 of 2 pods are up; pod-1: no room');
    expect(whatIsMissing(gang({ index: 0, ...up }))).toContain('1 not made');
  });

  it('ends with its last pod, by the one that failed first', () => {
    const failing = gang({ index: 0, ...over(3), ...go }, { index: 1, ...up, ...go });
    expect(settled(failing).ends).toEqual([]);
    const both = gang(
      { index: 0, node: 'n1', phase: 'Failed', state: exited(143, 'Error', 14), deleted: [11, 3], ...go },
      { index: 1, ...over(3), ...go },
    );
    both.job = ended('Failed', 'BackoffLimitExceeded');
    expect(settled(both).ends).toMatchObject([{ reason: 'exit_code', exitCode: 3, endedAtMs: START + 14_000 }]);
    expect(settled(gang({ index: 0, ...over(0), ...go }, { index: 1, ...over(0), ...go })).ends).toMatchObject([
      { outcome: 'succeeded', startedAtMs: START + 5000 },
    ]);
  });

  it('that has lost a node is to be ended, and has failed with the node', () => {
    const away = { index: 0, ...up, ready: ['False', 10], ...go } as const;
    const run = gang(away, { index: 1, ...up, ...go });
    expect(settled(run, START + 50_000).ends).toEqual([]);
    expect(run.lostPart).toBe(false);
    expect(settled(run, START + 100_000).ends).toEqual([]);
    expect(run.lostPart).toBe(true);
    const rest = { node: 'n2', phase: 'Failed', state: exited(143, 'Error', 104), deleted: [101, 3] } as const;
    const over = gang(away, { index: 1, ...rest, ...go });
    over.job = ended('Failed', 'BackoffLimitExceeded');
    expect(settled(over, START + 110_000).ends).toMatchObject([{ outcome: 'failed', reason: 'node_failure' }]);
    expect(over.lostPart).toBe(false);
  });

  it('that was never let go has not started, whatever its pods did', () => {
    const failed = gang({ index: 0, ...over(114) }, { index: 1, ...over(143), deleted: [5, 3] });
    failed.job = ended('Failed', 'BackoffLimitExceeded');
    expect(settled(failed)).toMatchObject({ started: '', ends: [{ outcome: 'refused', reason: 'rejected' }] });
    const back = gang({ index: 0, ...over(143) }, { index: 1, deleted: [5, 0] });
    Object.assign(back, { asked: 'give back', backReason: 'pod-1: no room' });
    expect(settled(back)).toMatchObject({ ends: [{ outcome: 'refused', detail: 'pod-1: no room' }] });
    const withdrawn = gang({ index: 0, ...over(143) }, { index: 1, deleted: [5, 0] });
    withdrawn.asked = 'withdraw';
    expect(settled(withdrawn)).toMatchObject({ started: '', ends: [{ outcome: 'withdrawn' }] });
  });

  it('that Kueue took back before it was let go has not started', () => {
    const taken = { eviction: 'Kueue evicted it', evictionConfirmed: true };
    const killed = { node: 'n1', phase: 'Failed', state: exited(143), deleted: [8, 3] } as const;
    const evicted = (...pods: Parameters<typeof gang>) => Object.assign(gang(...pods), taken);
    const whole = evicted({ index: 0, ...killed }, { index: 1, deleted: [8, 0] });
    expect(settled(whole)).toMatchObject({ started: '', ends: [{ outcome: 'refused', detail: 'Kueue evicted it' }] });
    const isPreempted = [{ outcome: 'failed', reason: 'preempted' }];
    expect(settled(evicted({ index: 0, ...killed, ...go }, { index: 1, deleted: [8, 0] })).ends).toMatchObject(
      isPreempted,
    );
    expect(settled(evicted({ index: 0, deleted: [8, 0] })).ends).toMatchObject(isPreempted);
    const unseen = evicted({ index: 0, ...up }, { index: 1, deleted: [8, 0] });
    for (const [uid, pod] of unseen.pods) unseen.pods.set(uid, { ...pod, gone: true });
    expect(settled(unseen).ends).toMatchObject(isPreempted);
  });

  it('is queued again by Kueue as long as it has not started', () => {
    const run = gang({ index: 0, deleted: [5, 0] }, { index: 1, deleted: [5, 0] });
    run.job = jobFacts(makeJob({ spec: { suspend: true } }));
    expect(settled(run).ends).toEqual([]);
  });
});
