import { status } from '@grpc/grpc-js';
import { startCycleLoop } from '../cycle-loop.ts';
import type { Database } from '../db/database.ts';
import { type PendingMessages, pendingMessages } from '../db/pending-messages.ts';
import type { Session } from '../db/session.ts';
import type { AgentStream, ToAgent } from './agent-stream.ts';
import { createRepeats } from './repeats.ts';

export type Sender = {
  /** The inventory is reconciled: from now on the agent gets its messages. */
  open(): void;
  wake(): void;
  stop(): Promise<void>;
};

/** Between two looks under load: what was committed meanwhile goes out together. */
const MINIMUM_GAP_MS = 10;
/** A notification may be lost, a repeat may be due. */
const FALLBACK_MS = 2000;
const OFFER = 'offer:';
const PLACEMENT_NUMBER_EVERY_MS = 5000;

/** Sends what the runs of this cluster need, and again until they have moved: the state of a run is the message. */
export function startSender(options: {
  readonly db: Database;
  readonly session: Session;
  readonly stream: AgentStream;
  readonly fenced: () => void;
  readonly failed: (error: unknown) => void;
}): Sender {
  const { db, session, stream } = options;
  const repeats = createRepeats();
  const told = { number: 0, atMs: Number.NEGATIVE_INFINITY };
  let opened = false;

  const cycle = async () => {
    if (!opened || !stream.isOpen()) return;
    const nowMs = performance.now();
    const recentOffers = repeats.notDue(nowMs).filter((key) => key.startsWith(OFFER));
    const exceptOffers = recentOffers.map((key) => key.slice(OFFER.length));
    const pending = await pendingMessages(db, session, { exceptOffers });
    if (pending === null) return options.fenced();
    if (pending.mustReconnect)
      return stream.close(status.UNAVAILABLE, 'placement is paused until every agent has sent its inventory again');
    await send(pending, recentOffers, nowMs);
  };

  const send = async (pending: PendingMessages, recentOffers: readonly string[], nowMs: number) => {
    const messages = keyedMessages(pending);
    const forgets = pending.forgets.map((runId) => ({ key: `forget:${runId}`, runId }));
    repeats.keepOnly(new Set([...messages.map(([key]) => key), ...forgets.map(({ key }) => key), ...recentOffers]));
    for (const [key, message] of messages) if (repeats.take(key, nowMs)) await stream.write(message);
    const runIds = forgets.filter(({ key }) => repeats.take(key, nowMs)).map(({ runId }) => runId);
    if (runIds.length > 0) await stream.write({ $case: 'forget', value: { runIds } });
    await tellPlacementNumber(pending.placementNumber, nowMs);
  };

  /** An agent must know of numbers that others were given: it may be the one to notice that the database went back. */
  const tellPlacementNumber = async (placementNumber: number, nowMs: number) => {
    if (placementNumber <= told.number || nowMs - told.atMs < PLACEMENT_NUMBER_EVERY_MS) return;
    told.number = placementNumber;
    told.atMs = nowMs;
    await stream.write({ $case: 'placementNumber', value: { placementNumber } });
  };

  const loop = startCycleLoop({
    cycle,
    minimumGapMs: MINIMUM_GAP_MS,
    fallbackMs: FALLBACK_MS,
    onError: options.failed,
  });
  return {
    open() {
      opened = true;
      loop.wake();
    },
    wake: loop.wake,
    stop: loop.stop,
  };
}

/** Every message of its own that is pending, under the key by which its repeats are counted. Withdrawals first: they free other work. */
function keyedMessages(pending: PendingMessages): [key: string, message: ToAgent][] {
  return [
    ...pending.logReads.map((read) => keyed(`log:${read.readId}`, { $case: 'logRead', value: read })),
    ...pending.withdraws.map((runId) => keyed(`withdraw:${runId}`, { $case: 'withdraw', value: { runId } })),
    ...pending.cancels.map((runId) => keyed(`cancel:${runId}`, { $case: 'cancel', value: { runId } })),
    ...pending.cancelStrays.map((stray) =>
      keyed(`stray:${stray.nativeId}:${stray.runId}`, { $case: 'cancelStray', value: stray }),
    ),
    ...pending.offers.map((offer) => keyed(`${OFFER}${offer.runId}`, { $case: 'offer', value: offer })),
  ];
}

function keyed(key: string, message: ToAgent): [string, ToAgent] {
  return [key, message];
}
