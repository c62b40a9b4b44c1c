import type { BrokerStream } from './broker-stream.ts';
import type { LinkParts } from './session.ts';
import { capacityToWire } from './to-wire.ts';

const REPORT_EVERY_MS = 5000;
/** A cluster that is slow to say what it has is asked less often: at most a twentieth of the time. */
const REPORT_SHARE = 20;
/** Well below the 30 seconds after which a silent cluster counts as out of sight. */
const LONGEST_MS = 20_000;
const ALIVE_EVERY_MS = 5000;

/** Capacity every few seconds, strays when they change, and a sign of life while agent and cluster both answer. */
export function startReports(
  stream: BrokerStream,
  { backend, loop, log, federation }: LinkParts & { readonly federation: string },
  signal: AbortSignal,
): void {
  let timer: NodeJS.Timeout | undefined;
  let answered = true;
  const report = async () => {
    const started = performance.now();
    try {
      const value = capacityToWire(await backend.capacity());
      if (!answered) log.info('the cluster says again what it has');
      answered = true;
      if (!signal.aborted) await stream.write({ $case: 'capacity', value });
    } catch (error) {
      if (answered) log.warn(`the cluster does not say what it has: ${(error as Error).message}`);
      answered = false;
    }
    const tookMs = performance.now() - started;
    const waitMs = Math.min(LONGEST_MS, Math.max(REPORT_EVERY_MS, tookMs * REPORT_SHARE));
    if (!signal.aborted) timer = setTimeout(() => void report(), waitMs);
  };
  const alive = setInterval(() => {
    if (answered && loop.isAnswering()) void stream.write({ $case: 'alive', value: {} });
  }, ALIVE_EVERY_MS);

  let said = '[]';
  const tellStrays = () => {
    const strays = loop
      .strays()
      .filter((stray) => stray.federation === federation)
      .map(({ federation: _, ...stray }) => stray);
    const text = JSON.stringify(strays);
    if (text === said || signal.aborted) return;
    said = text;
    void stream.write({ $case: 'strays', value: { strays } });
  };
  loop.onChange(tellStrays, signal);
  tellStrays();
  void report();
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    clearInterval(alive);
  });
}
