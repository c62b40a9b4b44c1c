import type { ApiClient } from '../api/api-client.ts';
import type { Job } from '../api/api-types.ts';
import { type Cli, look, print, say } from '../cli.ts';
import { EXIT, exitCodeOf } from '../exit-code.ts';
import { endSentence } from '../format/job-words.ts';
import { plainText } from '../format/plain-text.ts';
import { stateText } from '../format/state.ts';
import { paint } from '../format/styled.ts';
import { followJob, LOOK_EVERY_MS } from './follow-job.ts';
import { createProgress } from './progress.ts';

/**
 * Waits for all these jobs and answers with the code of the first one, in the order given, that did not succeed. Ctrl-C ends the wait
 * and never a job.
 */
export async function waitForJobs(
  cli: Cli,
  client: ApiClient,
  ids: readonly string[],
  options: { quiet?: boolean } = {},
): Promise<number> {
  const stop = new AbortController();
  const forget = cli.io.onInterrupt(() => stop.abort());
  // One broken wait ends all of them: what it would add to the exit code is not known.
  const failed = (error: unknown) => {
    stop.abort();
    throw error;
  };
  try {
    const waits = ids.map((id) => waitForOne(cli, client, id, stop.signal, { ...options, all: ids.length }));
    const settled = await Promise.allSettled(waits.map((wait) => wait.catch(failed)));
    const problem = settled.find((each) => each.status === 'rejected' && !isAbort(each.reason));
    if (problem) throw (problem as PromiseRejectedResult).reason;
    if (settled.some((each) => each.status === 'rejected')) return interrupted(cli, ids);
    return (
      settled.map((each) => exitCodeOf((each as PromiseFulfilledResult<Job>).value)).find((code) => code !== 0) ?? 0
    );
  } finally {
    forget();
  }
}

/** More streams than this would cost the broker more than the waiting is worth. */
const MAX_STREAMS = 16;
/** However many jobs, not more than twenty looks a second. */
const GAP_MS = 50;

async function waitForOne(
  cli: Cli,
  client: ApiClient,
  id: string,
  signal: AbortSignal,
  { quiet, all }: { quiet?: boolean; all: number },
): Promise<Job> {
  const progress = createProgress(cli, { redraw: all === 1 });
  try {
    const job = await followJob(client, id, {
      signal,
      onState: (now) => quiet || progress.state(now),
      onSilence: (problem) => quiet || progress.silence(problem),
      live: all <= MAX_STREAMS,
      lookEveryMs: Math.max(LOOK_EVERY_MS, all * GAP_MS),
    });
    progress.clear();
    if (!quiet) reportEnd(cli, job);
    return job;
  } finally {
    progress.clear();
  }
}

/** A sentence for people on stderr; for programs the path of the output on stdout. */
function reportEnd(cli: Cli, job: Job): void {
  const { text, colour } = stateText(job.state);
  const icon = paint({ text: text[0]!, ...(colour ? { colour } : {}) }, look(cli, 'stderr').colours);
  const detail = job.detail ? `: ${job.detail.replace(/\.$/, '')}` : '';
  say(cli, `${icon} ${plainText(`${endSentence(job)}${detail}.`)}`);
  if (job.stdoutPath) print(cli, job.stdoutPath);
}

function isAbort(error: unknown): boolean {
  return (error as Error)?.name === 'AbortError';
}

function interrupted(cli: Cli, ids: readonly string[]): number {
  const [jobs, go] = ids.length === 1 ? [`Job ${ids[0]}`, 'goes'] : ['The jobs', 'go'];
  say(
    cli,
    `${jobs} ${go} on; only the waiting stopped. \`yard wait ${ids.join(' ')}\` waits again, \`yard cancel\` ends.`,
  );
  return EXIT.interrupted;
}
