import type { ClusterKind } from '@switchyard/core/spec/job-spec.ts';
import type { Database, Queryable } from './database.ts';
import { inTransaction } from './in-transaction.ts';
import { notify } from './notify.ts';

export type Hello = {
  readonly cluster: string;
  readonly kind: ClusterKind;
  readonly fingerprint: string;
  readonly agentVersion: string;
  readonly highestPlacementNumber: number;
  readonly filesystems: readonly { readonly id: string; readonly pathPrefix: string }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly backlog: number;
  readonly allowedNativeOptions: readonly string[];
};

export type HelloAnswer =
  | {
      readonly ok: true;
      readonly sessionEpoch: number;
      readonly federation: string;
      readonly placementNumber: number;
      readonly pausedReason: string | null;
    }
  | {
      readonly ok: false;
      readonly code: 'unauthenticated' | 'wrong_cluster' | 'fingerprint_taken' | 'fingerprint_changed';
      readonly sentence: string;
    };

/** Begins a session: the newest wins and fences the older. An agent that has seen more than the database holds pauses the federation. */
export function clusterHello(
  db: Database,
  { tokenHash, hello, holder }: { tokenHash: Buffer; hello: Hello; holder: string },
): Promise<HelloAnswer> {
  return inTransaction(db.system, async (client) => {
    const federation = await lockFederation(client);
    const { rows } = await client.query<ClusterRow>(
      'SELECT name, fingerprint, session_epoch FROM clusters WHERE token_hash = $1 FOR NO KEY UPDATE',
      [tokenHash],
    );
    const refusal = refuse(rows[0], hello) ?? (await refuseFingerprint(client, rows[0]!, hello));
    if (refusal) return refusal;
    const sessionEpoch = rows[0]!.session_epoch + 1;
    await beginSession(client, hello, holder, sessionEpoch);
    const pausedReason = await pauseIfBehind(client, federation, hello);
    await notify(client, { t: 'runs', c: hello.cluster }, { t: 'jobs' });
    return {
      ok: true,
      sessionEpoch,
      federation: federation.code,
      placementNumber: federation.placementNumber,
      pausedReason,
    };
  });
}

type ClusterRow = { name: string; fingerprint: string | null; session_epoch: number };
type Federation = { code: string; placementNumber: number; pausedReason: string | null };

/** Held to the end: no placement is numbered between the look at the highest number and the pause that may follow from it. */
async function lockFederation(client: Queryable): Promise<Federation> {
  const { rows } = await client.query<{ code: string; placement_number: number; paused_reason: string | null }>(
    'SELECT code, placement_number, paused_reason FROM federation WHERE id = 1 FOR NO KEY UPDATE',
  );
  const { code, placement_number, paused_reason } = rows[0]!;
  return { code, placementNumber: placement_number, pausedReason: paused_reason };
}

function refuse(cluster: ClusterRow | undefined, hello: Hello): HelloAnswer | null {
  if (cluster === undefined) return { ok: false, code: 'unauthenticated', sentence: 'No cluster has this token.' };
  if (cluster.name === hello.cluster) return null;
  const sentence = `This token belongs to another cluster than '${hello.cluster}'.`;
  return { ok: false, code: 'wrong_cluster', sentence };
}

/** A cluster is known by what it is, not by its name here: a second name for it would start jobs beside those of the first. */
async function refuseFingerprint(client: Queryable, cluster: ClusterRow, hello: Hello): Promise<HelloAnswer | null> {
  const { rows: others } = await client.query<{ name: string }>(
    'SELECT name FROM clusters WHERE fingerprint = $1 AND name <> $2',
    [hello.fingerprint, cluster.name],
  );
  if (others[0])
    return {
      ok: false,
      code: 'fingerprint_taken',
      sentence: `This is the cluster that is attached as '${others[0].name}' already.`,
    };
  if (cluster.fingerprint === null || cluster.fingerprint === hello.fingerprint) return null;
  const { rows: open } = await client.query('SELECT FROM runs WHERE cluster = $1 AND forgotten_at IS NULL LIMIT 1', [
    cluster.name,
  ]);
  if (open.length === 0) return null;
  const sentence = `'${cluster.name}' was ${cluster.fingerprint} before and still has runs there; this agent speaks for ${hello.fingerprint}.`;
  return { ok: false, code: 'fingerprint_changed', sentence };
}

async function beginSession(client: Queryable, hello: Hello, holder: string, sessionEpoch: number): Promise<void> {
  await client.query(
    `UPDATE clusters SET kind = $2, fingerprint = $3, agent_version = $4, labels = $5, filesystems = $6, allowed_native_options = $7,
       backlog = $8, session_epoch = $9, session_holder = $10, hello_at = now(), last_seen_at = now(), reconciled_at = NULL,
       highest_placement = greatest(highest_placement, $11)
     WHERE name = $1`,
    [
      hello.cluster,
      hello.kind,
      hello.fingerprint,
      hello.agentVersion,
      JSON.stringify(hello.labels),
      JSON.stringify(hello.filesystems),
      JSON.stringify(hello.allowedNativeOptions),
      hello.backlog,
      sessionEpoch,
      holder,
      hello.highestPlacementNumber,
    ],
  );
}

/** The database went back in time (design section 5): everything stands still until all clusters have told what they have. */
async function pauseIfBehind(client: Queryable, federation: Federation, hello: Hello): Promise<string | null> {
  if (federation.pausedReason !== null || hello.highestPlacementNumber <= federation.placementNumber)
    return federation.pausedReason;
  const reason =
    `The database went back in time: cluster '${hello.cluster}' has seen placement ${hello.highestPlacementNumber}, ` +
    `the database knows ${federation.placementNumber}. Nothing is placed until every cluster is reconciled.`;
  // Not now(), which is when the transaction began: an inventory that was reconciled since then counts as before the pause.
  await client.query('UPDATE federation SET paused_reason = $1, paused_at = clock_timestamp() WHERE id = 1', [reason]);
  await client.query(
    'UPDATE clusters SET reconciled_at = NULL WHERE name IN (SELECT name FROM clusters ORDER BY name FOR NO KEY UPDATE)',
  );
  return reason;
}
