import { setTimeout as delay } from 'node:timers/promises';
import type { AgentConfig } from '../agent-config.ts';
import type { Backend } from '../backend.ts';
import type { HighestPlacement } from '../highest-placement.ts';
import type { Log } from '../log.ts';
import { type BrokerStream, type FromBroker, openBrokerStream, type StreamEnd } from './broker-stream.ts';
import { createMessageHandler, type MessageHandler } from './message-handler.ts';
import { firstPart, wireSize } from './message-size.ts';
import type { ObservationOutbox } from './observation-outbox.ts';
import type { ObserveLoop } from './observe-loop.ts';
import { startReports } from './reports.ts';
import { knownRunToWire, statusToWire } from './to-wire.ts';

const PROTOCOL_VERSION = 1;
const WELCOME_WITHIN_MS = 20_000;
/** An observation whose acknowledgement is lost goes out again. */
const FLUSH_EVERY_MS = 2000;
const FLUSH_GAP_MS = 50;

export type LinkParts = {
  readonly config: AgentConfig;
  readonly backend: Backend;
  readonly nativeOptions: readonly string[];
  readonly version: string;
  readonly highest: HighestPlacement;
  readonly outbox: ObservationOutbox;
  readonly loop: ObserveLoop;
  readonly log: Log;
};

export type Session = {
  readonly ended: Promise<StreamEnd & { readonly wasWelcome: boolean }>;
  /** The broker has taken this session, and it has not ended. */
  isWelcome(): boolean;
  close(): void;
};

type Welcome = Extract<FromBroker, { $case: 'welcome' }>['value'];

/** One stream from Hello to its end: inventory first, then whatever changes, while the broker says what it wants. */
export function startSession(parts: LinkParts): Session {
  const stop = new AbortController();
  const welcomed = Promise.withResolvers<Welcome>();
  let handler: MessageHandler | null = null;
  let wasWelcome = false;
  let failure: string | null = null;
  const stream = openBrokerStream(parts.config, (message) => {
    if (handler) handler.handle(message);
    else if (message.$case === 'welcome') welcomed.resolve(message.value);
  });

  const run = async () => {
    await hello(stream, parts);
    const welcome = await Promise.race([welcomed.promise, late(stop.signal)]);
    if (welcome.protocolVersion !== PROTOCOL_VERSION)
      throw new Error(`the broker speaks protocol ${welcome.protocolVersion}, this agent ${PROTOCOL_VERSION}`);
    const problem = wrongFederation(parts.config, welcome.federation);
    if (problem !== null) throw new Error(problem);
    wasWelcome = true;
    const { config, highest, log, outbox, loop } = parts;
    log.info(`connected to ${config.broker} as ${config.cluster}, session ${welcome.sessionEpoch}`);
    await highest.raise(welcome.placementNumber);
    const flush = startFlushing(stream, outbox, stop.signal);
    handler = createMessageHandler({ ...parts, stream, federation: welcome.federation, flush });
    await sendInventory(stream, parts, welcome.placementNumber, stop.signal);
    loop.onChange(flush, stop.signal);
    startReports(stream, { ...parts, federation: welcome.federation }, stop.signal);
    flush();
  };

  const ended = stream.ended.then((end) => {
    stop.abort();
    return { code: end.code, sentence: failure ?? end.sentence, wasWelcome };
  });
  run().catch((error: Error) => {
    failure ??= error.message;
    stream.close();
  });
  return { ended, isWelcome: () => wasWelcome && !stop.signal.aborted, close: stream.close };
}

async function hello(stream: BrokerStream, { config, backend, highest, nativeOptions, version }: LinkParts) {
  await stream.write({
    $case: 'hello',
    value: {
      protocolVersion: PROTOCOL_VERSION,
      cluster: config.cluster,
      kind: config.kind,
      fingerprint: await backend.fingerprint(),
      agentVersion: version,
      highestPlacementNumber: highest.value(),
      filesystems: [...config.filesystems],
      labels: config.labels,
      backlog: config.backlog,
      allowedNativeOptions: [...nativeOptions],
    },
  });
}

/** Jobs that one federation has marked must never be told to another. */
function wrongFederation({ federation = '', broker }: AgentConfig, actual: string): string | null {
  if (federation === '' || federation === actual) return null;
  return (
    `this agent's file is of federation ${federation}, the broker at ${broker} is ${actual}; ` +
    "nothing is done until 'broker' and 'token', or 'federation', in the file are put right"
  );
}

async function late(signal: AbortSignal): Promise<never> {
  await delay(WELCOME_WITHIN_MS, null, { signal });
  throw new Error('the broker did not answer the Hello');
}

/** All runs, as a fresh listing shows them: what the broker reconciles with. */
async function sendInventory(stream: BrokerStream, parts: LinkParts, above: number, signal: AbortSignal) {
  await parts.loop.observeNow(signal);
  parts.outbox.reset();
  let left = await parts.backend.inventory(above);
  do {
    const part = firstPart(left, ({ order, status }) => wireSize(status) + order.tasks.length);
    left = left.slice(part.length);
    await stream.write({
      $case: 'inventory',
      value: { runs: part.map(knownRunToWire), last: left.length === 0 },
    });
  } while (left.length > 0);
}

/**
 * The returned function sends what waits: at once after a pause, and under load in one message for all that came meanwhile, for
 * each message is a transaction of the broker.
 */
function startFlushing(stream: BrokerStream, outbox: ObservationOutbox, signal: AbortSignal): () => void {
  let scheduled = false;
  let sentMs = Number.NEGATIVE_INFINITY;
  const send = () => {
    scheduled = false;
    const nowMs = performance.now();
    const batch = signal.aborted ? null : outbox.take(nowMs);
    if (!batch) return;
    sentMs = nowMs;
    const runs = batch.runs.map(statusToWire);
    void stream.write({ $case: 'observations', value: { counter: batch.counter, runs } });
  };
  const flush = () => {
    if (scheduled) return;
    scheduled = true;
    const waitMs = sentMs + FLUSH_GAP_MS - performance.now();
    if (waitMs > 0) setTimeout(send, waitMs);
    else setImmediate(send);
  };
  const timer = setInterval(flush, FLUSH_EVERY_MS);
  signal.addEventListener('abort', () => clearInterval(timer));
  return flush;
}
