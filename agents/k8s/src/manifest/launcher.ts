import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import { NO_CLAIM_EXIT } from '@switchyard/core/lifecycle/evidence.ts';
import { isArray } from '@switchyard/core/spec/task-set.ts';
import { GO_PATH, SCRIPT_PATH } from '../names.ts';
import { escapeExpansion } from './escape-expansion.ts';

/** The exit code of a container whose launcher started no payload. */
export const NOT_LAUNCHED_EXIT = NO_CLAIM_EXIT;

/**
 * How much longer than the agent a gang's pods wait for the word to go: the agent decides, and its last word must still reach all
 * of them (the kubelet writes a changed annotation into the file within its sync period of a minute).
 */
const GO_MARGIN_SECONDS = 120;

export function goWaitSeconds(gangSeconds: number): number {
  return gangSeconds + GO_MARGIN_SECONDS;
}

/**
 * What a container runs. The payload of a plain job is run by nothing but the container runtime; tasks of an array and nodes of a
 * gang have a shell before it, which `exec`s it, so that signals and the exit code are the payload's own.
 */
export function commandOf(order: RunOrder, { nodes, gangSeconds }: { nodes: number; gangSeconds: number }) {
  const { spec, tasks } = order;
  const payload = spec.script === undefined ? (spec.command ?? []) : [SCRIPT_PATH];
  if (!isArray(spec) && nodes === 1) return { command: payload.map(escapeExpansion) };
  const wait = nodes > 1 ? String(goWaitSeconds(gangSeconds)) : '0';
  return {
    command: ['/bin/sh', '-c', escapeExpansion(LAUNCHER), 'yard'],
    args: [isArray(spec) ? tasks : '', wait, ...payload].map(escapeExpansion),
  };
}

/**
 * POSIX sh: `yard TASKS WAIT PAYLOAD…`. TASKS is the run's range set, empty without an array, WAIT the seconds that a node of a gang
 * waits for the word to go. The index is found in a subshell, so that nothing of it is left in the payload's environment.
 */
export const LAUNCHER = `yard_fail() { echo "yard: $1" >&2; exit ${NOT_LAUNCHED_EXIT}; }
if [ -n "$1" ]; then
  YARD_TASK_INDEX=$(
    set -f
    left=\${JOB_COMPLETION_INDEX:-none}
    case $left in *[!0-9]*) exit 1 ;; esac
    IFS=,
    for part in $1; do
      first=\${part%%-*} last=\${part#*-} step=1
      case $last in *:*) step=\${last#*:} last=\${last%%:*} ;; esac
      size=$(((last - first) / step + 1))
      if [ "$left" -lt "$size" ]; then
        echo "$((first + left * step))"
        exit 0
      fi
      left=$((left - size))
    done
    exit 1
  ) || yard_fail "there is no task for the index '$JOB_COMPLETION_INDEX'"
  SLURM_ARRAY_TASK_ID=$YARD_TASK_INDEX
  export YARD_TASK_INDEX SLURM_ARRAY_TASK_ID
fi
if [ "$2" -gt 0 ]; then
  trap 'exit 143' TERM
  trap 'exit 130' INT
  yard_waited=0
  until [ -s ${GO_PATH} ]; do
    [ "$yard_waited" -lt "$2" ] || yard_fail "the other nodes of this job were not up within $2 s"
    sleep 1 || yard_fail "the image has no program 'sleep'"
    yard_waited=$((yard_waited + 1))
  done
  trap - TERM INT
fi
shift 2
unset yard_waited
unset -f yard_fail
exec "$@"
`;
