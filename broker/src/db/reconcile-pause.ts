import type { Database } from './database.ts';

export type PauseState =
  | { readonly kind: 'running' }
  | { readonly kind: 'resumed'; readonly placementNumber: number }
  | { readonly kind: 'paused'; readonly reason: string; readonly waitingFor: readonly string[] };

/** Ends the pause once every cluster that has runs or has ever said hello is reconciled. Null: not the leader. */
export function reconcilePause(_db: Database, _leader: { epoch: number }): Promise<PauseState | null> {
  throw new Error('not yet');
}
