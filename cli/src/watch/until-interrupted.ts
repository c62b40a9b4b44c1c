import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-code.ts';

/** Runs something that Ctrl-C ends: quietly, with the exit code that a shell expects. */
export async function untilInterrupted(cli: Cli, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const forget = cli.io.onInterrupt(() => stop.abort());
  try {
    await work(stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    cli.exitCode = EXIT.interrupted;
  } finally {
    forget();
  }
}
