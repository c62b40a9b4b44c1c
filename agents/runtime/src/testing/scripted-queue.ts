import type { NativeJob, NativeQueue, SubmitAnswer, WrapperJob } from '../native-queue.ts';

/** A cluster whose every answer the test decides, for what a real one does too seldom. */
export type ScriptedQueue = NativeQueue & {
  /** What the next listings show. */
  jobs: NativeJob[];
  /** What accounting knows. */
  stored: NativeJob[];
  /** Taken one by one by submits; then every submit is accepted under the next number. */
  readonly answers: SubmitAnswer[];
  /** Not null: the listing fails so. */
  failure: string | null;
  readonly calls: { submit: number; list: number; accounting: string[][]; kill: string[][] };
  readonly submitted: WrapperJob[];
};

export function scriptedQueue(): ScriptedQueue {
  let lastId = 100;
  const queue: ScriptedQueue = {
    kind: 'slurm',
    jobs: [],
    stored: [],
    answers: [],
    failure: null,
    calls: { submit: 0, list: 0, accounting: [], kill: [] },
    submitted: [],
    fingerprint: async () => 'slurm:scripted@here',
    capacity: async () => {
      throw new Error('nobody asks');
    },
    submit: async (_, wrapper) => {
      queue.calls.submit += 1;
      queue.submitted.push(wrapper);
      lastId += 1;
      return queue.answers.shift() ?? { kind: 'submitted', nativeId: String(lastId) };
    },
    list: async () => {
      queue.calls.list += 1;
      if (queue.failure !== null) throw new Error(queue.failure);
      return queue.jobs;
    },
    accounting: async (ids) => {
      queue.calls.accounting.push([...ids]);
      return queue.stored;
    },
    kill: async (targets) => {
      queue.calls.kill.push(targets.map(({ nativeId }) => nativeId));
    },
    close: async () => {},
  };
  return queue;
}

/** A line of a listing: pending, unless the test says otherwise. */
export function nativeJob(marker: string, changes: Partial<NativeJob> = {}): NativeJob {
  return {
    nativeId: '101',
    marker,
    tasks: '',
    phase: 'waiting',
    end: null,
    rawState: 'PENDING',
    rawReason: 'Priority',
    exitCode: null,
    signal: null,
    submittedAtMs: 1000,
    startedAtMs: null,
    endedAtMs: null,
    restartCount: 0,
    pool: 'main',
    host: '',
    ...changes,
  };
}
