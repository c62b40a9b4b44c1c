import type { Database, Queryable } from './database.ts';

/** What a person may see: everything, or some groups with all groups below them. */
export type Viewer = { readonly seeAll: boolean; readonly groups: readonly string[] };

/** Runs reads under row-level security as this viewer, in one read-only transaction. */
export function asPrincipal<Result>(
  _db: Database,
  _viewer: Viewer,
  _read: (client: Queryable) => Promise<Result>,
): Promise<Result> {
  throw new Error('not yet');
}
