import pg from 'pg';
import { type ErrorCode, SwitchyardError } from '../errors.ts';

/** Turns whatever the driver throws into an error of the closed set. The driver's own text may quote values, so only SQLSTATE and names go along. */
export function translateError(error: unknown): SwitchyardError {
  if (error instanceof SwitchyardError) return error;
  if (error instanceof pg.DatabaseError) return fromServer(error);
  if (isConnectionError(error))
    return new SwitchyardError('unavailable', 'The database cannot be reached.', {
      hint: 'Try again in a moment; /readyz says when it is back.',
      cause: new Error((error as { code?: string }).code ?? 'the connection ended'),
    });
  throw error;
}

/** A transaction that lost against another and may simply run again. */
export function isTransactionConflict(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code === '40001' || error.code === '40P01');
}

const CONSTRAINTS: Readonly<Record<string, { code: ErrorCode; message: string }>> = {
  clusters_pkey: { code: 'cluster_exists', message: 'A cluster of this name exists already.' },
  clusters_fingerprint_key: { code: 'conflict', message: 'Another name is attached to this very cluster already.' },
  tokens_hash_key: { code: 'conflict', message: 'This token exists already.' },
};

/** SQLSTATE classes, PostgreSQL manual, appendix A. */
function fromServer(error: pg.DatabaseError): SwitchyardError {
  const state = error.code ?? '';
  const cause = new Error(
    [`SQLSTATE ${state}`, error.constraint, error.table, error.routine].filter(Boolean).join(' '),
  );
  const known = CONSTRAINTS[error.constraint ?? ''];
  if (known) return new SwitchyardError(known.code, known.message, { cause });
  if (state.startsWith('22') || state.startsWith('54'))
    return new SwitchyardError(
      'invalid_request',
      'Something in it cannot be stored: a NUL, half a character, or too much.',
      {
        cause,
      },
    );
  if (/^(08|53|57|40|25006|55P03)/.test(state))
    return new SwitchyardError('unavailable', 'The database cannot do this now.', { cause });
  return new SwitchyardError('internal', 'The database refused a statement of the broker.', { cause });
}

function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code)) return true;
  // pg has no codes for these (node-postgres client.js, pool.js).
  return /^(Connection terminated|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error|Cannot use a pool after calling end|Client was closed)/.test(
    error.message,
  );
}
