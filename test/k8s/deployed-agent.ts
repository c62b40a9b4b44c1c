import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stringify } from 'yaml';
import { type Federation, startFederation } from '../support/federation.ts';
import { until } from '../support/until.ts';
import { AGENT_IMAGE, agentImage } from './agent-image.ts';
import { JOBS } from './kube-world.ts';
import { type KubeCluster, type KubeNode, startKubeCluster } from './testbed.ts';

const SHIPPED = join(import.meta.dirname, '../../deploy/kubernetes/agent');
export const AGENTS = 'switchyard';
const DOOR_PORT = 8471;

/** The shipped agent, deployed in a cluster as an operator does it, and a broker outside. */
export type DeployedAgent = {
  readonly kube: KubeCluster;
  readonly node: KubeNode;
  readonly federation: Federation;
  readonly imageBytes: number;
  /** What `kubectl apply -k` said. */
  readonly applied: string;
  pod(): Promise<AgentPod>;
  untilReady(restarts: number): Promise<AgentPod>;
  /** A script in the agent's own container, by its own Node: there is no shell. */
  inside(script: string): Promise<{ code: number; stdout: string; stderr: string }>;
  close(): Promise<void>;
};

type AgentPod = {
  metadata: { name: string };
  spec: { serviceAccountName: string };
  status: {
    phase: string;
    conditions?: { type: string; status: string }[];
    containerStatuses?: { containerID: string; ready: boolean; restartCount: number }[];
  };
};

export async function deployAgent(): Promise<DeployedAgent> {
  const kube = await startKubeCluster({ name: 'deploy' });
  let federation: Federation | undefined;
  const close = async () => {
    await kube.close();
    await federation?.close();
  };
  try {
    const [node, image] = await Promise.all([kube.addNode('n1', { cpus: 4, memoryMiB: 8192 }), agentImage(kube.dir)]);
    await must(node.run(['ctr', '-n', 'k8s.io', 'images', 'import', '--snapshotter=native', image.archive]));
    const tls = brokerCertificate(kube);
    federation = await startFederation({
      env: {
        SWITCHYARD_GRPC_HOST: hostSide(kube),
        SWITCHYARD_GRPC_TLS_CERT: tls.cert,
        SWITCHYARD_GRPC_TLS_KEY: tls.key,
      },
    });
    type Added = { token: string; broker: string; federation: string };
    const added = await federation.api.call<Added>('POST', '/v1/clusters', { name: 'k8s' });
    await openDoor(node, added.body.broker);
    await makeVolume(kube);
    const overlay = writeOverlay(kube, { ...added.body, caFile: tls.cert });
    const applied = await must(kube.kubectl(['apply', '-k', overlay]));
    const pod = () => agentPod(kube);
    return {
      ...{ kube, node, federation, imageBytes: image.bytes, applied, pod, close },
      untilReady: (restarts) => untilReady(kube, restarts),
      inside: async (script) =>
        kube.kubectl(['exec', '-n', AGENTS, (await pod()).metadata.name, '--', 'node', '-e', script]),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * An overlay as the README beside the deployment says. The two patches are this test bed's: nothing pulls images in it, and without
 * a kube-proxy the API server has no service address.
 */
function writeOverlay(
  kube: KubeCluster,
  { token, federation, caFile }: { token: string; federation: string; caFile: string },
): string {
  const overlay = join(kube.dir, 'overlay');
  mkdirSync(overlay);
  const { hostname, port } = new URL(kube.apiUrl);
  const files = {
    token,
    'ca.pem': readFileSync(caFile, 'utf8'),
    'agent.yaml': stringify({
      ...{ cluster: 'k8s', federation, kind: 'kubernetes', broker: `${hostname}:${DOOR_PORT}` },
      tls: { caFile: '/etc/switchyard/ca.pem' },
      ...{ stateDir: '/var/lib/switchyard', healthPort: 8472 },
      kubernetes: { namespace: JOBS, defaultImage: kube.image, defaultMemoryMiB: 64 },
    }),
    'kustomization.yaml': stringify({
      resources: [relative(overlay, SHIPPED)],
      images: [{ name: 'switchyard', newName: AGENT_IMAGE.name, newTag: AGENT_IMAGE.tag }],
      configMapGenerator: [
        { name: 'switchyard-agent', namespace: AGENTS, behavior: 'replace', files: ['agent.yaml', 'ca.pem'] },
      ],
      secretGenerator: [{ name: 'switchyard-agent', namespace: AGENTS, files: ['token'] }],
      patches: [
        {
          target: { kind: 'Deployment', name: 'switchyard-agent' },
          patch: JSON.stringify([
            { op: 'add', path: '/spec/template/spec/containers/0/imagePullPolicy', value: 'Never' },
            env('KUBERNETES_SERVICE_HOST', hostname),
            env('KUBERNETES_SERVICE_PORT', port),
          ]),
        },
      ],
    }),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(overlay, name), text, { mode: 0o600 });
  return overlay;
}

function env(name: string, value: string): object {
  return { op: 'add', path: '/spec/template/spec/containers/0/env/-', value: { name, value } };
}

/** For the claim of the deployment; a real cluster has a class that makes one. */
async function makeVolume(kube: KubeCluster): Promise<void> {
  const path = join(kube.dir, 'agent-state');
  mkdirSync(path);
  chownSync(path, 65_532, 65_532);
  await kube.apply([
    {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: 'agent-state' },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Retain',
        claimRef: { namespace: AGENTS, name: 'switchyard-agent-state' },
        hostPath: { path, type: 'Directory' },
      },
    },
  ]);
}

/** The host's end of the cluster's cable. */
function hostSide(kube: KubeCluster): string {
  return new URL(kube.apiUrl).hostname.replace(/\.2$/, '.1');
}

function brokerCertificate(kube: KubeCluster): { cert: string; key: string } {
  const [cert, key] = [join(kube.dir, 'broker.crt'), join(kube.dir, 'broker.key')];
  const name = `subjectAltName=IP:${new URL(kube.apiUrl).hostname},IP:${hostSide(kube)}`;
  const newKey = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=broker',
  ];
  execFileSync('openssl', ['req', '-x509', ...newKey, '-addext', name, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  return { cert, key };
}

/** The host knows no way back to the pods of a test bed: what they send to the cluster's own address goes on to the broker. */
async function openDoor(node: KubeNode, broker: string): Promise<void> {
  const [host, port] = broker.split(':');
  const script = `const net = require('node:net');
net.createServer((near) => {
  const far = net.connect(${port}, '${host}');
  near.on('error', () => far.destroy()).on('close', () => far.destroy());
  far.on('error', () => near.destroy()).on('close', () => near.destroy());
  near.pipe(far).pipe(near);
}).listen(${DOOR_PORT});`;
  // It ends with the node.
  await must(node.run(['sh', '-c', 'setsid "$0" -e "$1" >/dev/null 2>&1 &', process.execPath, script]));
}

async function agentPod(kube: KubeCluster): Promise<AgentPod> {
  const { body } = await kube.api<{ items: AgentPod[] }>('GET', `/api/v1/namespaces/${AGENTS}/pods`);
  if (body.items.length !== 1) throw new Error(`there are ${body.items.length} pods of the agent`);
  return body.items[0]!;
}

function untilReady(kube: KubeCluster, restarts: number): Promise<AgentPod> {
  return until(
    'the agent is Ready',
    async () => {
      const pod = await agentPod(kube);
      const ready = pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
      return ready && pod.status.containerStatuses?.[0]?.restartCount === restarts && pod;
    },
    {
      ...{ timeoutMs: 90_000, everyMs: 200 },
      describe: async () => [
        (await kube.kubectl(['describe', 'pods,deployments,replicasets', '-n', AGENTS])).stdout.slice(-2500),
        (await kube.kubectl(['logs', '-n', AGENTS, 'deployment/switchyard-agent'])).stdout.slice(-1000),
      ],
    },
  );
}

async function must(ran: Promise<{ code: number; stdout: string; stderr: string }>): Promise<string> {
  const { code, stdout, stderr } = await ran;
  if (code !== 0) throw new Error(`ended with ${code}: ${stderr}`);
  return stdout;
}
