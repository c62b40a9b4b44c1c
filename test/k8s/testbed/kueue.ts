import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { startDaemon } from '../../slurm/daemon.ts';
import { runProgram } from '../../slurm/run-program.ts';
import { until } from '../../support/until.ts';
import { built, cacheEntry } from './cache.ts';
import { environment } from './control-plane.ts';
import type { ClusterParts } from './node.ts';

/** Kueue for Jobs that are created suspended; without its webhooks, which only fill in defaults and refuse mistakes. */
export async function startKueue(parts: ClusterParts): Promise<void> {
  const { dir, network, client, adminKubeconfig } = parts;
  await client.apply(customResources());
  const certificates = join(dir, 'kueue');
  mkdirSync(certificates);
  await selfSigned(certificates);
  const config = join(dir, 'kueue.json');
  writeFileSync(config, JSON.stringify(configuration(certificates), null, 1));
  const flags = [`--config=${config}`, `--kubeconfig=${adminKubeconfig}`, '--feature-gates=VisibilityOnDemand=false'];
  const daemon = startDaemon(
    [...network.inside, built('kueue'), ...flags],
    environment(dir),
    join(dir, 'log', 'kueue.log'),
  );
  parts.daemons.push(daemon);
  const ready = [
    ...network.inside,
    'bash',
    '-c',
    'exec 3<>/dev/tcp/127.0.0.1/8081; printf "GET /readyz HTTP/1.0\\r\\n\\r\\n" >&3; grep -q "200 OK" <&3',
  ];
  await until(
    'Kueue is ready',
    async () => {
      if (!daemon.running()) throw new Error('it ended');
      return (await runProgram(ready)).code === 0;
    },
    { describe: () => daemon.said() },
  );
}

function customResources(): object[] {
  const folder = join(cacheEntry(), 'kueue-crds');
  return readdirSync(folder).map((file) => {
    const definition = parse(readFileSync(join(folder, file), 'utf8')) as { spec: { conversion?: object } };
    // Conversion would be a webhook; all tests speak the stored version.
    delete definition.spec.conversion;
    return definition;
  });
}

function configuration(certificates: string): object {
  return {
    apiVersion: 'config.kueue.x-k8s.io/v1beta1',
    kind: 'Configuration',
    health: { healthProbeBindAddress: '127.0.0.1:8081' },
    metrics: { bindAddress: '127.0.0.1:8443' },
    webhook: { host: '127.0.0.1', port: 9443, certDir: certificates },
    leaderElection: { leaderElect: false },
    internalCertManagement: { enable: false },
    manageJobsWithoutQueueName: false,
    clientConnection: { qps: 500, burst: 1000 },
    integrations: { frameworks: ['batch/job'] },
  };
}

/** Its servers want certificates, though nobody calls them. */
async function selfSigned(dir: string): Promise<void> {
  const files = ['-keyout', join(dir, 'tls.key'), '-out', join(dir, 'tls.crt')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const ran = await runProgram(['openssl', 'req', '-x509', ...key, '-subj', '/CN=kueue', ...files]);
  if (ran.code !== 0) throw new Error(`openssl ended with ${ran.code}: ${ran.stderr}`);
}
