import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { createLimiter } from './limiter.ts';

/** One program to run here: an argument vector, never a shell. */
export type Command = {
  readonly file: string;
  readonly args: readonly string[];
  readonly stdin?: string | Uint8Array;
  /** What the program can read from file descriptor 3, for what must not stand in an argument or on disk. */
  readonly fd3?: string | Uint8Array;
  /** The whole environment; without it the agent's own. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly timeoutMs: number;
  /** Of standard output and of standard error, each. */
  readonly maxOutputBytes: number;
};

type Output = { readonly stdout: string; readonly stderr: string };
export type CommandResult =
  | ({ readonly kind: 'exited'; readonly code: number } & Output)
  | ({ readonly kind: 'signalled'; readonly signal: string } & Output)
  /** Killed after `timeoutMs`: whatever it was asked to do may have happened. */
  | ({ readonly kind: 'timeout' } & Output)
  /** Killed because it wrote more than `maxOutputBytes`; what it wrote until then is not trusted. */
  | ({ readonly kind: 'too_much_output' } & Output)
  /** It never ran. */
  | ({ readonly kind: 'not_found'; readonly message: string } & Output);

/** Schedulers serve few clients at once; more of ours at a time would only wait in their queue. */
const CONCURRENT_COMMANDS = 8;
const limit = createLimiter(CONCURRENT_COMMANDS);

/** Runs a program to its end, or to the limit of its time or output; never throws. */
export function runCommand(command: Command): Promise<CommandResult> {
  return limit(() => start(command));
}

function start(command: Command): Promise<CommandResult> {
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      child = spawn(command.file, command.args, {
        env: (command.env ?? process.env) as NodeJS.ProcessEnv,
        ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
        stdio: [
          command.stdin === undefined ? 'ignore' : 'pipe',
          'pipe',
          'pipe',
          command.fd3 === undefined ? 'ignore' : 'pipe',
        ],
        windowsHide: true,
      });
    } catch (error) {
      resolve({ kind: 'not_found', message: String(error), stdout: '', stderr: '' });
      return;
    }
    follow(child, command, resolve);
  });
}

function follow(child: ChildProcess, command: Command, resolve: (result: CommandResult) => void): void {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const output = (): Output => ({ stdout: text(stdout), stderr: text(stderr) });
  const finish = (result: CommandResult) => {
    clearTimeout(timer);
    resolve(result);
  };
  // A grandchild may hold the pipes open for ever: after the kill nobody waits for them.
  const stop = (kind: 'timeout' | 'too_much_output') => {
    child.kill('SIGKILL');
    for (const stream of child.stdio) stream?.destroy();
    finish({ kind, ...output() });
  };
  const timer = setTimeout(() => stop('timeout'), command.timeoutMs);

  collect(child.stdout!, stdout, command.maxOutputBytes, () => stop('too_much_output'));
  collect(child.stderr!, stderr, command.maxOutputBytes, () => stop('too_much_output'));
  feed(child.stdin, command.stdin);
  feed(child.stdio[3] as Writable | null | undefined, command.fd3);
  child.on('error', (error) => finish({ kind: 'not_found', message: error.message, ...output() }));
  child.on('close', (code, signal) =>
    finish(
      code === null
        ? { kind: 'signalled', signal: (signal ?? 'SIGKILL').slice(3), ...output() }
        : { kind: 'exited', code, ...output() },
    ),
  );
}

function collect(stream: Readable, into: Buffer[], limitBytes: number, overflow: () => void): void {
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > limitBytes) overflow();
    else into.push(chunk);
  });
}

/** A program that does not read its input to the end is no error of ours (EPIPE). */
function feed(stream: Writable | null | undefined, data: string | Uint8Array | undefined): void {
  if (!stream || data === undefined) return;
  stream.on('error', () => {});
  stream.end(data);
}

function text(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8');
}
