import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { startDaemon } from '../../slurm/daemon.ts';
import { runProgram } from '../../slurm/run-program.ts';
import { until } from '../../support/until.ts';
import type { ApiClient } from './api-client.ts';
import { BUSYBOX } from './available.ts';
import { built, cacheEntry } from './cache.ts';
import { environment } from './control-plane.ts';
import type { ClusterParts } from './node.ts';
import { untilReady } from './until-ready.ts';

/** Where Kueue looks for the certificates of its metrics cannot be configured, so it gets an /etc of its own. */
const WITH_CERTIFICATES = `
set -e
certificates=$1
shift
mount -t tmpfs etc /etc
mkdir -p /etc/kueue/metrics
ln -s "$certificates" /etc/kueue/metrics/certs
exec "$@"`;

/** Kueue for Jobs that are created suspended; without its webhooks, which only fill in defaults and refuse mistakes. */
export async function startKueue(parts: ClusterParts): Promise<void> {
  const { dir, network, client, adminKubeconfig } = parts;
  await client.apply(customResources());
  // Discovery tells of them only afterwards, and Kueue ends when it does not find them.
  await until('the kinds of Kueue are served', async () => (await unserved(client)).length === 0);
  const certificates = join(dir, 'kueue');
  mkdirSync(certificates);
  await selfSigned(certificates);
  const config = join(dir, 'kueue.json');
  writeFileSync(config, JSON.stringify(configuration(certificates), null, 1));
  const flags = [`--config=${config}`, `--kubeconfig=${adminKubeconfig}`, '--feature-gates=VisibilityOnDemand=false'];
  const hull = ['unshare', '--mount', '--propagation=private', 'sh', '-c', WITH_CERTIFICATES, 'sh', certificates];
  const argv = [...network.inside, ...hull, built('kueue'), ...flags];
  const daemon = startDaemon(argv, environment(dir), join(dir, 'log', 'kueue.log'));
  parts.daemons.push(daemon);
  const ready = [...network.inside, BUSYBOX, 'wget', '-q', '-O', '-', 'http://127.0.0.1:8081/readyz'];
  await untilReady('Kueue is ready', daemon, async () => (await runProgram(ready)).code === 0);
}

type Definitions = {
  items: { metadata: { name: string }; status: { conditions?: { type: string; status: string }[] } }[];
};

async function unserved(client: ApiClient): Promise<string[]> {
  const { body } = await client.call<Definitions>('GET', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions');
  const isServed = (each: Definitions['items'][number]) =>
    each.status.conditions?.some((condition) => condition.type === 'Established' && condition.status === 'True');
  return body.items.filter((each) => !isServed(each)).map((each) => each.metadata.name);
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
