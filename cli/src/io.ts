import { Buffer } from 'node:buffer';
import { once } from 'node:events';

type Input = NodeJS.ReadableStream & { isTTY?: boolean; setRawMode?(raw: boolean): unknown };
type Output = NodeJS.WritableStream & { isTTY?: boolean; columns?: number; writableNeedDrain?: boolean };

/** Everything outside that a command touches, so that a test can give its own. Data goes to stdout, words to stderr. */
export type Io = {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  now(): number;
  /** Ctrl-C, until the returned function is called. */
  onInterrupt(handler: () => void): () => void;
};

export function processIo(): Io {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    now: Date.now,
    onInterrupt: (handler) => {
      process.on('SIGINT', handler);
      return () => process.off('SIGINT', handler);
    },
  };
}

/** Writes without ever holding more than the reader takes. */
export async function writeSlowly(output: Output, data: Uint8Array | string): Promise<void> {
  if (!output.write(data)) await once(output, 'drain');
}

export async function readAll(input: Input): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(Buffer.from(chunk as Uint8Array | string));
  return Buffer.concat(chunks).toString('utf8');
}
