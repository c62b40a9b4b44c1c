import type { Database } from './database.ts';
import type { Session } from './session.ts';

/** The agent holds nothing of these runs any more. False: fenced. */
export function markForgotten(_db: Database, _session: Session, _runIds: readonly string[]): Promise<boolean> {
  throw new Error('not yet');
}
