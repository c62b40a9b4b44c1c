import type { Database } from './database.ts';

export type LogRead = {
  readonly id: string;
  readonly cluster: string;
  readonly runId: string;
  readonly task: number;
  readonly stream: 'stdout' | 'stderr';
  readonly offset: number;
  readonly limitBytes: number;
  /** How long the agent waits for new bytes. */
  readonly waitMs: number;
  /** After that nobody waits for the answer. */
  readonly wantedForMs: number;
};

export type LogChunk = {
  readonly offset: number;
  readonly data: Buffer;
  readonly end: boolean;
  /** Empty when all is well. */
  readonly problem: string;
};

/** Asks the session of the cluster for a piece of output. Visibility of the run is the caller's question (getJob). */
export function createLogRead(_db: Database, _read: LogRead): Promise<void> {
  throw new Error('not yet');
}

/** Keeps an answer for whichever replica waits for it; notifies {"t":"logs","id"}. One that nobody wants any more is dropped. */
export function saveLogChunk(_db: Database, _cluster: string, _readId: string, _chunk: LogChunk): Promise<void> {
  throw new Error('not yet');
}

/** Takes the answer, once; null while there is none. */
export function takeLogChunk(_db: Database, _readId: string): Promise<LogChunk | null> {
  throw new Error('not yet');
}

/** Removes reads and answers that nobody waits for; now and then. */
export function purgeLogReads(_db: Database): Promise<void> {
  throw new Error('not yet');
}
