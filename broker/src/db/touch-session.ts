import type { Database } from './database.ts';
import type { Session } from './session.ts';

/** The agent and its cluster answer: what was reported still holds. False: fenced. */
export function touchSession(_db: Database, _session: Session): Promise<boolean> {
  throw new Error('not yet');
}

/** The stream ended; a newer session of the cluster is left alone. */
export function closeSession(_db: Database, _session: Session): Promise<void> {
  throw new Error('not yet');
}
