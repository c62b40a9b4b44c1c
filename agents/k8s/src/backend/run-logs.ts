import type { LogRequest, LogSlice, LogTail } from '@switchyard/agent-runtime/backend.ts';
import { rangeSet } from '@switchyard/core/spec/range-set.ts';
import { containerStartedMs, isOver, type PodFacts } from '../facts/pod-facts.ts';
import { type RunFacts, taskOfIndex } from '../facts/run-facts.ts';
import { logTails } from '../logs/log-tails.ts';
import { createLogReader } from '../logs/read-log.ts';
import { indexOfTask } from '../manifest/task-index.ts';
import type { KubeState } from './kube-state.ts';

const NO_OUTPUT = new Uint8Array();

/** The outputs of runs: each pod's log, both streams in one. */
export function runLogs(state: KubeState) {
  const reader = createLogReader(state.client);
  return {
    read: async (request: LogRequest): Promise<LogSlice> => {
      const facts = state.runs.get(request.runId)?.facts;
      if (!facts) return ended('this cluster knows no such run, or has forgotten it, and its output with it');
      // What is one log must not be shown twice.
      if (request.stream === 'stderr') return ended('');
      const find = () => podOf(facts, request.task, request.rank);
      const pod = find();
      if (!pod) return facts.ends.length > 0 ? ended('it has left no pod, and so no output') : NOT_YET;
      const hasStarted = () => ['running', 'terminated'].includes(find()?.container.kind ?? '');
      const hasEnded = () => {
        const now = find();
        return now === undefined || isOver(now) || now.gone;
      };
      const { name, uid } = pod;
      return reader.read({ namespace: facts.namespace, name, uid, hasStarted, hasEnded }, request);
    },
    tails: (runId: string): AsyncIterable<LogTail> => {
      const facts = state.runs.get(runId)?.facts;
      return logTails(state.client, runId, facts ? endedPods(facts) : []);
    },
    close: () => reader.close(),
  };
}

const NOT_YET: LogSlice = { data: NO_OUTPUT, end: false, problem: '' };

function ended(problem: string): LogSlice {
  return { data: NO_OUTPUT, end: true, problem };
}

/** Of a task's pods the one that started, if there are several. */
function podOf(facts: RunFacts, task: number, rank: number): PodFacts | undefined {
  const index = facts.gang > 0 ? rank : facts.isArray ? indexOfTask(facts.tasks, task) : 0;
  const pods = [...facts.pods.values()].filter((pod) => pod.index === index);
  return pods.find((pod) => containerStartedMs(pod) > 0) ?? pods[0];
}

function endedPods(facts: RunFacts) {
  const failed = facts.ends.filter(({ outcome }) => outcome !== 'succeeded').map(({ tasks }) => rangeSet(tasks));
  return [...facts.pods.values()].flatMap((pod) => {
    const task = taskOfIndex(facts, pod.index);
    if (task === null || pod.gone || containerStartedMs(pod) === 0) return [];
    const hasFailed = failed.some((set) => set.some(([first, last]) => task >= first && task <= last));
    return { namespace: facts.namespace, name: pod.name, task, rank: facts.gang > 0 ? pod.index : 0, hasFailed };
  });
}
