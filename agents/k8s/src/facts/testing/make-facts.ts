import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import type { ContainerState, Job, Pod, PodStatus } from '../../api-types.ts';
import { COMPLETION_INDEX_ANNOTATION, CONTAINER } from '../../names.ts';
import { type JobFacts, jobFacts } from '../job-facts.ts';
import { type PodFacts, podFacts } from '../pod-facts.ts';
import { type RunFacts, runFacts } from '../run-facts.ts';

export const JOB_UID = 'job-uid';
export const START = Date.parse('2026-11-21T10:00:00Z');

/** `sec(5)` is five seconds after the start of the story, as the API writes it. */
export function sec(seconds: number): string {
  return new Date(START + seconds * 1000).toISOString().replace('.000Z', 'Z');
}

export type PodStory = {
  readonly name?: string;
  readonly index?: number;
  readonly node?: string;
  readonly phase?: PodStatus['phase'];
  readonly reason?: string;
  readonly message?: string;
  readonly state?: ContainerState;
  /** Seconds of when its kubelet took it, and of the last word of that kubelet. */
  readonly taken?: readonly [at: number, saidAt: number];
  /** Seconds of the request, and of grace. */
  readonly deleted?: readonly [at: number, grace: number];
  readonly disruption?: readonly [reason: string, at: number, message?: string];
  readonly ready?: readonly ['True' | 'False', at: number];
  readonly unschedulable?: string;
  readonly annotations?: Record<string, string>;
};

/** A pod as the API server shows it. */
export function makePod(story: PodStory = {}): Pod {
  const { name = 'pod-0', index, node, state, taken, deleted, disruption, ready, unschedulable } = story;
  const conditions = [
    ...(node ? [{ type: 'PodScheduled', status: 'True' as const, lastTransitionTime: sec(1) }] : []),
    ...(unschedulable
      ? [{ type: 'PodScheduled', status: 'False' as const, reason: 'Unschedulable', message: unschedulable }]
      : []),
    ...(ready ? [{ type: 'Ready', status: ready[0], lastTransitionTime: sec(ready[1]) }] : []),
    ...(disruption
      ? [
          {
            ...{ type: 'DisruptionTarget', status: 'True' as const, reason: disruption[0] },
            ...{ lastTransitionTime: sec(disruption[1]), message: disruption[2] ?? `said ${disruption[0]}` },
          },
        ]
      : []),
  ];
  return {
    metadata: {
      ...{ name, namespace: 'jobs', uid: `uid-${name}`, resourceVersion: '7', creationTimestamp: sec(0) },
      annotations: {
        ...(index === undefined ? {} : { [COMPLETION_INDEX_ANNOTATION]: String(index) }),
        ...story.annotations,
      },
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'job', uid: JOB_UID, controller: true }],
      ...(taken ? { managedFields: managedFields(taken[1]) } : {}),
      ...(deleted ? { deletionTimestamp: sec(deleted[0] + deleted[1]), deletionGracePeriodSeconds: deleted[1] } : {}),
    },
    spec: { containers: [], terminationGracePeriodSeconds: 30, ...(node ? { nodeName: node } : {}) },
    status: {
      phase: story.phase ?? 'Pending',
      ...(story.reason ? { reason: story.reason } : {}),
      ...(story.message ? { message: story.message } : {}),
      ...(taken ? { startTime: sec(taken[0]) } : {}),
      conditions,
      ...(state ? { containerStatuses: [{ name: CONTAINER, state }] } : {}),
    },
  };
}

function managedFields(saidAt: number) {
  const of = (manager: string, fields: string, at: number) => ({
    ...{ manager, time: sec(at), subresource: 'status' },
    fieldsV1: { 'f:status': { [fields]: {} } },
  });
  return [of('kube-controller-manager', 'f:conditions', saidAt + 30), of('kubelet', 'f:startTime', saidAt)];
}

export function makePodFacts(story: PodStory = {}, nowMs = START): PodFacts {
  return podFacts(makePod(story), nowMs)!;
}

export function exited(exitCode: number, reason = exitCode === 0 ? 'Completed' : 'Error', at = 10): ContainerState {
  return { terminated: { exitCode, reason, startedAt: sec(2), finishedAt: sec(at) } };
}

export function makeJob(changes: { status?: Job['status']; spec?: Partial<Job['spec']>; metadata?: object } = {}): Job {
  return {
    metadata: { name: 'job', namespace: 'jobs', uid: JOB_UID, creationTimestamp: sec(0), ...changes.metadata },
    spec: { template: { spec: { containers: [] } }, ...changes.spec },
    ...(changes.status ? { status: changes.status } : {}),
  };
}

export function ended(type: 'Complete' | 'Failed', reason = '', more: Job['status'] = {}): JobFacts {
  const condition = {
    type,
    status: 'True' as const,
    reason,
    message: `the Job is ${type}`,
    lastTransitionTime: sec(20),
  };
  return jobFacts(makeJob({ status: { conditions: [condition], ...more } }));
}

export function makeRun(changes: { tasks?: string; isArray?: boolean; gang?: number } = {}): RunFacts {
  const order: Omit<RunOrder, 'spec'> = {
    ...{ runId: '01a1ff19-16c8-7026-96bb-58d7ef226b3a', placementNumber: 1, jobId: 'j', jobNumber: 1, attempt: 1 },
    ...{ tasks: changes.tasks ?? '0', specHash: '', pool: '', groupPath: 'default', owner: 'ada', marker: 'job' },
  };
  const run = runFacts({ order, isArray: changes.isArray ?? false, gang: changes.gang ?? 0 }, 'jobs');
  run.jobUid = JOB_UID;
  run.job = jobFacts(makeJob());
  run.placed = true;
  return run;
}

export function withPods(run: RunFacts, ...stories: PodStory[]): RunFacts {
  for (const [at, story] of stories.entries()) {
    const facts = makePodFacts({ name: `pod-${at}`, ...story });
    run.pods.set(facts.uid, facts);
  }
  return run;
}
