import type { Daemon } from '../../slurm/daemon.ts';
import { until } from '../../support/until.ts';

/** Seconds on a machine with nothing else to do; some people have less. */
const READY_MS = 110_000;

/** Waits for the first good answer of a daemon that was just started; fails at once when it has ended. */
export async function untilReady(what: string, daemon: Daemon, ask: () => Promise<boolean> | boolean): Promise<void> {
  const seen = await until(what, async () => (daemon.running() ? (await ask()) && 'ready' : 'ended'), {
    everyMs: 50,
    timeoutMs: READY_MS,
    describe: () => daemon.said(),
  });
  if (seen === 'ended') throw new Error(`waited for: ${what}. It ended: ${daemon.said()}`);
}
