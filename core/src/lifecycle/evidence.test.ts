import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseClaim } from './claim-record.ts';
import { type End, type Evidence, endWithoutStart, judge, type NativeEvidence, type Verdict } from './evidence.ts';

const claim = (...lines: string[]) => parseClaim(['claim 42 0 n1 1000 77', ...lines, ''].join('\n'));
const native = (end: NativeEvidence['end'], change: Partial<NativeEvidence> = {}): NativeEvidence => ({
  ...{ phase: 'ended', end, rawState: end?.toUpperCase() ?? 'RUNNING', rawReason: '', exitCode: null, signal: null },
  ...change,
});
const running = native(null, { phase: 'running' });
const unknown = native(null, { phase: 'unknown', rawState: 'HIBERNATING' });
const GONE = { listingsWithout: 2, secondsSince: 90 };
const evidence = (change: Partial<Evidence>): Evidence => ({
  ...{ claim: null, native: null, cancelWanted: null, neverSeen: { listingsWithout: 0, secondsSince: 0 } },
  ...change,
});
/** The verdict in short: `open`, `started`, `take_claim`, or outcome, reason, exit code and signal. */
const short = (verdict: Verdict) =>
  verdict.kind === 'ended' ? say(verdict.end) : verdict.kind === 'open' && verdict.started ? 'started' : verdict.kind;
const say = ({ outcome, reason, exitCode, signal }: End) =>
  [outcome, reason, exitCode, signal].filter((each) => each !== undefined).join(' ');
const late = (secondsSince: number) => ({ neverSeen: { listingsWithout: 0, secondsSince } });
const cancel = { cancelWanted: 'cancel' } as const;

describe('judge', () => {
  test.each<[string, Partial<Evidence>, string]>([
    ['nothing is known yet', {}, 'open'],
    ['it waits', { native: native(null, { phase: 'waiting' }) }, 'open'],
    ['running natively is no start: only a claim is', { native: running }, 'open'],
    ['a state nobody knows, without a claim', { native: unknown, neverSeen: GONE }, 'open'],
    ['absent from one listing, for long', { neverSeen: { listingsWithout: 1, secondsSince: 1000 } }, 'open'],
    ['absent from many listings, not for long', { neverSeen: { listingsWithout: 50, secondsSince: 89 } }, 'open'],
    ['absent from two listings and 90 s', { neverSeen: GONE }, 'take_claim'],
    ['cancelled natively before it started', { native: native('cancelled') }, 'take_claim'],
    ['a prolog that failed', { native: native('cancelled_by_system') }, 'take_claim'],
    ['its node failed before it started', { native: native('node_fail') }, 'take_claim'],

    ['the broker took the claim to withdraw', { claim: parseClaim('withdrawn 1000\n'), native: running }, 'withdrawn'],
    ['the broker took the claim to cancel', { claim: parseClaim('cancelled 1000\n') }, 'cancelled cancelled_by_user'],

    ['started, runs', { claim: claim('start 1000'), native: running }, 'started'],
    ['started, in a state nobody knows', { claim: claim('start 1000'), native: unknown, neverSeen: GONE }, 'started'],
    [
      'started, waits again after a requeue',
      { claim: claim('start 1000'), native: native(null, { phase: 'waiting', restartCount: 1 }) },
      'started',
    ],
    ['a claim nobody can read is a start', { claim: parseClaim('garbage\n'), native: running }, 'started'],

    ['exit 0', { claim: claim('end 0 1100 0 0'), native: native('completed', { exitCode: 0 }) }, 'succeeded 0'],
    ['exit 3', { claim: claim('end 3 1100 0 0'), native: native('failed', { exitCode: 3 }) }, 'failed exit_code 3'],
    [
      'exit 200, which sacct shows as 72',
      { claim: claim('end 200 1100 0 0'), native: native('failed', { exitCode: 72 }) },
      'failed exit_code 200',
    ],
    ['exit 128', { claim: claim('end 128 1100 0 0'), native: native('failed') }, 'failed exit_code 128'],
    [
      'exit 193 is beyond the last signal',
      { claim: claim('end 193 1100 0 0'), native: native('failed') },
      'failed exit_code 193',
    ],
    ['128 + 32 is no signal', { claim: claim('end 160 1100 0 0'), native: native('failed') }, 'failed exit_code 160'],
    [
      'killed by SEGV',
      { claim: claim('end 139 1100 0 0'), native: native('failed', { signal: 11 }) },
      'failed signal SEGV',
    ],
    [
      'killed by a real-time signal',
      { claim: claim('end 192 1100 0 0'), native: native('failed') },
      'failed signal RTMIN+30',
    ],
    [
      'the record is there, the cluster has not noticed',
      { claim: claim('end 0 1100 0 0'), native: running },
      'started',
    ],
    [
      'the record is there, the native state is unknown',
      { claim: claim('end 0 1100 0 0'), native: unknown },
      'succeeded 0',
    ],
    [
      'the record is there, one listing without the job',
      { claim: claim('end 0 1100 0 0'), neverSeen: { listingsWithout: 1, secondsSince: 0 } },
      'started',
    ],
    [
      'the record is there, purged by the cluster',
      { claim: claim('end 3 1100 0 0'), neverSeen: { listingsWithout: 2, secondsSince: 1 } },
      'failed exit_code 3',
    ],
    [
      'the record is there, the cluster starts it again',
      { claim: claim('end 0 1100 0 0'), native: native(null, { phase: 'running', restartCount: 1 }) },
      'succeeded 0',
    ],
    [
      'the record is there, a later start lost its claim',
      { claim: claim('end 0 1100 0 0'), native: native('failed', { exitCode: 113, restartCount: 1 }) },
      'succeeded 0',
    ],
    [
      'a line that is still being written is no end',
      { claim: parseClaim('claim 42 0 n1 1000 77\nend 1'), native: native('failed') },
      'started',
    ],

    [
      'out of memory with exit 0',
      { claim: claim('end 0 1100 0 1'), native: native('out_of_memory') },
      'failed out_of_memory',
    ],
    [
      'out of memory, killed',
      { claim: claim('end 137 1100 0 1'), native: native('out_of_memory') },
      'failed out_of_memory KILL',
    ],
    [
      'out of memory by the cgroup alone',
      { claim: claim('end 137 1100 0 1'), native: native('failed') },
      'failed out_of_memory KILL',
    ],
    [
      'a child was killed for memory and the payload succeeded',
      { claim: claim('end 0 1100 0 1'), native: native('completed') },
      'succeeded 0',
    ],
    [
      'walltime',
      { claim: claim('signal CONT', 'signal TERM', 'end 143 1100 0 0'), native: native('timeout') },
      'failed walltime TERM',
    ],
    [
      'walltime, trapped',
      { claim: claim('signal TERM', 'end 0 1100 0 0'), native: native('timeout') },
      'failed walltime',
    ],
    [
      'walltime, killed before any record',
      { claim: claim('start 1000'), native: native('timeout') },
      'failed walltime',
    ],
    [
      'it ended before its walltime struck',
      { claim: claim('signal USR1', 'end 0 1100 0 0'), native: native('timeout') },
      'succeeded 0',
    ],
    [
      'preempted',
      { claim: claim('signal TERM', 'end 143 1100 0 0'), native: native('preempted') },
      'failed preempted TERM',
    ],
    [
      'deadline',
      { claim: claim('signal TERM', 'end 143 1100 0 0'), native: native('deadline') },
      'failed deadline TERM',
    ],

    [
      'cancelled behind our back',
      { claim: claim('signal TERM', 'end 143 1100 0 0'), native: native('cancelled') },
      'cancelled cancelled_natively TERM',
    ],
    [
      'cancelled by us',
      { ...cancel, claim: claim('signal TERM', 'end 143 1100 0 0'), native: native('cancelled') },
      'cancelled cancelled_by_user TERM',
    ],
    [
      'cancelled by us, ignoring TERM, so no record',
      { ...cancel, claim: claim('signal TERM'), native: native('cancelled') },
      'cancelled cancelled_by_user',
    ],
    ['cancelled by us, not ended yet', { ...cancel, claim: claim('signal TERM'), native: running }, 'started'],
    [
      'cancelled by us, purged before it was seen',
      { ...cancel, claim: claim('signal TERM', 'end 143 1100 0 0'), neverSeen: GONE },
      'cancelled cancelled_by_user TERM',
    ],
    [
      'cancelled by us and gone without a record',
      { ...cancel, claim: claim('signal TERM'), neverSeen: GONE },
      'failed unknown_end',
    ],
    [
      'a cancel that raced with a normal end',
      { ...cancel, claim: claim('end 0 1100 0 0'), native: native('completed') },
      'succeeded 0',
    ],
    [
      'it ran to its end, then the cancel arrived',
      { ...cancel, claim: claim('end 0 1100 0 0'), native: native('cancelled') },
      'succeeded 0',
    ],
    [
      'a cancel that raced with a failure',
      { ...cancel, claim: claim('end 3 1100 0 0'), native: native('failed') },
      'failed exit_code 3',
    ],
    [
      'a cancel, trapped, exit 3',
      { ...cancel, claim: claim('signal TERM', 'end 3 1100 0 0'), native: native('failed') },
      'cancelled cancelled_by_user 3',
    ],

    ['NODE_FAIL with a record', { claim: claim('end 0 1100 0 0'), native: native('node_fail') }, 'succeeded 0'],
    [
      'NODE_FAIL proves no end: the payload may still run',
      { claim: claim('start 1000'), native: native('node_fail'), ...late(89) },
      'started',
    ],
    [
      'NODE_FAIL and nothing for 90 s',
      { claim: claim('start 1000'), native: native('node_fail'), ...late(90) },
      'failed node_failure',
    ],
    [
      'started again elsewhere, the first start left nothing',
      { claim: claim('start 1000'), native: native(null, { phase: 'running', restartCount: 1 }), ...late(90) },
      'failed node_failure',
    ],
    [
      'the second start lost the claim, the first left nothing',
      { claim: claim('start 1000'), native: native('failed', { exitCode: 113 }), ...late(90) },
      'failed node_failure',
    ],
    [
      'the second start lost the claim a moment ago',
      { claim: claim('start 1000'), native: native('failed', { exitCode: 113 }), ...late(10) },
      'started',
    ],

    [
      'no record yet: it may be on its way',
      { claim: claim('start 1000'), native: native('failed', { exitCode: 3 }), ...late(9) },
      'started',
    ],
    [
      'no record: the controller says exit 3',
      { claim: claim('start 1000'), native: native('failed', { exitCode: 3 }), ...late(10) },
      'failed exit_code 3',
    ],
    [
      'no record: the controller says signal 9',
      { claim: claim('start 1000'), native: native('failed', { signal: 9 }), ...late(10) },
      'failed signal KILL',
    ],
    [
      'no record: killed by signal 9 after our cancel',
      { ...cancel, claim: claim('start 1000'), native: native('failed', { signal: 9 }), ...late(10) },
      'cancelled cancelled_by_user KILL',
    ],
    [
      'no record: the controller says completed, exit 0',
      { claim: claim('start 1000'), native: native('completed', { exitCode: 0 }), ...late(10) },
      'succeeded 0',
    ],
    [
      'no record: completed without an exit code is no success',
      { claim: claim('start 1000'), native: native('completed'), ...late(10) },
      'failed unknown_end',
    ],
    [
      'no record: failed with exit 0',
      { claim: claim('start 1000'), native: native('failed', { exitCode: 0 }), ...late(10) },
      'failed unknown_end',
    ],
    [
      'gone without a record, one listing',
      { claim: claim('start 1000'), neverSeen: { listingsWithout: 1, secondsSince: 1000 } },
      'started',
    ],
    [
      'gone without a record, not for long',
      { claim: claim('start 1000'), neverSeen: { listingsWithout: 9, secondsSince: 89 } },
      'started',
    ],
    ['gone without a record', { claim: claim('start 1000'), neverSeen: GONE }, 'failed unknown_end'],
  ])('%s', (_, change, expected) => {
    expect(short(judge(evidence(change)))).toBe(expected);
  });

  test('an end carries what the record knows', () => {
    const verdict = judge(
      evidence({
        claim: claim('start 1001', 'end 3 1100 4096 0'),
        native: native('failed', { rawReason: 'NonZeroExitCode' }),
      }),
    );
    expect(verdict).toEqual({
      kind: 'ended',
      end: {
        ...{ outcome: 'failed', reason: 'exit_code', exitCode: 3, host: 'n1' },
        ...{ startedAtMs: 1_001_000, endedAtMs: 1_100_000, peakMemoryBytes: 4096 },
      },
    });
  });
});

describe('endWithoutStart', () => {
  test.each<[Partial<Evidence>, string]>([
    [{ native: native('cancelled') }, 'cancelled cancelled_natively'],
    [{ native: native('cancelled_by_system') }, 'refused rejected'],
    [{ native: native('failed', { exitCode: 114 }) }, 'refused rejected'],
    [{ native: native('launch_failed') }, 'refused rejected'],
    [{ native: native('node_fail') }, 'refused rejected'],
    [{ native: native('deadline') }, 'failed deadline'],
    [{ native: null }, 'refused rejected'],
    [{ ...cancel, native: native('cancelled') }, 'cancelled cancelled_by_user'],
    [{ ...cancel, native: null }, 'cancelled cancelled_by_user'],
  ])('%j', (change, expected) => {
    expect(say(endWithoutStart(evidence(change)))).toBe(expected);
  });
});

describe('whatever is seen', () => {
  const ends = [
    'completed',
    'failed',
    'out_of_memory',
    'timeout',
    'cancelled',
    'cancelled_by_system',
    'node_fail',
    'preempted',
    'launch_failed',
    'deadline',
    null,
  ] as const;
  const anyNative = fc.record({
    phase: fc.constantFrom('waiting', 'running', 'ended', 'unknown'),
    end: fc.constantFrom(...ends),
    rawState: fc.constantFrom('COMPLETED', 'ODD'),
    rawReason: fc.constantFrom('', 'None', 'Prolog'),
    exitCode: fc.constantFrom(null, 0, 1, 113, 114, 200),
    signal: fc.constantFrom(null, 0, 9, 15, 33),
    restartCount: fc.nat(2),
  }) as fc.Arbitrary<NativeEvidence>;
  const anyClaim = fc.constantFrom(
    ...[
      'withdrawn 1\n',
      'cancelled 1\n',
      'garbage',
      'claim 42 0 n1 1 1\n',
      'claim 42 0 n1 1 1\nstart 1\nsignal TERM\n',
    ],
    ...['claim 42 0 n1 1 1\nend 0 1 1 0\n', 'claim 42 1 n1 1 1\nsignal TERM\nend 143 1 1 1\n'],
  );
  const anyEvidence = fc.record({
    claim: fc.option(anyClaim.map(parseClaim)),
    native: fc.option(anyNative),
    cancelWanted: fc.constantFrom(null, 'cancel' as const),
    neverSeen: fc.record({ listingsWithout: fc.nat(4), secondsSince: fc.nat(200) }),
  });

  test('success needs a recorded exit 0 or the cluster saying so with exit 0', () => {
    fc.assert(
      fc.property(anyEvidence, (seen) => {
        const verdict = judge(seen);
        if (verdict.kind !== 'ended' || verdict.end.outcome !== 'succeeded') return;
        const recorded = seen.claim?.by === 'wrapper' && seen.claim.end?.code === 0;
        expect(recorded || (seen.native?.end === 'completed' && seen.native.exitCode === 0)).toBe(true);
      }),
    );
  });

  test('what was claimed by a wrapper is never said not to have started; a living native job without a record never ends', () => {
    fc.assert(
      fc.property(anyEvidence, (seen) => {
        const verdict = judge(seen);
        if (seen.claim?.by !== 'wrapper') return;
        expect(verdict.kind).not.toBe('take_claim');
        if (verdict.kind === 'ended') expect(['withdrawn', 'refused']).not.toContain(verdict.end.outcome);
        const alive =
          seen.native && seen.native.phase !== 'ended' && (seen.native.restartCount ?? 0) <= seen.claim.restartCount;
        if (alive && seen.claim.end === null) expect(verdict).toEqual({ kind: 'open', started: true });
      }),
    );
  });
});
