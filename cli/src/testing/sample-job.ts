import type { WholeJob } from '../api/api-types.ts';

/** A job as the broker answers it, running on the cluster north, with what the test says differently. */
export function sampleJob(different: Partial<WholeJob> = {}): WholeJob {
  return {
    id: '0190a000-0000-7000-8000-00000000002a',
    number: 42,
    name: 'relax',
    group: 'default',
    owner: 'ada',
    state: 'running',
    reason: null,
    detail: null,
    exitCode: null,
    signal: null,
    priority: 500,
    taskCount: 1,
    tasks: {
      queued: '',
      out: '0',
      succeeded: '',
      failed: '',
      cancelled: '',
      counts: { queued: 0, out: 1, running: 1, succeeded: 0, failed: 0, cancelled: 0 },
    },
    isArray: false,
    cluster: 'north',
    nativeId: '1234',
    nativeState: 'RUNNING',
    nativeReason: null,
    unreachable: false,
    waitReason: null,
    createdAt: '2026-11-21T12:00:00.000Z',
    stateSince: '2026-11-21T12:01:00.000Z',
    startedAt: '2026-11-21T12:01:00.000Z',
    endedAt: null,
    labels: {},
    stdoutPath: '/scratch/yard-42.out',
    stderrPath: '/scratch/yard-42.out',
    spec: { name: 'relax', resources: { tasks: 1, cpusPerTask: 1 } },
    runs: [],
    ...different,
  };
}

/** The same job after its end. */
export function endedJob(different: Partial<WholeJob> = {}): WholeJob {
  const state = different.state ?? 'succeeded';
  const none = { queued: 0, out: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
  return sampleJob({
    state,
    exitCode: state === 'succeeded' ? 0 : null,
    endedAt: '2026-11-21T12:01:12.000Z',
    tasks: {
      queued: '',
      out: '',
      succeeded: '',
      failed: '',
      cancelled: '',
      [state]: '0',
      counts: { ...none, [state]: 1 },
    },
    ...different,
  });
}
