import type { Job } from '../api/api-types.ts';
import { type Cli, look } from '../cli.ts';
import { ageOf } from '../format/age.ts';
import { displayWidth, truncateToWidth } from '../format/display-width.ts';
import { ENDED, reasonWords } from '../format/job-words.ts';
import { plainText } from '../format/plain-text.ts';
import { stateText } from '../format/state.ts';
import { paint } from '../format/styled.ts';

export type Progress = {
  state(job: Job): void;
  silence(problem: Error): void;
  /** Leaves the line free for the words that follow. */
  clear(): void;
};

/** On a terminal one line that is redrawn every second; elsewhere one line for every change. */
export function createProgress(cli: Cli, options: { redraw: boolean }): Progress {
  return options.redraw && cli.io.stderr.isTTY && cli.io.env['TERM'] !== 'dumb' ? redrawn(cli) : appended(cli);
}

function redrawn(cli: Cli): Progress {
  const { width = 80, colours } = look(cli, 'stderr');
  let job: Job | null = null;
  let problem = '';
  let drawn = false;
  const draw = () => {
    if (job === null && problem === '') return;
    const state = job ? stateText(job.state, job) : { text: '' };
    const rest = job ? lineAfterState(job, cli.io.now()) : '';
    const room = width - 1 - displayWidth(state.text);
    const text = truncateToWidth(plainText(`${rest}${problem ? `  (${problem})` : ''}`), room);
    cli.io.stderr.write(`\r\u001b[2K${paint(state, colours)}${text}`);
    drawn = true;
  };
  const timer = setInterval(draw, 1000);
  timer.unref();
  return {
    state: (now) => {
      job = now;
      problem = '';
      draw();
    },
    silence: (error) => {
      problem = `waiting for the broker: ${error.message}`;
      draw();
    },
    clear: () => {
      clearInterval(timer);
      if (drawn) cli.io.stderr.write('\r\u001b[2K');
      drawn = false;
    },
  };
}

function lineAfterState(job: Job, nowMs: number): string {
  const reason = reasonWords(job);
  const parts = [job.cluster, ageOf(job.createdAt, nowMs), `job ${job.number}`, job.name, reason];
  return parts.map((part) => (part ? `  ${part}` : '')).join('');
}

function appended(cli: Cli): Progress {
  const { colours } = look(cli, 'stderr');
  let last = '';
  const once = (key: string, line: string) => {
    if (key !== last) cli.io.stderr.write(`${line}\n`);
    last = key;
  };
  return {
    state: (job) => {
      // The end has a sentence of its own.
      if (ENDED.has(job.state)) return;
      const where = job.cluster && job.state !== 'queued' ? ` on ${job.cluster}` : '';
      const native = job.nativeId ? ` as ${job.nativeId}` : '';
      const reason = reasonWords(job);
      const state = paint(stateText(job.state, job), colours);
      const words = plainText(`${where}${native}${reason && !native ? `: ${reason}` : ''}`);
      once(`${job.state} ${job.cluster} ${job.unreachable}`, `job ${job.number} ${state}${words}`);
    },
    silence: (problem) => once('silence', plainText(`waiting for the broker: ${problem.message}`)),
    clear: () => {},
  };
}
