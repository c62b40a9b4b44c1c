import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { createInterface } from 'node:readline';
import type { Pod } from '@switchyard/agent-k8s/api-types.ts';
import { parse } from 'yaml';
import type { KubeCluster } from './testbed.ts';

export type PodWatch = {
  /** Every change of every pod, in the order in which the API server tells it. */
  readonly changes: readonly PodChange[];
  /** Ends it; throws if the server could not tell everything. */
  close(): void;
};

export type PodChange = { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly pod: Pod };

/** What the API server says of the pods of a namespace from now on, read by nothing of ours. */
export async function watchPods(kube: KubeCluster, namespace: string): Promise<PodWatch> {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const list = await kube.api<{ metadata: { resourceVersion: string } }>('GET', `${path}?limit=1`);
  const { users } = parse(readFileSync(kube.adminKubeconfig, 'utf8')) as { users: { user: { token: string } }[] };
  const headers = { authorization: `Bearer ${users[0]!.user.token}` };
  const agent = new Agent({ ca: readFileSync(kube.caFile) });
  const changes: PodChange[] = [];
  let version = list.body.metadata.resourceVersion;
  let reply: IncomingMessage | undefined;
  let problem = '';
  let closed = false;

  const take = (line: string) => {
    const event = parseEvent(line);
    // Cut off with its connection: the next one tells it again.
    if (event === null) return;
    const { type, object } = event;
    if (type === 'ERROR') problem = line;
    else version = object.metadata.resourceVersion ?? version;
    if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') changes.push({ type, pod: object });
  };
  const open = async () => {
    const query = `watch=true&allowWatchBookmarks=true&timeoutSeconds=3600&resourceVersion=${version}`;
    reply = await new Promise<IncomingMessage>((resolve, reject) => {
      request(`${kube.apiUrl}${path}?${query}`, { agent, headers }, resolve).once('error', reject).end();
    });
    if (reply.statusCode !== 200) throw new Error(`watching pods: ${reply.statusCode}`);
    reply.once('error', () => {});
    // A busy server ends watches; what comes after the last version that was heard is told by the next.
    createInterface(reply)
      .on('line', take)
      .once('close', () => {
        if (closed || problem !== '') return;
        open().catch((error: Error) => {
          problem = error.message;
        });
      });
  };
  await open();
  return {
    changes,
    close: () => {
      closed = true;
      reply?.destroy();
      agent.destroy();
      if (problem !== '') throw new Error(`the watch of pods broke: ${problem}`);
    },
  };
}

function parseEvent(line: string): { type: string; object: Pod } | null {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

/** The largest number of pods that ran at the same time. */
export function mostRunning(changes: readonly PodChange[]): number {
  const running = new Set<string>();
  let most = 0;
  for (const { type, pod } of changes) {
    if (type !== 'DELETED' && pod.status?.phase === 'Running') running.add(pod.metadata.uid ?? '');
    else running.delete(pod.metadata.uid ?? '');
    most = Math.max(most, running.size);
  }
  return most;
}
