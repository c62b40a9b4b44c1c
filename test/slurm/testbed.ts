import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onPath } from '../support/real-backends.ts';
import { until } from '../support/until.ts';
import { startAccountingStore } from './accounting-store.ts';
import { killJobProcesses, killLeftovers } from './cluster-processes.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { freePorts } from './free-ports.ts';
import { type Ran, runProgram } from './run-program.ts';
import { cgroupConf, type SlurmClusterOptions, type SlurmPorts, slurmConf } from './slurm-conf.ts';

/** Whether this machine can run real clusters, and if not the sentence that says why. */
export function slurmAvailable(options: { accounting?: boolean } = {}): { ok: boolean; why: string } {
  const programs = [
    'slurmctld',
    'slurmd',
    'sbatch',
    'munged',
    'setpriv',
    ...(options.accounting ? ['slurmdbd', 'mariadbd', 'mariadb-install-db'] : []),
  ];
  const missing = programs.filter((program) => !onPath(program));
  if (missing.length > 0) return { ok: false, why: `not found: ${missing.join(', ')}` };
  if (process.getuid?.() !== 0) return { ok: false, why: 'slurmd needs root' };
  return { ok: true, why: 'slurmctld, slurmd and munged are installed' };
}

/** One real Slurm: munged, slurmctld, a slurmd for each emulated node, and accounting if asked; all in one directory. */
export type SlurmCluster = {
  readonly name: string;
  readonly dir: string;
  /** The path for SLURM_CONF. */
  readonly conf: string;
  /** A whole environment for commands. */
  readonly env: NodeJS.ProcessEnv;
  readonly ports: SlurmPorts;
  /** Runs a Slurm command to its end, whatever its exit code. */
  run(argv: readonly string[], options?: { input?: string; timeoutMs?: number; env?: NodeJS.ProcessEnv }): Promise<Ran>;
  /** Standard output of a command that must succeed. */
  sbatch(args: readonly string[], script: string): Promise<string>;
  squeue(args?: readonly string[]): Promise<string>;
  scontrol(args: readonly string[]): Promise<string>;
  /** A second slurm.conf for commands that reach the controller through another port, such as a proxy's. */
  confForPort(port: number): string;
  stopController(signal?: NodeJS.Signals): Promise<void>;
  startController(): Promise<void>;
  restartController(signal?: NodeJS.Signals): Promise<void>;
  /** Keeps a copy of what the controller has saved so far; complete only while it is stopped by SIGTERM. */
  copyState(): string;
  /** Puts a copy back; the controller must be stopped. */
  restoreState(copy: string): void;
  /** Ends slurmd of node `at` (from 0); SIGKILL leaves its payloads running. */
  stopNode(at: number, signal?: NodeJS.Signals): Promise<void>;
  startNode(at: number): Promise<void>;
  /** Ends the node and everything on it, as a power cut does. Only for clusters with one node, which share one host. */
  loseNode(at: number): Promise<void>;
  /** Ends everything that belongs to the cluster and removes its directory. */
  stop(): Promise<void>;
};

export async function startSlurmCluster(options: SlurmClusterOptions): Promise<SlurmCluster> {
  const dir = mkdtempSync(join(tmpdir(), `yard-slurm-${options.name}-`));
  for (const folder of ['state', 'spool', 'log']) mkdirSync(join(dir, folder));
  const nodeCount = options.nodes ?? 1;
  const [slurmctldPort, slurmdbdPort, mariadbPort, ...slurmdPorts] = await freePorts(3 + nodeCount);
  const ports: SlurmPorts = { slurmctld: slurmctldPort!, slurmdbd: slurmdbdPort!, slurmd: slurmdPorts };
  const conf = join(dir, 'slurm.conf');
  const text = slurmConf(options, dir, ports);
  writeFileSync(conf, text);
  writeFileSync(join(dir, 'cgroup.conf'), cgroupConf());
  if (options.gpusPerNode) pretendGpus(dir, options.gpusPerNode);
  const env = commandEnvironment(conf);

  const run: SlurmCluster['run'] = (argv, each = {}) =>
    runProgram(argv, {
      env: { ...env, ...each.env },
      cwd: '/',
      ...(each.input === undefined ? {} : { input: each.input }),
      ...(each.timeoutMs === undefined ? {} : { timeoutMs: each.timeoutMs }),
    });
  const must = async (argv: readonly string[], input?: string): Promise<string> => {
    const ran = await run(argv, input === undefined ? {} : { input });
    if (ran.code !== 0) throw new Error(`${argv.join(' ')} ended with ${ran.code}: ${ran.stderr}`);
    return ran.stdout;
  };

  let munged: Daemon | undefined;
  let controller: Daemon | undefined;
  let accounting: { stop(): Promise<void> } | undefined;
  const nodes: (Daemon | undefined)[] = [];

  const startController = async () => {
    controller = startDaemon(['slurmctld', '-D', '-i'], env, join(dir, 'log', 'slurmctld.out'));
    await until(`slurmctld of ${options.name} answers`, () => answers(ports.slurmctld), {
      everyMs: 10,
      timeoutMs: 30_000,
      describe: () => controller?.said(),
    });
  };
  const startNode = async (at: number) => {
    mkdirSync(join(dir, 'spool', `n${at + 1}`), { recursive: true });
    nodes[at] = startDaemon(['slurmd', '-D', '-N', `n${at + 1}`], env, join(dir, 'log', `slurmd.n${at + 1}.out`));
  };
  const nodesReady = () =>
    until(
      `the nodes of ${options.name} are idle`,
      async () => {
        const { stdout } = await run(['sinfo', '-h', '-N', '-o', '%N %T']);
        const ready = new Set(
          stdout
            .split('\n')
            .filter((line) => / (idle|mixed|allocated)$/.test(line))
            .map((line) => line.split(' ')[0]),
        );
        return ready.size >= nodeCount;
      },
      { everyMs: 50, describe: async () => (await run(['sinfo', '-N', '-l'])).stdout },
    );
  const stop = async () => {
    await Promise.all([controller?.stop('SIGKILL'), ...nodes.map((node) => node?.stop('SIGKILL'))]);
    await accounting?.stop();
    await munged?.stop('SIGKILL');
    await killLeftovers(dir, conf);
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  };

  try {
    munged = await startMunged(dir, env);
    if (options.accounting) {
      accounting = await startAccountingStore({ dir, env, slurmdbdPort: slurmdbdPort!, mariadbPort: mariadbPort! });
      await must(['sacctmgr', '-i', 'add', 'cluster', options.name]);
    }
    await startController();
    for (let at = 0; at < nodeCount; at += 1) await startNode(at);
    await nodesReady();
  } catch (error) {
    await stop();
    throw error;
  }

  let copies = 0;
  return {
    name: options.name,
    dir,
    conf,
    env,
    ports,
    run,
    sbatch: async (args, script) =>
      (await must(['sbatch', '--parsable', '--chdir', dir, ...args], script)).trim().split(';')[0]!,
    squeue: (args = []) => must(['squeue', ...args]),
    scontrol: (args) => must(['scontrol', ...args]),
    confForPort: (port) => {
      const folder = join(dir, `client-${port}`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'slurm.conf'), text.replace(/^SlurmctldPort=.*$/m, `SlurmctldPort=${port}`));
      return join(folder, 'slurm.conf');
    },
    stopController: async (signal) => controller?.stop(signal),
    startController,
    restartController: async (signal) => {
      await controller?.stop(signal);
      await startController();
    },
    copyState: () => {
      copies += 1;
      const copy = join(dir, `state-copy-${copies}`);
      cpSync(join(dir, 'state'), copy, { recursive: true });
      return copy;
    },
    restoreState: (copy) => {
      rmSync(join(dir, 'state'), { recursive: true });
      cpSync(copy, join(dir, 'state'), { recursive: true });
    },
    stopNode: async (at, signal) => nodes[at]?.stop(signal),
    startNode,
    loseNode: async (at) => {
      await nodes[at]?.stop('SIGKILL');
      await killJobProcesses(conf, join(dir, 'log', `slurmd.n${at + 1}.log`));
    },
    stop,
  };
}

function commandEnvironment(conf: string): NodeJS.ProcessEnv {
  const path = process.env['PATH'] ?? '/usr/bin:/bin';
  return {
    SLURM_CONF: conf,
    PATH: `${path}:/usr/sbin:/sbin`,
    HOME: process.env['HOME'] ?? '/root',
    USER: process.env['USER'] ?? 'root',
    LANG: 'C.UTF-8',
  };
}

/** Plain files stand for the devices: slurmd only looks whether they exist (gres.conf(5)). */
function pretendGpus(dir: string, count: number): void {
  for (let at = 0; at < count; at += 1) writeFileSync(join(dir, `gpu${at}`), '');
  writeFileSync(join(dir, 'gres.conf'), `Name=gpu File=${join(dir, `gpu[0-${count - 1}]`)}\n`);
}

/** A munged of our own, so that nothing of the machine is needed; slurm.conf points to its socket by AuthInfo. */
async function startMunged(dir: string, env: NodeJS.ProcessEnv): Promise<Daemon> {
  const file = (name: string) => join(dir, name);
  writeFileSync(file('munge.key'), randomBytes(128), { mode: 0o600 });
  const daemon = startDaemon(
    [
      'munged',
      '--foreground',
      '--force',
      `--socket=${file('munge.socket')}`,
      `--key-file=${file('munge.key')}`,
      `--pid-file=${file('munged.pid')}`,
      `--seed-file=${file('munged.seed')}`,
      `--log-file=${file('log/munged.log')}`,
    ],
    env,
    file('log/munged.out'),
  );
  await until(
    'munged is ready',
    async () => (await runProgram(['munge', '-n', `--socket=${file('munge.socket')}`], { env })).code === 0,
    {
      everyMs: 10,
      timeoutMs: 10_000,
      describe: () => daemon.said(),
    },
  );
  return daemon;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
