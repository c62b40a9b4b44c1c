import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, homedir, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { agentCommand } from './agent-processes.ts';
import { newToken } from './token.ts';

/** What an agent's YAML says, beside the address and the token that every one has. */
export type DefaultCluster = {
  readonly cluster: string;
  readonly kind: 'slurm' | 'kubernetes' | 'local';
  readonly local?: { readonly cpus: number; readonly memoryMiB: number };
  readonly kubernetes?: Readonly<Record<string, unknown>>;
};

/**
 * The clusters of a broker that has none: the real one this machine can see (a Slurm, else the Kubernetes of kubectl's
 * current context), else two local ones that share its processors and memory, so that the first job runs on any laptop.
 */
export async function findDefaultClusters(env: NodeJS.ProcessEnv): Promise<DefaultCluster[]> {
  const slurm = await slurmClusterName(env);
  if (slurm !== null) return [{ cluster: slurm, kind: 'slurm' }];
  const kubernetes = await kubernetesCluster(env);
  if (kubernetes !== null) return [kubernetes];
  return splitMachine(availableParallelism(), Math.floor(totalmem() / 1_048_576));
}

/** East gets the odd processor. A machine of one processor is shared: each side has one, half of the time. */
export function splitMachine(cpus: number, memoryMiB: number): DefaultCluster[] {
  const east = Math.max(1, Math.ceil(cpus / 2));
  const west = Math.max(1, cpus - east);
  const half = Math.floor(memoryMiB / 2);
  return [
    { cluster: 'east', kind: 'local', local: { cpus: east, memoryMiB: half } },
    { cluster: 'west', kind: 'local', local: { cpus: west, memoryMiB: half } },
  ];
}

/** Creates the cluster's record, then the file that its agent is started with; the token stands there alone. */
export async function writeDefaultCluster(options: {
  cluster: DefaultCluster;
  dataDir: string;
  broker: string;
  federation: string;
  tls?: { caFile: string };
  create: (name: string, token: string) => Promise<void>;
}): Promise<string> {
  const { cluster, dataDir, broker, federation, tls, create } = options;
  const token = newToken('yc_');
  const agents = join(dataDir, 'agents');
  const stateDir = join(dataDir, 'state', cluster.cluster);
  const workdir = join(dataDir, 'work', cluster.cluster);
  for (const dir of [agents, stateDir, workdir]) mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = join(agents, `${cluster.cluster}.yaml`);
  const { cluster: name, kind, ...rest } = cluster;
  const settings = {
    cluster: name,
    federation,
    kind,
    broker,
    token,
    stateDir,
    defaultWorkdir: workdir,
    ...rest,
    ...(tls && { tls }),
  };
  // The file first: a record without its token could never be used, a file without its record is written again.
  writeFileSync(file, comment(cluster) + stringify(settings), { mode: 0o600 });
  await create(name, token);
  return file;
}

function comment({ kind }: DefaultCluster): string {
  const slurm =
    '# stateDir and defaultWorkdir must lie on a file system that every node of the cluster sees: jobs take their claims there.\n';
  return `# Written at the first start; the broker runs this agent itself, as long as this file is here.\n${kind === 'slurm' ? slurm : ''}`;
}

/** The name of the Slurm cluster whose controller answers here, or null. */
async function slurmClusterName(env: NodeJS.ProcessEnv): Promise<string | null> {
  if (!onPath('sbatch', env) || !onPath('scontrol', env)) return null;
  const run = (argv: string[]) =>
    promisify(execFile)('scontrol', argv, { env, timeout: 5000, maxBuffer: 4_194_304 }).then(
      ({ stdout }) => stdout,
      () => '',
    );
  // "Slurmctld(primary) at host is UP" (scontrol(1), ping)
  if (!/\bis UP\b/.test(await run(['ping']))) return null;
  const name = /^ClusterName\s*=\s*(\S+)/m.exec(await run(['show', 'config']))?.[1]?.toLowerCase() ?? '';
  return /^[a-z0-9][a-z0-9-]{0,62}$/.test(name) ? name : 'slurm';
}

/** For jobs that name no image, such as the first one. */
const DEFAULT_IMAGE = 'busybox:1.37';
const FIND_MS = 15_000;

/**
 * The cluster of kubectl's current context, if it answers and takes Jobs. A process of its own looks, for the broker loads nothing of
 * Kubernetes; and only where there is a kubeconfig.
 */
async function kubernetesCluster(env: NodeJS.ProcessEnv): Promise<DefaultCluster | null> {
  if (!env['KUBECONFIG'] && !existsSync(join(env['HOME'] ?? homedir(), '.kube/config'))) return null;
  const [program, ...argv] = agentCommand();
  const { stdout } = await promisify(execFile)(program!, [...argv, 'agent', 'find'], { env, timeout: FIND_MS }).catch(
    () => ({ stdout: 'null' }),
  );
  const found = JSON.parse(stdout) as { context: string; namespace: string; kubeconfig?: string } | null;
  if (found === null) return null;
  const kubernetes = { ...found, defaultImage: DEFAULT_IMAGE, allowedImages: ['*'] };
  return { cluster: clusterNameOf(found.context), kind: 'kubernetes', kubernetes };
}

/** Contexts may be called anything: `arn:aws:eks:eu-west-1:1:cluster/Prod` is `arn-aws-eks-eu-west-1-1-cluster-prod`. */
function clusterNameOf(context: string): string {
  const name = context.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return name.slice(0, 63).replace(/^-|-$/g, '') || 'kubernetes';
}

function onPath(program: string, env: NodeJS.ProcessEnv): boolean {
  return (env['PATH'] ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
