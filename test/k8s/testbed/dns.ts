import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startDaemon } from '../../slurm/daemon.ts';
import { runProgram } from '../../slurm/run-program.ts';
import { BUSYBOX } from './available.ts';
import { built } from './cache.ts';
import { environment } from './control-plane.ts';
import type { ClusterParts } from './node.ts';
import { untilReady } from './until-ready.ts';

/** CoreDNS at the address that every kubelet already writes into its pods. */
export async function startDns(parts: ClusterParts): Promise<void> {
  const { dir, network, adminKubeconfig } = parts;
  const config = join(dir, 'Corefile');
  // Without a TTL of zero a pod that asked too early would be told for seconds that there is no such name.
  writeFileSync(
    config,
    `.:53 {
  bind ${network.address}
  errors
  kubernetes cluster.local {
    kubeconfig ${adminKubeconfig}
    ttl 0
  }
}
`,
  );
  const argv = [...network.inside, built('coredns'), '-conf', config];
  const daemon = startDaemon(argv, environment(dir), join(dir, 'log', 'coredns.log'));
  parts.daemons.push(daemon);
  const ask = [...network.inside, BUSYBOX, 'nslookup', 'kubernetes.default.svc.cluster.local', network.address];
  await untilReady('CoreDNS answers', daemon, async () => (await runProgram(ask)).code === 0);
}
