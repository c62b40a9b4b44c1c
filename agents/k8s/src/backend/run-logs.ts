import type { LogRequest, LogSlice, LogTail } from '@switchyard/agent-runtime/backend.ts';
import { isOver, type PodFacts } from '../facts/pod-facts.ts';
import type { RunFacts } from '../facts/run-facts.ts';
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
      if (!facts) return nothing('this cluster knows no such run, or has forgotten it, and its output with it');
      // What is one log must not be shown twice.
      if (request.stream === 'stderr') return nothing('');
      const find = () => podOf(facts, request.task, request.rank);
      const pod = find();
      if (!pod) return nothing('it has no pod', facts.ends.length > 0);
      const { namespace } = facts;
      const isStarted = () => ['running', 'terminated'].includes(find()?.container.kind ?? '');
      const hasEnded = () => {
        const now = find();
        return now === undefined || isOver(now) || now.gone;
      };
      return reader.read({ namespace, name: pod.name, uid: pod.uid, hasStarted: isStarted, hasEnded }, request);
    },
    tails: async function* (_runId: string): AsyncGenerator<LogTail> {},
    close: () => reader.close(),
  };
}

function nothing(problem: string, end = true): LogSlice {
  return { data: NO_OUTPUT, end, problem: end ? problem : '' };
}

/** Of a task's pods the one that started, if there are several. */
function podOf(facts: RunFacts, task: number, rank: number): PodFacts | undefined {
  const index = facts.gang > 0 ? rank : facts.isArray ? indexOfTask(facts.tasks, task) : 0;
  const pods = [...facts.pods.values()].filter((pod) => pod.index === index);
  return pods.find(({ container }) => container.kind === 'running' || container.kind === 'terminated') ?? pods[0];
}
