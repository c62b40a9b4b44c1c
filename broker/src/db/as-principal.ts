import pg from 'pg';
import type { Database, Queryable } from './database.ts';
import { inTransaction } from './in-transaction.ts';

/** What a person may see: everything, or some groups with all groups below them. */
export type Viewer = { readonly seeAll: boolean; readonly groups: readonly string[] };

/** Runs reads under row-level security as this viewer, in one read-only transaction. */
export function asPrincipal<Result>(
  db: Database,
  viewer: Viewer,
  read: (client: Queryable) => Promise<Result>,
): Promise<Result> {
  return inTransaction(db.principal, read, beginAs(viewer));
}

/** One round trip; the settings end with the transaction, so the next user of the connection starts with none. */
function beginAs({ seeAll, groups }: Viewer): string {
  // A comma would name two groups; no group path has one.
  const list = groups.filter((group) => !group.includes(',')).join(',');
  return `BEGIN READ ONLY;
    SELECT set_config('switchyard.see_all', '${seeAll ? 'on' : 'off'}', true), set_config('switchyard.groups', ${pg.escapeLiteral(list)}, true)`;
}
