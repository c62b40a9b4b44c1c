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

/** Appends to the audit, in the transaction of the change it speaks of. */
export async function audit(client: Queryable, { actor, action, subject, ...more }: AuditEntry): Promise<void> {
  const { before = null, after = null, why = null } = more;
  await client.query(
    `INSERT INTO audit (id, actor, action, subject, before, after, why) VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, $6)`,
    [actor, action, subject, json(before), json(after), why],
  );
}

function json(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}
