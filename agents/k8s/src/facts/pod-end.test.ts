import { describe, expect, it } from 'vitest';
import { jobFacts } from './job-facts.ts';
import { lostNodeDueMs, type PodSetting, podEnd } from './pod-end.ts';
import { mergePod } from './pod-facts.ts';
import { ended, exited, makeJob, makePodFacts, type PodStory, START, sec } from './testing/make-facts.ts';

const setting: PodSetting = {
  ...{ job: jobFacts(makeJob()), asked: null, eviction: null, letGo: false },
  ...{ nowMs: START + 60_000, lostNodeMs: 90_000 },
};
const on = { node: 'n1' };
const killed = exited(137);
const unmade = (why: string) => ({
  terminated: {
    ...{ exitCode: 128, reason: 'StartError', message: `failed to create containerd task: ${why}` },
    ...{ startedAt: '1970-01-01T00:00:00Z', finishedAt: sec(3) },
  },
});
const startCancelled = {
  terminated: {
    ...{ exitCode: 128, reason: 'StartError', startedAt: '1970-01-01T00:00:00Z', finishedAt: sec(3) },
    message: 'failed to start containerd task "486017e6": context canceled: unknown',
  },
};
const running = { running: { startedAt: sec(2) } };

describe('the end of a pod', () => {
  const cases: [what: string, story: PodStory, expected: object | null, more?: Partial<PodSetting>][] = [
    ['waits', {}, null],
    ['is bound', on, null],
    ['runs', { ...on, phase: 'Running', state: running }, null],
    // The kubelet reports the container before the pod.
    [
      'has a container that ended, and may be killed for another reason',
      { ...on, phase: 'Running', state: killed },
      null,
    ],
    [
      'ended well',
      { ...on, phase: 'Succeeded', state: exited(0) },
      { outcome: 'succeeded', exitCode: 0, host: 'n1', startedAtMs: START + 2000, endedAtMs: START + 10_000 },
    ],
    ['exit code', { ...on, phase: 'Failed', state: exited(3) }, { reason: 'exit_code', exitCode: 3 }],
    ['exit code 128', { ...on, phase: 'Failed', state: exited(128) }, { reason: 'exit_code', exitCode: 128 }],
    [
      'container that a kubelet was killed over',
      { ...on, phase: 'Failed', state: unmade('failed to create shim task: context canceled: unknown') },
      { outcome: 'refused', reason: 'rejected' },
    ],
    [
      'container whose shim was killed with a kubelet',
      { ...on, phase: 'Failed', state: unmade('failed to start shim: start failed: : signal: killed: unknown') },
      { outcome: 'refused', reason: 'rejected' },
    ],
    [
      'container that a kubelet was killed over a moment later',
      { ...on, phase: 'Failed', state: startCancelled },
      { outcome: 'failed', reason: 'node_failure', detail: expect.stringContaining('just being started') },
    ],
    [
      'program that is not there',
      { ...on, phase: 'Failed', state: unmade('exec: "nothing": executable file not found in $PATH') },
      { outcome: 'failed', reason: 'rejected', detail: expect.stringContaining('exec: "nothing"') },
    ],
    [
      'program that Docker cannot run',
      {
        ...{ ...on, phase: 'Failed' },
        state: {
          terminated: { exitCode: 127, reason: 'ContainerCannotRun', message: 'no such file', finishedAt: sec(3) },
        },
      },
      { outcome: 'failed', reason: 'rejected', detail: 'its container could not be started: no such file' },
    ],
    [
      'container that was not started, with an exit code of nothing',
      { ...on, phase: 'Succeeded', state: { terminated: { exitCode: 0, reason: 'StartError', finishedAt: sec(3) } } },
      { outcome: 'failed', reason: 'rejected' },
    ],
    ['signal', { ...on, phase: 'Failed', state: exited(139) }, { reason: 'signal', signal: 'SEGV' }],
    [
      'exit code above all signals',
      { ...on, phase: 'Failed', state: exited(200) },
      { reason: 'exit_code', exitCode: 200 },
    ],
    ['exit code of no signal', { ...on, phase: 'Failed', state: exited(160) }, { reason: 'exit_code', exitCode: 160 }],
    ['OOM', { ...on, phase: 'Failed', state: exited(137, 'OOMKilled') }, { reason: 'out_of_memory', signal: 'KILL' }],
    [
      'OOM of a child, exit 0',
      { ...on, phase: 'Succeeded', state: exited(0, 'OOMKilled') },
      { reason: 'out_of_memory' },
    ],
    [
      'walltime',
      { ...on, phase: 'Failed', state: exited(143), reason: 'DeadlineExceeded', message: 'too long' },
      { reason: 'walltime', detail: 'too long' },
    ],
    [
      'walltime whose payload caught TERM and said 0',
      { ...on, phase: 'Failed', state: exited(0), reason: 'DeadlineExceeded' },
      { outcome: 'failed', reason: 'walltime' },
    ],
    [
      'preempted',
      { ...on, phase: 'Failed', state: killed, deleted: [9, 5], disruption: ['PreemptionByScheduler', 9] },
      { reason: 'preempted', detail: 'said PreemptionByScheduler' },
    ],
    [
      'evicted by the kubelet, without a container left',
      { ...on, phase: 'Failed', reason: 'Evicted', message: 'low on memory', disruption: ['TerminationByKubelet', 9] },
      { reason: 'preempted', detail: 'low on memory' },
    ],
    [
      'evicted through the API',
      { ...on, phase: 'Failed', state: killed, deleted: [9, 5], disruption: ['EvictionByEvictionAPI', 9] },
      { reason: 'preempted' },
    ],
    [
      'ended well before it was evicted',
      { ...on, phase: 'Succeeded', state: exited(0), deleted: [15, 5], disruption: ['EvictionByEvictionAPI', 15] },
      { outcome: 'succeeded' },
    ],
    [
      'ended in the second of the deletion: no success is guessed',
      { ...on, phase: 'Succeeded', state: exited(0), deleted: [10, 5], disruption: ['EvictionByEvictionAPI', 10] },
      { reason: 'preempted' },
    ],
    [
      'tainted node, collected',
      { ...on, phase: 'Failed', state: killed, deleted: [9, 5], disruption: ['DeletionByTaintManager', 9] },
      { reason: 'node_failure' },
    ],
    [
      'node object gone',
      { ...on, phase: 'Failed', disruption: ['DeletionByPodGC', 9] },
      { reason: 'node_failure', detail: 'node n1 was lost: said DeletionByPodGC' },
    ],
    [
      'node out of sight, deletion by the taint manager',
      {
        ...on,
        phase: 'Running',
        state: running,
        deleted: [50, 5],
        disruption: ['DeletionByTaintManager', 50],
        ready: ['False', 20],
      },
      { reason: 'node_failure' },
    ],
    ['node out of sight, not for long', { ...on, phase: 'Running', state: running, ready: ['False', 20] }, null],
    [
      'node out of sight for too long, without a word',
      { ...on, phase: 'Running', state: running, ready: ['False', 20] },
      { reason: 'node_failure' },
      { nowMs: START + 111_000 },
    ],
    [
      'bound to a node that was lost before it said anything',
      { ...on, deleted: [20, 5], disruption: ['DeletionByTaintManager', 20] },
      { reason: 'node_failure' },
      { nowMs: START + 111_000 },
    ],
    [
      'the node forgot its containers',
      { ...on, phase: 'Failed', state: { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown' } } },
      { reason: 'node_failure' },
    ],
    [
      'refused by the kubelet',
      { ...on, phase: 'Failed', reason: 'OutOfcpu', message: 'Node did not have enough resource', taken: [5, 6] },
      { outcome: 'refused', reason: 'rejected', detail: 'node n1 refused the pod: Node did not have enough resource' },
    ],
    [
      'refused by a kubelet whose node is short of memory',
      { ...on, phase: 'Failed', reason: 'Evicted', message: 'Pod was rejected: The node had condition', taken: [5, 5] },
      { outcome: 'refused', reason: 'rejected' },
    ],
    // A kubelet that starts again admits anew what it has, and writes over all that it had said of its containers.
    [
      'refused by a kubelet that had taken it before',
      { ...on, phase: 'Failed', reason: 'NodeAffinity', message: 'Pod was rejected: no match', taken: [5, 50] },
      {
        outcome: 'failed',
        reason: 'node_failure',
        detail: 'node n1 did not take the pod back: Pod was rejected: no match',
      },
    ],
    // As Kubernetes 1.34 showed it: it ends what ran, and a payload that caught TERM may say 0.
    [
      'ended by a kubelet that had taken it before and rejects it',
      { ...on, phase: 'Failed', reason: 'NodeAffinity', message: 'Pod was rejected: no match', state: exited(0) },
      { outcome: 'failed', reason: 'node_failure', host: 'n1' },
    ],
    [
      'preempted while its kubelet started again',
      { ...on, phase: 'Failed', reason: 'NodeAffinity', state: killed, disruption: ['PreemptionByScheduler', 9] },
      { outcome: 'failed', reason: 'preempted' },
    ],
    [
      'refused by a kubelet of which nobody can tell whether it had taken it before',
      { ...on, phase: 'Failed', reason: 'UnexpectedAdmissionError' },
      { outcome: 'failed', reason: 'node_failure' },
    ],
    [
      'cancelled',
      { ...on, phase: 'Failed', state: killed, deleted: [8, 3] },
      { reason: 'cancelled_by_user' },
      { asked: 'cancel' },
    ],
    [
      'cancelled, and the last step of its deletion wiped out when that began',
      { ...on, phase: 'Failed', state: exited(3), deleted: [12, 0] },
      { outcome: 'cancelled', reason: 'cancelled_by_user' },
      { asked: 'cancel' },
    ],
    [
      'killed behind our back, and the last step of its deletion wiped out when that began',
      { ...on, phase: 'Failed', state: exited(143), deleted: [12, 0] },
      { outcome: 'cancelled', reason: 'cancelled_natively' },
      { job: ended('Failed') },
    ],
    [
      'killed by the cancel, and the last step of its deletion came late',
      { ...on, phase: 'Failed', state: exited(143), deleted: [100, 0] },
      { outcome: 'cancelled', reason: 'cancelled_by_user' },
      { asked: 'cancel' },
    ],
    [
      'failed long before the last step of its deletion',
      { ...on, phase: 'Failed', state: exited(3), deleted: [60, 0] },
      { outcome: 'failed', reason: 'exit_code' },
      { asked: 'cancel' },
    ],
    [
      'ended before the cancel',
      { ...on, phase: 'Failed', state: exited(4) },
      { exitCode: 4, reason: 'exit_code' },
      { asked: 'cancel' },
    ],
    ['deleted, and the Job has not said a word', { ...on, phase: 'Failed', state: killed, deleted: [8, 3] }, null],
    [
      'deleted natively',
      { ...on, phase: 'Failed', state: killed, deleted: [8, 3] },
      { outcome: 'cancelled', reason: 'cancelled_natively', detail: 'somebody deleted the pod' },
      { job: ended('Failed', 'BackoffLimitExceeded') },
    ],
    [
      'its Job deleted',
      { ...on, phase: 'Failed', state: killed, deleted: [8, 3] },
      { reason: 'cancelled_natively', detail: 'somebody deleted the Job' },
      { job: null },
    ],
    [
      'its Job suspended',
      { ...on, phase: 'Failed', state: killed, deleted: [8, 3] },
      { reason: 'preempted', detail: 'its Job was suspended' },
      { job: jobFacts(makeJob({ spec: { suspend: true } })) },
    ],
    [
      'evicted by Kueue',
      { ...on, phase: 'Failed', state: killed, deleted: [8, 3] },
      { reason: 'preempted', detail: 'Kueue evicted it' },
      { eviction: 'Kueue evicted it' },
    ],
    ['unbound and being deleted, the Job goes on', { deleted: [5, 0] }, null],
    ['unbound and deleted by us', { deleted: [5, 0] }, { outcome: 'withdrawn' }, { asked: 'withdraw' }],
    ['unbound, cancelled', { deleted: [5, 0] }, { reason: 'cancelled_by_user' }, { asked: 'cancel' }],
    [
      'unbound, deleted by somebody, and the Job gives up',
      { deleted: [5, 0], phase: 'Failed' },
      { outcome: 'cancelled', reason: 'cancelled_natively' },
      { job: ended('Failed', 'BackoffLimitExceeded') },
    ],
    [
      'unbound, of a Job that Kueue suspended',
      { deleted: [5, 0] },
      null,
      { job: jobFacts(makeJob({ spec: { suspend: true } })) },
    ],
    [
      'asked back, but it was bound',
      { ...on, phase: 'Failed', state: exited(3) },
      { exitCode: 3 },
      { asked: 'withdraw' },
    ],
  ];

  it.each(cases)('%s', (_, story, expected, more) => {
    const end = podEnd(makePodFacts(story), { ...setting, ...more });
    if (expected === null) expect(end).toBeNull();
    else expect(end).toMatchObject(expected);
  });

  it('is that of its node when it ran and was refused by a kubelet that started again', () => {
    const ran = makePodFacts({ ...on, phase: 'Running', state: running, taken: [1, 3] });
    const refused = makePodFacts({ ...on, phase: 'Failed', reason: 'OutOfmemory', taken: [1, 3] });
    for (const pod of [mergePod(ran, refused), mergePod(refused, ran)])
      expect(podEnd(pod, setting)).toMatchObject({ outcome: 'failed', reason: 'node_failure', host: 'n1' });
  });

  // Minutes between the clock of the agent and those of the cluster, either way.
  it.each([600_000, -600_000])(
    'is that of a lost node when this agent has waited for it, with a clock off by %i ms',
    (offMs) => {
      const nowMs = START + offMs;
      const tainted = { deleted: [20, 5], disruption: ['DeletionByTaintManager', 20] } as const;
      const stories: PodStory[] = [
        { ...on, phase: 'Running', state: running, ready: ['False', 20] },
        { ...on, ...tainted },
      ];
      for (const story of stories) {
        const pod = mergePod(makePodFacts(story, nowMs), makePodFacts(story, nowMs + 50_000));
        expect(podEnd(pod, { ...setting, nowMs: nowMs + 89_000 })).toBeNull();
        expect(podEnd(pod, { ...setting, nowMs: nowMs + 90_000 })).toMatchObject({ reason: 'node_failure' });
        expect(lostNodeDueMs(pod, setting.lostNodeMs)).toBe(nowMs + 90_000);
      }
    },
  );

  it('is not that of a lost node which was seen again meanwhile', () => {
    const unseen = (at: number) =>
      makePodFacts({ ...on, phase: 'Running', state: running, ready: ['False', at] }, START + at * 1000);
    const pod = mergePod(unseen(20), unseen(70));
    expect(podEnd(pod, { ...setting, nowMs: START + 120_000 })).toBeNull();
    expect(podEnd(pod, { ...setting, nowMs: START + 160_000 })).toMatchObject({ reason: 'node_failure' });
  });

  it.each([0, 127, 128])(
    'has no exit code when the payload never ran, whatever the runtime put there: %i',
    (exitCode) => {
      for (const reason of ['StartError', 'ContainerCannotRun']) {
        const state = { terminated: { exitCode, reason, finishedAt: sec(3) } };
        const end = podEnd(makePodFacts({ ...on, phase: 'Failed', state }), setting);
        expect(end).toMatchObject({ outcome: 'failed', reason: 'rejected' });
        expect(end).not.toHaveProperty('exitCode');
        expect(end).not.toHaveProperty('startedAtMs');
      }
    },
  );

  it('is a success without its pod only by the word of the Job', () => {
    const pod = { ...makePodFacts({ ...on, phase: 'Running', state: running }), gone: true };
    expect(podEnd(pod, { ...setting, job: ended('Complete') })).toMatchObject({ outcome: 'succeeded', exitCode: 0 });
    expect(podEnd(pod, { ...setting, job: ended('Failed') })).toMatchObject({ outcome: 'cancelled' });
    expect(podEnd(pod, setting)).toBeNull();
  });
});
