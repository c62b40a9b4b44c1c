import { createHash } from 'node:crypto';
import { LOST_CLAIM_EXIT, NO_CLAIM_EXIT } from '@switchyard/core/lifecycle/evidence.ts';

/**
 * The native script: a constant POSIX sh wrapper around the user's text, the same bytes for every job of one script. What
 * differs between jobs comes by environment (`YARD_CLAIM_DIR`, `YARD_ARRAY_*`, `YARD_OPEN_MODE`), so that a cluster which
 * stores equal scripts once (slurmdbd does) keeps one.
 */
export function buildWrapper(script: string): string {
  const end = delimiterFor(script);
  const text = script.endsWith('\n') ? script : `${script}\n`;
  return `${PROLOGUE}\n_yard_write() {
  (umask 077 && set -C && exec cat >"$_yard_script") 2>/dev/null <<'${end}'
${text}${end}
}
_yard_run() { exec $_yard_setsid $_yard_reset ${interpreterOf(script)} "$_yard_script"; }
${BODY}`;
}

/** Derived from the script, so that the wrapper stays constant; checked all the same, for it decides what is text. */
function delimiterFor(script: string): string {
  const lines = new Set(script.split('\n'));
  for (let salt = 0; ; salt += 1) {
    const hash = createHash('sha256').update(`${salt}\n${script}`).digest('hex').slice(0, 32);
    if (!lines.has(`YARD_${hash}`)) return `YARD_${hash}`;
  }
}

/** As the kernel reads a `#!` line: the program, then everything else as one argument (execve(2)). */
function interpreterOf(script: string): string {
  const match = /^#![ \t]*([^ \t\n]+)(?:[ \t]+([^\n]*?))?[ \t]*(?:\n|$)/.exec(script);
  if (!match) throw new Error('the script has no interpreter line such as #!/bin/bash');
  return [match[1]!, match[2] ?? '']
    .filter((word) => word !== '')
    .map(quote)
    .join(' ');
}

/** One word for sh, whatever is in it. */
function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * A command as a script. A line of sh can carry any byte but NUL in single quotes; `exec` leaves no shell between the
 * wrapper and the program.
 */
export function scriptOfCommand(command: readonly string[]): string {
  return `#!/bin/sh\nexec ${command.map(quote).join(' ')}\n`;
}

/*
 * Everything starts with _yard_, for a variable that the environment exports would change under the user's script.
 * Forks cost more than anything else here: no command substitution, and only cat, ln, the payload and rm are programs.
 */
const PROLOGUE = `#!/bin/sh
# Switchyard: starts the script below at most once, however many copies of this job there are, and records its end.
_yard_had_path=\${PATH+yes} _yard_path=\${PATH-}
PATH=/usr/bin:/bin:$_yard_path
`;

const BODY = `
# To the payload alone, as the cluster signals a script that has no wrapper: its srun must survive 'scancel -b' and '--signal=B:'.
_yard_forward() {
  _yard_caught="$_yard_caught $1"
  echo "signal $1" >&9
  [ -z "$_yard_pid" ] || kill "-$1" "$_yard_pid" 2>/dev/null
}
_yard_uptime() { _yard_up=0; read -r _yard_up _yard_rest </proc/uptime; } 2>/dev/null

# Which task, and who I am. The key makes the claim's first lines unlike any other start's, even on a host that was reset.
_yard_task=0
[ -z "\${YARD_ARRAY_COUNT-}" ] || _yard_task=\${SLURM_ARRAY_TASK_ID-\${LSB_JOBINDEX-}}
case $_yard_task in '' | *[!0-9]*) exit ${NO_CLAIM_EXIT} ;; esac
_yard_id=\${YARD_NATIVE_ID-}
[ -n "$_yard_id" ] || _yard_id=\${SLURM_ARRAY_JOB_ID:+\${SLURM_ARRAY_JOB_ID}_$_yard_task}
[ -n "$_yard_id" ] || _yard_id=\${SLURM_JOB_ID:-\${LSB_JOBID:-unknown}}
_yard_host=\${SLURMD_NODENAME-}
[ -n "$_yard_host" ] || { read -r _yard_host </proc/sys/kernel/hostname; } 2>/dev/null
_yard_key=$_yard_id.$$
{ read -r _yard_key </proc/sys/kernel/random/uuid; } 2>/dev/null
_yard_line="claim $_yard_id \${SLURM_RESTART_COUNT:-0} \${_yard_host:-unknown} \${EPOCHSECONDS:-0} $$"

# The script's text first: a full disk is found before anything is claimed.
_yard_mine=\${YARD_CLAIM_DIR:-/nonexistent}/.$_yard_task.$_yard_key
_yard_claim=\${YARD_CLAIM_DIR:-/nonexistent}/$_yard_task
[ -d "\${YARD_CLAIM_DIR:-/nonexistent}" ] || exit ${NO_CLAIM_EXIT}
_yard_script=\${TMPDIR:-/tmp}
[ -d "$_yard_script" ] && [ -w "$_yard_script" ] || _yard_script=/tmp
_yard_script=$_yard_script/yard-$_yard_key
_yard_write || { rm -f "$_yard_script"; exit ${NO_CLAIM_EXIT}; }

# The claim: a file of my own, linked to the one name that only one start can take. Whatever ln says, what is there decides.
set -C
{ printf '%s\\nkey %s\\n' "$_yard_line" "$_yard_key" >"$_yard_mine"; } 2>/dev/null || {
  rm -f "$_yard_mine" "$_yard_script"
  exit ${NO_CLAIM_EXIT}
}
set +C
# A background process of sh ignores INT and QUIT: bash can undo that itself, others need GNU env, which is tried here.
_yard_reset=
if [ -z "\${BASH_VERSION-}" ] && [ -x /usr/bin/env ]; then
  _yard_reset='/usr/bin/env --default-signal=INT,QUIT'
  $_yard_reset ln "$_yard_mine" "$_yard_claim" 2>/dev/null || _yard_reset=
fi
[ -n "$_yard_reset" ] || ln "$_yard_mine" "$_yard_claim" 2>/dev/null
_yard_first= _yard_second=
{ { read -r _yard_first && read -r _yard_second; } <"$_yard_claim"; } 2>/dev/null
if [ "$_yard_first" != "$_yard_line" ] || [ "$_yard_second" != "key $_yard_key" ]; then
  rm -f "$_yard_mine" "$_yard_script"
  [ -n "$_yard_first" ] && exit ${LOST_CLAIM_EXIT}
  exit ${NO_CLAIM_EXIT}
fi

# Won. The output was opened in append mode so that a losing copy empties nothing: empty it here.
[ "\${YARD_OPEN_MODE-}" = append ] || for _yard_fd in 1 2; do
  [ ! -f /proc/self/fd/$_yard_fd ] || { true >|/proc/self/fd/$_yard_fd; } 2>/dev/null
done
YARD_TASK_INDEX=$_yard_task YARD_NODES=\${SLURM_JOB_NUM_NODES:-\${YARD_NODES:-1}} YARD_NODE_RANK=\${SLURM_NODEID:-0}
export YARD_TASK_INDEX YARD_NODES YARD_NODE_RANK
# The whole array's numbers: a part of it on this cluster must not look like all of it.
if [ -n "\${YARD_ARRAY_COUNT-}" ] && [ -n "\${SLURM_ARRAY_TASK_ID-}" ]; then
  SLURM_ARRAY_TASK_COUNT=$YARD_ARRAY_COUNT SLURM_ARRAY_TASK_MIN=$YARD_ARRAY_MIN
  SLURM_ARRAY_TASK_MAX=$YARD_ARRAY_MAX SLURM_ARRAY_TASK_STEP=$YARD_ARRAY_STEP
  export SLURM_ARRAY_TASK_COUNT SLURM_ARRAY_TASK_MIN SLURM_ARRAY_TASK_MAX SLURM_ARRAY_TASK_STEP
elif [ -n "\${YARD_ARRAY_COUNT-}" ]; then
  LSB_JOBINDEX_END=$YARD_ARRAY_MAX LSB_JOBINDEX_STEP=$YARD_ARRAY_STEP
  export LSB_JOBINDEX_END LSB_JOBINDEX_STEP
fi
unset YARD_CLAIM_DIR YARD_OPEN_MODE YARD_NATIVE_ID

_yard_pid= _yard_caught=
trap '_yard_forward TERM' TERM
trap '_yard_forward INT' INT
trap '_yard_forward HUP' HUP
trap '_yard_forward USR1' USR1
trap '_yard_forward USR2' USR2
trap '_yard_forward CONT' CONT
_yard_uptime
command exec 9>>"$_yard_claim" && printf 'start %s\\nuptime %s\\n' "\${EPOCHSECONDS:-0}" "$_yard_up" >&9 || {
  rm -f "$_yard_mine" "$_yard_script"
  exit ${NO_CLAIM_EXIT}
}

# The payload in a process group of its own, so that its 'kill 0' does not reach this shell. Job control is off, so its standard input must be handed over by name.
_yard_setsid=/usr/bin/setsid
[ -x "$_yard_setsid" ] || _yard_setsid=
{ command exec 7<&0; } 2>/dev/null || exec 7</dev/null
(
  trap - TERM INT HUP QUIT USR1 USR2 CONT
  PATH=$_yard_path
  [ -n "$_yard_had_path" ] || unset PATH
  _yard_run <&7 7<&- 9>&-
) &
_yard_pid=$! _yard_early=$_yard_caught
for _yard_signal in $_yard_early; do kill "-$_yard_signal" "$_yard_pid" 2>/dev/null; done

# A trapped signal ends wait as a payload killed by that signal would: only a second wait tells them apart.
_yard_rc= _yard_gone=
while :; do
  _yard_caught=
  wait "$_yard_pid" 2>/dev/null
  _yard_status=$?
  [ "$_yard_status" -eq 127 ] && [ -n "$_yard_gone" ] && break
  _yard_rc=$_yard_status
  [ "$_yard_rc" -gt 128 ] && [ -n "$_yard_caught" ] || break
  _yard_gone=
  kill -0 "$_yard_pid" 2>/dev/null || _yard_gone=yes
done
trap '' TERM INT HUP USR1 USR2 CONT

# Peak memory and OOM kills of the job's own cgroup and those above it up to the job's; 0 where there is none.
_yard_peak=0 _yard_oom=0
_yard_cgroup() {
  while IFS=: read -r _yard_number _yard_controllers _yard_group; do
    case $_yard_controllers in
      '') _yard_base=/sys/fs/cgroup _yard_usage=memory.peak _yard_events=memory.events ;;
      memory | *,memory | memory,* | *,memory,*)
        _yard_base=/sys/fs/cgroup/memory _yard_usage=memory.max_usage_in_bytes _yard_events=memory.oom_control ;;
      *) continue ;;
    esac
    while :; do
      case $_yard_group in */job[_.][0-9]*) ;; *) break ;; esac
      _yard_value=
      read -r _yard_value <"$_yard_base$_yard_group/$_yard_usage"
      case $_yard_value in '' | *[!0-9]*) ;; *) [ "$_yard_value" -le "$_yard_peak" ] || _yard_peak=$_yard_value ;; esac
      [ ! -r "$_yard_base$_yard_group/$_yard_events" ] || while read -r _yard_name _yard_value; do
        [ "$_yard_name" = oom_kill ] && [ "$_yard_value" -gt "$_yard_oom" ] && _yard_oom=$_yard_value
      done <"$_yard_base$_yard_group/$_yard_events"
      _yard_group=\${_yard_group%/*}
    done
  done </proc/self/cgroup
}
_yard_cgroup 2>/dev/null
_yard_uptime
printf 'uptime %s\\nend %s %s %s %s\\n' "$_yard_up" "$_yard_rc" "\${EPOCHSECONDS:-0}" "$_yard_peak" "$_yard_oom" >&9
rm -f "$_yard_mine" "$_yard_script"

# Dies of the payload's signal, so that the cluster's own record says the same.
_yard_signal=$((_yard_rc - 128))
case $_yard_signal in
  9) kill -9 $$ ;;
  [1-8] | 1[0-6] | 2[4-7] | 29 | 30 | 31)
    ulimit -c 0
    trap - "$_yard_signal"
    kill "-$_yard_signal" $$
    ;;
esac 2>/dev/null
exit "$_yard_rc"
`;
