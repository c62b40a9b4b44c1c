import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** A program of ours as a real process, with its output kept for the failure message. */
export type Program = {
  readonly name: string;
  readonly child: ChildProcess;
  output(): string;
  running(): boolean;
  /** Waits until the output matches; fails with the output when the program ends first. */
  says(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** Sends the signal and waits for the end. */
  end(signal?: NodeJS.Signals): Promise<void>;
};

const KEPT_CHARACTERS = 200_000;

export function startProgram(name: string, argv: readonly string[], env: NodeJS.ProcessEnv, cwd?: string): Program {
  const child = spawn(argv[0]!, argv.slice(1), { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-KEPT_CHARACTERS);
      for (const listener of listeners) listener();
    });
  }
  const ended = once(child, 'exit').then(
    () => {
      for (const listener of listeners) listener();
    },
    (error) => {
      text += String(error);
    },
  );
  const running = () => child.exitCode === null && child.signalCode === null;

  return {
    name,
    child,
    output: () => text,
    running,
    says: (pattern, timeoutMs = 60_000) =>
      new Promise((resolve, reject) => {
        const fail = (why: string) =>
          finish(() => reject(new Error(`${name} ${why} (waited for ${pattern})\n${text.slice(-4000)}`)));
        const timer = setTimeout(() => fail(`said nothing of it in ${timeoutMs} ms`), timeoutMs);
        const look = () => {
          const match = pattern.exec(text);
          if (match) finish(() => resolve(match));
          else if (!running()) fail(`ended with ${child.exitCode ?? child.signalCode}`);
        };
        const finish = (then: () => void) => {
          clearTimeout(timer);
          listeners.delete(look);
          then();
        };
        listeners.add(look);
        look();
      }),
    end: async (signal = 'SIGTERM') => {
      if (running()) child.kill(signal);
      await ended;
    },
  };
}
