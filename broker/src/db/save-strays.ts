import type { Database } from './database.ts';
import type { Session } from './session.ts';

export type Stray = {
  readonly nativeId: string;
  readonly runId: string;
  readonly nativeState: string;
  /** 0: not known. */
  readonly nativeSubmittedAtMs: number;
};

/** Keeps what an agent found that cannot win its claim. Gives those to cancel; none while the federation is paused. Null: fenced. */
export function saveStrays(
  _db: Database,
  _session: Session,
  _strays: readonly Stray[],
): Promise<readonly { readonly nativeId: string; readonly runId: string }[] | null> {
  throw new Error('not yet');
}
