import type { SubmitAnswer } from '@switchyard/agent-runtime/native-queue.ts';

/** How sbatch ended; `exitCode` null: it was killed, by us after a timeout or by somebody else. */
export type SubmitEnd = { readonly exitCode: number | null; readonly stdout: string; readonly stderr: string };

/**
 * What an end of sbatch says (messages of slurm_errno.c, the same from 20.11 to 26.05). Only a refusal that the controller
 * is known to have spoken counts as one: everything else may have been accepted, for replies get lost.
 */
export function parseSubmitAnswer(end: SubmitEnd): SubmitAnswer {
  const id = submittedId(end.stdout);
  if (id !== null) return { kind: 'submitted', nativeId: id };
  const sentence = wordsOf(end.stderr);
  if (end.exitCode === null) return { kind: 'unknown', sentence: `sbatch was ended before it answered: ${sentence}` };
  if (end.exitCode === 0) return { kind: 'unknown', sentence: `sbatch printed no job id: ${sentence}` };
  const said = /Batch job submission failed: (.*)/.exec(end.stderr);
  if (said === null) return withoutController(end.stderr, sentence);
  const refusal = refusalOf(said[1]!.trim(), end.stderr);
  return refusal === null
    ? { kind: 'unknown', sentence }
    : { kind: 'refused', sentence, permanent: refusal === 'permanent' };
}

/** `--parsable` prints `id` or `id;cluster`; a site's plug-in may print a banner before it. */
function submittedId(stdout: string): string | null {
  const line = stdout
    .split('\n')
    .map((each) => each.trim())
    .findLast((each) => /^[1-9]\d*(;\S*)?$/.test(each));
  return line === undefined ? null : line.split(';')[0]!;
}

/** sbatch refuses what it cannot read before it asks anybody; what it says of the network is another matter. */
function withoutController(stderr: string, sentence: string): SubmitAnswer {
  const own = /^sbatch: (error|fatal|unrecognized option|invalid option)|^sbatch: option /m.test(stderr);
  const network = /contact|socket|connect|timed out|transmitted|retrying|authenticat|munge|slurm_persist/i.test(stderr);
  return own && !network ? { kind: 'refused', sentence, permanent: true } : { kind: 'unknown', sentence };
}

function refusalOf(message: string, stderr: string): 'permanent' | 'temporary' | null {
  if (/(MaxSubmit|GrpSubmit)\w*Limit/.test(stderr)) return 'temporary';
  if (INVALID.test(message) || PERMANENT.some((each) => message.startsWith(each))) return 'permanent';
  if (TEMPORARY.some((each) => message.startsWith(each))) return 'temporary';
  return null;
}

/** The words of sbatch without its prefix, in one line that fits a message. */
function wordsOf(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.replace(/^sbatch: (error|fatal): /, '').trim());
  const text = [...new Set(lines.filter((line) => line !== ''))].join('; ');
  return text === '' ? 'it said nothing' : text.slice(0, 1000);
}

/** `Invalid partition name specified` and its many sisters; a credential or a system call is not the job's fault. */
const INVALID = /^Invalid (?!auth|argument|job credential|MPI)/;

const PERMANENT = [
  'Access/permission denied',
  'Access denied to requested reservation',
  'Batch job submission failed',
  'Burst Buffer permission denied',
  'CPU count specification invalid',
  'Cannot request more threads per core',
  'Core count for reservation',
  'Duplicate generic resource (gres) specification',
  'Environment is missing in job',
  'Group ID not found on host',
  'Job --batch option is invalid',
  'Job dependency problem',
  'Job size specification needs to be provided',
  'Job violates accounting/QOS policy',
  'Memory required by task is not available',
  'Memory specification can not be satisfied',
  'More processors requested than permitted',
  'Multiple partition job request not supported',
  'No partition specified or system default partition',
  'Node count specification invalid',
  'Only batch jobs are accepted or processed',
  'Pathname of a file, directory or other parameter too long',
  'Requested GRES option unsupported',
  'Requested account has breached requested QOS usage threshold',
  'Requested more tasks than available processors',
  'Requested node configuration is not available',
  'Requested nodes not in this partition',
  'Requested operation not supported on this system',
  'Requested partition configuration not available now',
  'Requested reservation is invalid',
  'Requested time limit is invalid',
  'Script is empty',
  'Switch resources',
  'Task count specification invalid',
  'Task distribution specification invalid',
  'Time limit specification required, but not provided',
  'Unspecified error',
  'User not found on host',
  "User's group not permitted to use this partition",
];

const TEMPORARY = [
  'Job can not start due to maintenance reservation',
  'Required node not available (down, drained or reserved)',
  'Required partition not available (inactive or drain)',
  'Requested operation is presently disabled',
  'Requested reservation is in use',
  'Requested reservation not usable now',
  'Resource temporarily unavailable',
  'Slurm temporarily unable to accept job',
  'Unable to create job record, try again',
];
