import type { Database } from './db/database.ts';
import { type ClusterSummary, listClusters } from './db/list-clusters.ts';

const LOOK_MS = 1000;
const EVERYTHING = { seeAll: true, groups: [] };

/** Says of every cluster when it connects and when it goes out of sight; gives the function that ends it. */
export function announceClusters(db: Database, say: (name: string, sentence: string) => void): () => void {
  const known = new Map<string, string>();
  let timer: NodeJS.Timeout;
  let ended = false;

  async function look(): Promise<void> {
    const { items } = await listClusters(db, EVERYTHING).catch(() => ({ items: [] }));
    for (const cluster of items) {
      const state = stateOf(cluster);
      if (ended || state === (known.get(cluster.name) ?? 'new')) continue;
      known.set(cluster.name, state);
      say(cluster.name, sentenceOf(cluster, state));
    }
    if (!ended) timer = setTimeout(look, LOOK_MS);
  }

  timer = setTimeout(look, 0);
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

/** Connected and silent is not news yet: the first report follows at once. */
function stateOf({ state, total }: ClusterSummary): string {
  return state === 'never_connected' || (state === 'connected' && total === null) ? 'new' : state;
}

function sentenceOf({ kind, software, total }: ClusterSummary, state: string): string {
  if (state === 'unreachable') return 'out of sight: its agent does not report';
  const size = total ? `${total.cpus} CPUs, ${(total.memoryMiB / 1024).toFixed(1)} GiB` : '';
  return `connected: ${software || kind}, ${size}`;
}
