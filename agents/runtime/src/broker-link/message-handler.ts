import { setTimeout as delay } from 'node:timers/promises';
import type { RunStatus } from '../backend.ts';
import { createLimiter } from '../limiter.ts';
import type { BrokerStream, FromBroker } from './broker-stream.ts';
import { checkOffer } from './check-offer.ts';
import { createLogReaders } from './log-readers.ts';
import type { LinkParts } from './session.ts';
import { createTailKeeper } from './tail-keeper.ts';

export type MessageHandler = { handle(message: FromBroker): void };

type Value<Case extends FromBroker['$case']> = Extract<FromBroker, { $case: Case }>['value'];

const CONCURRENT_LOG_READS = 16;
/** The broker forgets one run a message: those of the same moment are one write to the daily log. */
const FORGET_TOGETHER_MS = 20;
const MOST_LOG_BYTES = 1_048_576;

/**
 * Does what the broker asks. Everything is idempotent and repeated by the broker until an observation shows it done, so a
 * failure is only said in the log.
 */
export function createMessageHandler(
  parts: LinkParts & { readonly stream: BrokerStream; readonly federation: string; readonly flush: () => void },
): MessageHandler {
  const { backend, outbox, stream, log } = parts;
  const submits = createLimiter(backend.concurrentSubmits);
  const reads = createLimiter(CONCURRENT_LOG_READS);
  /** Messages that are being worked on: their repeats need no second worker. */
  const underWay = new Set<string>();
  const readers = createLogReaders();
  const tails = createTailKeeper({ backend, stream, log, readers });
  const toForget = new Set<string>();
  let forgetting = false;

  const report = (status: RunStatus) => {
    outbox.put([status]);
    parts.flush();
    parts.loop.poke();
  };

  const offer = async (value: Value<'offer'>) => {
    await parts.highest.raise(value.placementNumber);
    const check = checkOffer(value, {
      federation: parts.federation,
      kind: parts.config.kind,
      policy: parts.config.policy,
      nativeOptions: parts.nativeOptions,
    });
    if (check.ok) report(await backend.submit(check.order, { observedBefore: value.observedBefore }));
    else report((await knownStatus(value)) ?? check.refusal);
  };

  /** A policy that became stricter must not disown what already runs. */
  const knownStatus = async ({ runId, placementNumber }: Value<'offer'>) => {
    const known = await backend.inventory(placementNumber - 1);
    return known.find(({ order }) => order.runId === runId)?.status;
  };

  /** More may come, or come again, while these are being forgotten. */
  const forget = async () => {
    if (forgetting) return;
    forgetting = true;
    try {
      while (toForget.size > 0) {
        await delay(FORGET_TOGETHER_MS);
        const runIds = [...toForget];
        toForget.clear();
        const forgotten = await backend.forget(runIds);
        if (forgotten.length > 0) await stream.write({ $case: 'forgotten', value: { runIds: [...forgotten] } });
      }
    } finally {
      forgetting = false;
    }
  };

  const readLog = async ({ readId, stream: name, limitBytes, ...rest }: Value<'logRead'>) => {
    const from = name === 'stderr' ? 'stderr' : 'stdout';
    const slice = await backend
      .readLog({ ...rest, stream: from, limitBytes: Math.min(limitBytes, MOST_LOG_BYTES) })
      .catch((error: Error) => ({ data: new Uint8Array(), end: true, problem: error.message }));
    const data = Buffer.from(slice.data);
    const { end, problem } = slice;
    readers.seen(rest, slice);
    await stream.write({ $case: 'logChunk', value: { readId, offset: rest.offset, data, end, problem } });
  };

  const work = (key: string, what: string, task: () => Promise<unknown>) => {
    if (underWay.has(key)) return;
    underWay.add(key);
    task()
      .catch((error: Error) => log.warn(`${what}: ${error.message}`))
      .finally(() => underWay.delete(key));
  };

  /** An output that goes away with its run goes to the broker first; one that takes its time keeps no other run. */
  const queueForget = (runId: string) =>
    work(`forget:${runId}`, `run ${runId} could not be forgotten`, async () => {
      if (!(await tails.keep(runId))) return;
      toForget.add(runId);
      forget().catch((error: Error) => log.warn(`runs could not be forgotten: ${error.message}`));
    });

  return {
    handle: (message) => {
      switch (message.$case) {
        case 'offer': {
          const { runId } = message.value;
          return work(`offer:${runId}`, `run ${runId} could not be submitted`, () =>
            submits(() => offer(message.value)),
          );
        }
        case 'withdraw': {
          const { runId } = message.value;
          return work(`withdraw:${runId}`, `run ${runId} could not be withdrawn`, async () =>
            report(await backend.withdraw(runId)),
          );
        }
        case 'cancel': {
          const { runId } = message.value;
          return work(`cancel:${runId}`, `run ${runId} could not be cancelled`, async () =>
            report(await backend.cancel(runId)),
          );
        }
        case 'forget':
          for (const runId of message.value.runIds) queueForget(runId);
          return;
        case 'logTailsStored':
          return tails.stored(message.value.runIds);
        case 'ack':
          outbox.acknowledge(message.value.counter);
          return parts.flush();
        case 'logRead':
          return work(`log:${message.value.readId}`, 'output could not be read', () =>
            reads(() => readLog(message.value)),
          );
        case 'cancelStray': {
          const stray = message.value;
          return work(`stray:${stray.nativeId}`, `the stray ${stray.nativeId} could not be cancelled`, () =>
            backend.cancelStray(stray),
          );
        }
        case 'placementNumber':
          return work(`number:${message.value.placementNumber}`, 'the placement number could not be kept', () =>
            parts.highest.raise(message.value.placementNumber),
          );
        case 'welcome':
      }
    },
  };
}
