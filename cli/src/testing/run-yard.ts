import { Readable, Writable } from 'node:stream';
import type { Io } from '../io.ts';
import { run } from '../run.ts';

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string; readonly bytes: Buffer };

type Settings = {
  readonly url?: string;
  readonly stdin?: string;
  /** Columns of a terminal; without, both outputs are pipes. */
  readonly columns?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly nowMs?: number;
  /** Called with what Ctrl-C does, as soon as somebody listens. */
  readonly onListening?: (interrupt: () => void) => void;
};

/** One command line in this process, with a world of its own. */
export async function runYard(args: readonly string[], settings: Settings = {}): Promise<Ran> {
  const stdout = collector(settings.columns);
  const stderr = collector(settings.columns);
  const listen = (handler: () => void) => {
    settings.onListening?.(handler);
    return () => {};
  };
  const io: Io = {
    stdin: Readable.from(settings.stdin === undefined ? [] : [Buffer.from(settings.stdin)]),
    stdout: stdout.stream,
    stderr: stderr.stream,
    env: {
      HOME: '/nonexistent',
      TERM: 'xterm',
      ...(settings.url === undefined ? {} : { YARD_URL: settings.url, YARD_TOKEN: 'yt_test-token' }),
      ...settings.env,
    },
    cwd: settings.cwd ?? '/scratch/here',
    now: () => settings.nowMs ?? Date.now(),
    onInterrupt: listen,
  };
  const code = await run(args, io);
  return { code, stdout: stdout.bytes().toString(), stderr: stderr.bytes().toString(), bytes: stdout.bytes() };
}

function collector(columns: number | undefined) {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _, done) => {
      chunks.push(chunk);
      done();
    },
  });
  if (columns !== undefined) Object.assign(stream, { isTTY: true, columns });
  return { stream, bytes: () => Buffer.concat(chunks) };
}
