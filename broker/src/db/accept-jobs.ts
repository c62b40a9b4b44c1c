import type { Database } from './database.ts';

export type JobToAccept = {
  /** UUIDv7. */
  readonly id: string;
  /** Whose idempotency keys these are: the token's id. */
  readonly principal: string;
  readonly groupPath: string;
  readonly owner: string;
  readonly name: string;
  /** Canonical JSON of the resolved spec, and its lower-case hex SHA-256. */
  readonly specJson: string;
  readonly specHash: string;
  readonly priority: number;
  readonly taskCount: number;
  /** Range set in text form. */
  readonly tasks: string;
  readonly isArray: boolean;
  readonly maxRunning: number | null;
  readonly held: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly notBeforeMs: number | null;
  readonly idempotencyKey: string | null;
  /** Compared when the key was used before; with a key it must not be null. */
  readonly bodyHash: string | null;
};

export type Acceptance =
  | { readonly kind: 'accepted'; readonly id: string; readonly number: number; readonly createdAt: Date }
  /** The key was used before with the same body: nothing was stored. */
  | { readonly kind: 'replayed'; readonly id: string; readonly number: number }
  /** The key was used before with another body. */
  | { readonly kind: 'conflict' };

/** Stores all jobs in one transaction and answers in their order. */
export function acceptJobs(_db: Database, _batch: readonly JobToAccept[]): Promise<Acceptance[]> {
  throw new Error('not yet');
}
