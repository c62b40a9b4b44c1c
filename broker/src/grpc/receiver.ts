import { applyInventory } from '../db/apply-inventory.ts';
import type { Database } from '../db/database.ts';
import { saveLogChunk } from '../db/log-reads.ts';
import { storeLogTails } from '../db/log-tails.ts';
import { markForgotten } from '../db/mark-forgotten.ts';
import { saveStrays } from '../db/save-strays.ts';
import type { Session } from '../db/session.ts';
import { touchSession } from '../db/touch-session.ts';
import type { Log } from '../log.ts';
import type { AgentStream, FromAgent } from './agent-stream.ts';
import { createCapacityKeeper } from './capacity-keeper.ts';
import { storeObservations } from './store-observations.ts';
import {
  inventoryRunFromWire,
  isUuid,
  logTailFromWire,
  observationFromWire,
  plainText,
  strayFromWire,
  type Warn,
} from './wire.ts';

export type Receiver = {
  /** Takes all messages, in order; resolves when their facts are committed and acknowledged. */
  handle(messages: readonly FromAgent[]): Promise<void>;
  stop(): void;
};

type ObservationsMessage = Extract<FromAgent, { $case: 'observations' }>['value'];
type TailMessage = Extract<FromAgent, { $case: 'logTail' }>['value'];
type Other = Exclude<FromAgent, { $case: 'observations' | 'logTail' }>;
/** Neighbours that are one transaction, or a message by itself. */
type Group =
  | { readonly observations: ObservationsMessage[] }
  | { readonly tails: TailMessage[] }
  | { readonly other: Other };

const TOUCH_EVERY_MS = 5000;
/** What shows that not only the agent lives but its cluster answers. A capacity report says so by itself. */
const ANSWERS: readonly FromAgent['$case'][] = ['alive', 'observations', 'inventory'];

/** Brings what an agent says into the database. Observations that arrived together are one transaction, acknowledged after its commit. */
export function receiver(options: {
  readonly db: Database;
  readonly session: Session;
  readonly stream: AgentStream;
  readonly log: Log;
  readonly fenced: () => void;
  readonly failed: (error: unknown) => void;
  readonly wakeSender: () => void;
  /** The inventory is reconciled. */
  readonly open: () => void;
}): Receiver {
  const { db, session, stream, log } = options;
  const warn: Warn = (sentence) =>
    log.warn({ cluster: session.cluster, said: sentence }, 'an agent said what is left out');
  const capacity = createCapacityKeeper(options);
  let touchedMs = performance.now();

  const handle = async (messages: readonly FromAgent[]) => {
    if (messages.some((message) => ANSWERS.includes(message.$case))) await touch();
    for (const group of grouped(messages)) {
      if (!stream.isOpen()) return;
      if (!(await take(group))) return options.fenced();
    }
  };

  const take = (group: Group): Promise<boolean> => {
    if ('observations' in group) return observations(group.observations);
    if ('tails' in group) return tails(group.tails);
    return other(group.other);
  };

  const touch = async () => {
    if (performance.now() - touchedMs < TOUCH_EVERY_MS) return;
    touchedMs = performance.now();
    if (!(await touchSession(db, session))) options.fenced();
  };

  const observations = async (group: readonly ObservationsMessage[]): Promise<boolean> => {
    const counter = group.at(-1)!.counter;
    const runs = group.flatMap((message) => message.runs.flatMap((run) => observationFromWire(run, warn) ?? []));
    const stored = await storeObservations({ db, session, log }, counter, runs);
    if (stored === null) return false;
    for (const runId of stored.unknown) warn(`an observation of run ${runId}, which is not known on this cluster`);
    for (const message of group) await stream.write({ $case: 'ack', value: { counter: message.counter } });
    return true;
  };

  const tails = async (group: readonly TailMessage[]): Promise<boolean> => {
    const stored = await storeLogTails(
      db,
      session,
      group.flatMap((tail) => logTailFromWire(tail, warn) ?? []),
    );
    if (stored === null) return false;
    const complete = new Set(group.flatMap(({ runId, last }) => (last ? runId : [])));
    const runIds = stored.filter((runId) => complete.delete(runId));
    for (const runId of complete) warn(`the end of an output of run ${plainText(runId, 60)}, which has not ended here`);
    if (runIds.length > 0) await stream.write({ $case: 'logTailsStored', value: { runIds } });
    return true;
  };

  const other = async (message: Other): Promise<boolean> => {
    switch (message.$case) {
      case 'inventory': {
        const runs = message.value.runs.flatMap((run) => inventoryRunFromWire(run, warn) ?? []);
        const applied = await applyInventory(db, session, { runs, last: message.value.last });
        if (applied === null) return false;
        if (applied.rolledForward.length > 0)
          log.warn(
            { cluster: session.cluster, runs: applied.rolledForward },
            'runs only the agent knew are rolled forward',
          );
        if (applied.unknown.length > 0)
          log.warn(
            { cluster: session.cluster, runs: applied.unknown },
            'runs of jobs nobody knows are shown as strays',
          );
        if (message.value.last) options.open();
        return true;
      }
      case 'capacity':
        capacity.take(message.value);
        return true;
      case 'forgotten':
        return markForgotten(db, session, message.value.runIds.filter(isUuid));
      case 'strays': {
        const cancelled = await saveStrays(db, session, message.value.strays.map(strayFromWire));
        if (cancelled === null) return false;
        if (cancelled.length > 0) options.wakeSender();
        return true;
      }
      case 'logChunk': {
        const { readId, offset, data, end, problem } = message.value;
        if (isUuid(readId))
          await saveLogChunk(db, session.cluster, readId, { offset, data, end, problem: plainText(problem, 1024) });
        return true;
      }
      case 'hello':
        warn('a second Hello');
        return true;
      case 'alive':
        return true;
    }
  };

  return { handle, stop: capacity.stop };
}

/** Neighbouring observations together, neighbouring tails too, everything else alone, in the order of arrival. */
function grouped(messages: readonly FromAgent[]): Group[] {
  const groups: Group[] = [];
  for (const message of messages) {
    const last = groups.at(-1);
    if (message.$case === 'observations') {
      if (last && 'observations' in last) last.observations.push(message.value);
      else groups.push({ observations: [message.value] });
    } else if (message.$case === 'logTail') {
      if (last && 'tails' in last) last.tails.push(message.value);
      else groups.push({ tails: [message.value] });
    } else groups.push({ other: message });
  }
  return groups;
}
