import { setTimeout as delay } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { backoffMs } from './backoff.ts';
import { createObservationOutbox } from './observation-outbox.ts';
import { startObserveLoop } from './observe-loop.ts';
import { type LinkParts, startSession } from './session.ts';

export type BrokerLink = {
  /** Why nothing can be placed here now, as a sentence; null when all is well. */
  problem(): string | null;
  /** Ends the session; nothing on the cluster changes. */
  stop(): Promise<void>;
};

/** What a human must put right; the agent tries on, but slowly. */
const HOPELESS: readonly number[] = [
  status.UNAUTHENTICATED,
  status.PERMISSION_DENIED,
  status.FAILED_PRECONDITION,
  status.UNIMPLEMENTED,
];
const HOPELESS_FAILURES = 7;

/** Keeps one session with the broker for as long as the agent lives, and observes the cluster with or without one. */
export function startBrokerLink(given: Omit<LinkParts, 'outbox' | 'loop'>): BrokerLink {
  const outbox = createObservationOutbox();
  const loop = startObserveLoop(given.backend, outbox, given.log);
  const parts: LinkParts = { ...given, outbox, loop };
  const stop = new AbortController();
  let failures = 0;
  let said = '';
  let isWelcome = () => false;

  const once = async () => {
    const session = startSession(parts);
    isWelcome = session.isWelcome;
    const close = () => session.close();
    stop.signal.addEventListener('abort', close);
    const { code, sentence, wasWelcome } = await session.ended;
    stop.signal.removeEventListener('abort', close);
    if (stop.signal.aborted) return;
    failures = wasWelcome ? 0 : failures + 1;
    if (HOPELESS.includes(code)) failures = HOPELESS_FAILURES;
    // A broker that is away for hours is one line in the log, not thousands.
    if (wasWelcome || said !== sentence) parts.log.warn(`no session with ${parts.config.broker}: ${sentence}`);
    said = sentence;
    await delay(backoffMs(failures), null, { signal: stop.signal }).catch(() => {});
  };

  const running = (async () => {
    while (!stop.signal.aborted) await once();
  })();

  return {
    problem: () => {
      if (!isWelcome()) return `no session with ${parts.config.broker}`;
      return loop.isAnswering() ? null : 'the cluster does not answer';
    },
    stop: async () => {
      stop.abort();
      await Promise.all([running, loop.stop()]);
    },
  };
}
