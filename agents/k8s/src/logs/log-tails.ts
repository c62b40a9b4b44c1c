import type { LogTail } from '@switchyard/agent-runtime/backend.ts';
import type { KubeClient } from '../client/kube-client.ts';
import { KubeError } from '../client/kube-error.ts';
import { podsPath } from '../object-path.ts';
import { BEGINNING } from './log-cursor.ts';
import { LogNoise } from './log-lines.ts';
import { openPodLog, type PodAddress } from './pod-log.ts';

export type EndedPod = PodAddress & {
  readonly task: number;
  readonly rank: number;
  /** Its end did not go well: somebody will want to know why. */
  readonly hasFailed: boolean;
};

const MOST_TAIL_BYTES = 65_536;
const LEAST_TAIL_BYTES = 1024;
const MOST_RUN_BYTES = 1_048_576;
/** Pods that are read at the same time. */
const TOGETHER = 8;
const PIECE_BYTES = 262_144;
const SILENT_MS = 10_000;
const GIVE_UP_MS = 10_000;

/**
 * The last bytes of the outputs of an ended run's pods: of each its share of what a run may keep, those that failed first. Outputs
 * that are gone already, and those of nodes that do not answer, are left out; throws when the API server itself does not answer.
 */
export async function* logTails(
  client: Pick<KubeClient, 'stream' | 'request'>,
  runId: string,
  pods: readonly EndedPod[],
): AsyncGenerator<LogTail> {
  const inOrder = pods.toSorted(
    (one, other) => Number(other.hasFailed) - Number(one.hasFailed) || one.task - other.task || one.rank - other.rank,
  );
  let left = MOST_RUN_BYTES;
  for (let at = 0; at < inOrder.length && left >= LEAST_TAIL_BYTES; at += TOGETHER) {
    const share = Math.floor(left / (inOrder.length - at));
    const bytes = Math.min(MOST_TAIL_BYTES, Math.max(LEAST_TAIL_BYTES, share));
    const group = inOrder.slice(at, Math.min(at + TOGETHER, at + Math.floor(left / bytes)));
    const tails = await Promise.all(group.map((pod) => podTail(client, pod, bytes)));
    for (const [index, tail] of tails.entries()) {
      if (tail === null) continue;
      left -= tail.data.length;
      const { task, rank } = group[index]!;
      yield { runId, task, rank, ...tail };
    }
  }
}

/** Reads all of it, for only so its end has an offset; keeps no more than the end. */
async function podTail(
  client: Pick<KubeClient, 'stream' | 'request'>,
  pod: PodAddress,
  bytes: number,
): Promise<Pick<LogTail, 'offset' | 'data'> | null> {
  try {
    const log = await openPodLog(client, pod, {
      from: BEGINNING,
      way: 'since',
      follow: false,
      giveUpMs: GIVE_UP_MS,
      lane: 'tidy',
    });
    let kept: Buffer = Buffer.alloc(0);
    try {
      for (let isOver = false; !isOver; ) {
        const piece = await log.read(PIECE_BYTES, SILENT_MS);
        // A node that falls silent in the middle: what came of it is better than nothing.
        isOver = piece.isOver || piece.data.length === 0;
        const both = kept.length === 0 ? piece.data : Buffer.concat([kept, piece.data]);
        kept = both.subarray(Math.max(0, both.length - bytes));
      }
      return { offset: log.cursor().offset - kept.length, data: Buffer.from(kept) };
    } finally {
      log.close();
    }
  } catch (error) {
    if (await isGone(client, pod, error)) return null;
    throw error;
  }
}

/** Whether the output, and not the API server, is what does not answer. */
async function isGone(client: Pick<KubeClient, 'request'>, pod: PodAddress, error: unknown): Promise<boolean> {
  if (error instanceof LogNoise) return true;
  if (!(error instanceof KubeError)) return false;
  if (['not_found', 'gone', 'invalid', 'forbidden', 'server_error'].includes(error.kind)) return true;
  if (error.kind === 'unauthorized' || error.kind === 'too_many_requests') return false;
  // The server waits for the node, and we for the server: a node that is lost for good must not keep its runs for ever.
  const path = podsPath(pod.namespace, pod.name);
  const answer = await client.request({ verb: 'GET', path, giveUpMs: 0 }).catch((problem: unknown) => problem);
  return !(answer instanceof KubeError) || answer.kind === 'not_found';
}
