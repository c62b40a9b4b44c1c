import { contains } from '@switchyard/core/spec/range-set.ts';
import { cancelCommand } from './commands.ts';
import type { ListedJob } from './parse/listing.ts';
import { describeEnd, type RunSlurm, SlurmUnanswered } from './slurm-commands.ts';
import { stateMeaning } from './states.ts';

type Target = { readonly nativeId: string; readonly marker: string };

/** One command line holds this many ids easily; scancel asks slurmctld for each in turn. */
const IDS_PER_COMMAND = 500;

/**
 * Cancels those targets that a fresh listing of our jobs shows, with our marker and not ended (I8: a number may be somebody
 * else's by now). Throws when scancel is not known to have reached the controller; the caller repeats.
 */
export async function killJobs(options: {
  run: RunSlurm;
  targets: readonly Target[];
  listing: () => Promise<readonly ListedJob[]>;
}): Promise<void> {
  if (options.targets.length === 0) return;
  const open = (await options.listing()).filter((job) => stateMeaning(job.state).phase !== 'ended');
  // Thousands of targets against as many jobs: each is compared with those of its own number only.
  const jobs = Map.groupBy(open, ({ baseId }) => baseId);
  const ids = options.targets
    .filter((target) => jobs.get(target.nativeId.split('_')[0]!)?.some((job) => isTarget(job, target)))
    .map(({ nativeId }) => nativeId);
  for (let at = 0; at < ids.length; at += IDS_PER_COMMAND)
    await cancel(options.run, ids.slice(at, at + IDS_PER_COMMAND));
}

/** `123` is the job or everything left of the array; `123_4` is one task, waiting in a merged line or running alone. */
function isTarget(job: ListedJob, { nativeId, marker }: Target): boolean {
  const task = nativeId.split('_')[1];
  if (job.comment !== marker) return false;
  return task === undefined || (job.tasks != null && contains(job.tasks, Number(task)));
}

async function cancel(run: RunSlurm, ids: readonly string[]): Promise<void> {
  const result = await run(cancelCommand(ids));
  if (result.kind === 'exited' && (result.code === 0 || isOver(result.stderr))) return;
  throw new SlurmUnanswered(`scancel ${describeEnd(result)}`);
}

/** Every complaint is that a job ended in between, which is what was wanted. */
function isOver(stderr: string): boolean {
  const complaints = stderr.split('\n').filter((line) => line.trim() !== '');
  return (
    complaints.length > 0 &&
    complaints.every((line) => /Invalid job id|already completing or completed|No such process/i.test(line))
  );
}
