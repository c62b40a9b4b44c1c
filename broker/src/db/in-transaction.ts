import type { Pool, PoolClient, QueryResult, QueryResultRow } from 'pg';
import { isTransactionConflict, translateError } from './translate-error.ts';

/** Runs `work` in one transaction and once more if it lost against another; all errors come out translated. */
export async function inTransaction<Result>(
  pool: Pool,
  work: (client: PoolClient) => Promise<Result>,
  begin = 'BEGIN',
): Promise<Result> {
  try {
    return await attempt(pool, work, begin);
  } catch (error) {
    if (!isTransactionConflict(error)) throw translateError(error);
  }
  try {
    return await attempt(pool, work, begin);
  } catch (error) {
    throw translateError(error);
  }
}

/** One statement by itself, likewise. */
export async function statement<Row extends QueryResultRow>(
  pool: Pool,
  text: string,
  values: readonly unknown[] = [],
): Promise<QueryResult<Row>> {
  const run = () => pool.query<Row>(text, [...values]);
  try {
    return await run().catch((error) => (isTransactionConflict(error) ? run() : Promise.reject(error)));
  } catch (error) {
    throw translateError(error);
  }
}

async function attempt<Result>(
  pool: Pool,
  work: (client: PoolClient) => Promise<Result>,
  begin: string,
): Promise<Result> {
  const client = await pool.connect();
  let broken = false;
  try {
    await client.query(begin);
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    // A connection that cannot even roll back must not be used again.
    await client.query('ROLLBACK').catch(() => {
      broken = true;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}
