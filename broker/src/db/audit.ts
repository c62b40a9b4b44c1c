import type { Queryable } from './database.ts';

export type AuditEntry = {
  readonly actor: string;
  /** `cluster.cordon`, `token.create`, … */
  readonly action: string;
  readonly subject: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly why?: string;
};

/** Appends to the audit, in the transaction of the change it speaks of (or by itself on `db.system`). */
export function audit(_client: Queryable, _entry: AuditEntry): Promise<void> {
  throw new Error('not yet');
}
