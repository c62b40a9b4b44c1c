import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Broker } from './broker.ts';
import { getJob, type JobDetail } from './db/get-job.ts';
import type { JobEvent } from './db/job-events.ts';
import { jobEvents } from './db/job-events.ts';
import { readLogPiece, runToRead } from './http/log-source.ts';

const EVERYTHING = { seeAll: true, groups: [] };
const LOOK_MS = 100;
/** A newcomer's two local clusters take seconds; a real queue may take as long as it likes, without us. */
const GIVE_UP_MS = 120_000;

/**
 * Submits the first job as any client would, and tells its life in one line each, so that the whole way is seen to work before
 * anybody types anything.
 */
export async function tellHelloJob(
  { app, db }: Broker,
  token: string,
  say: (line: string) => void,
  signal: AbortSignal,
) {
  const answer = await app.inject({
    method: 'POST',
    url: '/v1/jobs',
    headers: { authorization: `Bearer ${token}` },
    payload: { spec: { script: readFileSync(exampleFile(), 'utf8') } },
  });
  if (answer.statusCode !== 201) return say(`was refused: ${answer.json().detail}`);
  const { id, number } = answer.json() as { id: string; number: number };
  let after = 0;
  for (const until = Date.now() + GIVE_UP_MS; Date.now() < until && !signal.aborted; ) {
    const events = await jobEvents(db, EVERYTHING, { jobId: id, afterSequence: after, limit: 100 });
    const job = await getJob(db, EVERYTHING, id);
    for (const event of events) {
      const sentence = job && sentenceOf(event, job);
      if (sentence) say(sentence);
      after = event.sequence;
    }
    if (job && events.at(-1)?.kind === 'ended') return tellOutput(app, job, say);
    await delay(LOOK_MS, undefined, { signal }).catch(() => {});
  }
  if (!signal.aborted) say(`job ${number} still waits; yard show ${number} tells why`);
}

function sentenceOf({ kind, data, at }: JobEvent, job: JobDetail): string | null {
  const where = data['cluster'] ?? job.cluster;
  if (kind === 'submitted') return `submitted as job ${job.number}`;
  if (kind === 'placed') return `placed on ${where}`;
  if (kind === 'running') return `running on ${where}`;
  if (kind === 'requeued') return 'goes back to the queue';
  if (kind !== 'ended') return null;
  const seconds = (Date.parse(job.endedAt ?? at) - Date.parse(job.startedAt ?? job.createdAt)) / 1000;
  const why = job.state === 'succeeded' ? '' : `: ${job.detail ?? job.reason ?? 'no reason is known'}`;
  return `${job.state} after ${Math.max(0, seconds).toFixed(1)} s${why}`;
}

async function tellOutput(app: Broker['app'], job: JobDetail, say: (line: string) => void): Promise<void> {
  const run = runToRead(job, 0);
  if (run === null) return;
  const piece = { run, task: 0, rank: 0, stream: 'stdout', offset: 0, limitBytes: 4096, waitMs: 0 } as const;
  const chunk = await readLogPiece(app.parts, { seeAll: true, groups: [] }, piece);
  for (const line of chunk?.data.toString('utf8').split('\n') ?? []) if (line !== '') say(`  ${printable(line)}`);
}

/** Nothing a job writes may steer the terminal. */
function printable(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this removes
  return line.replace(/[\u0000-\u001f\u007f-\u009f]/g, '·').slice(0, 200);
}

/** Beside a bundle, or at the root of the checkout. */
function exampleFile(): string {
  const bundled = join(import.meta.dirname, 'examples/hello.sh');
  return existsSync(bundled) ? bundled : join(import.meta.dirname, '../../examples/hello.sh');
}
