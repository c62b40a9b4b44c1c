import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** What a test may choose of its cluster; everything has a default that starts jobs quickly. */
export type SlurmClusterOptions = {
  readonly name: string;
  readonly nodes?: number;
  readonly cpusPerNode?: number;
  readonly memoryMiBPerNode?: number;
  /** GPUs without a device, counted by the controller alone. */
  readonly gpusPerNode?: number;
  /** What a job gets that asks for no memory; without it Slurm gives the whole node. */
  readonly defMemPerCpuMiB?: number;
  /** `cgroup` kills by cgroup, `gather` by Slurm's own sampling (`OverMemoryKill`), `none` not at all. */
  readonly oom?: 'none' | 'cgroup' | 'gather';
  readonly accounting?: boolean;
  readonly partitions?: readonly string[];
  readonly killWaitSeconds?: number;
  readonly minJobAgeSeconds?: number;
  readonly slurmdTimeoutSeconds?: number;
  readonly messageTimeoutSeconds?: number;
  readonly maxArraySize?: number;
  readonly maxJobCount?: number;
  readonly schedulerParameters?: string;
  readonly extraConf?: string;
};

export type SlurmPorts = { readonly slurmctld: number; readonly slurmd: readonly number[]; readonly slurmdbd: number };

/** slurm.conf(5) of a cluster whose whole world is one directory: own munge, own state, emulated nodes on this host. */
export function slurmConf(options: SlurmClusterOptions, dir: string, ports: SlurmPorts): string {
  const host = hostname();
  const { oom = 'none', gpusPerNode = 0 } = options;
  const gres = gpusPerNode > 0 ? ` Gres=gpu:${gpusPerNode}` : '';
  const nodes = ports.slurmd.map(
    (port, at) =>
      `NodeName=n${at + 1} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${port} CPUs=${options.cpusPerNode ?? 8} ` +
      `RealMemory=${options.memoryMiBPerNode ?? 8000}${gres} State=UNKNOWN`,
  );
  return `${[
    `ClusterName=${options.name}`,
    `SlurmctldHost=${host}(127.0.0.1)`,
    `SlurmctldPort=${ports.slurmctld}`,
    'SlurmUser=root',
    'SlurmdUser=root',
    'AuthType=auth/munge',
    `AuthInfo=socket=${join(dir, 'munge.socket')}`,
    'CredType=cred/munge',
    'MpiDefault=none',
    'MailProg=/bin/true',
    `StateSaveLocation=${join(dir, 'state')}`,
    `SlurmdSpoolDir=${join(dir, 'spool', '%n')}`,
    `SlurmctldPidFile=${join(dir, 'slurmctld.pid')}`,
    `SlurmdPidFile=${join(dir, 'slurmd.%n.pid')}`,
    `SlurmctldLogFile=${join(dir, 'log', 'slurmctld.log')}`,
    `SlurmdLogFile=${join(dir, 'log', 'slurmd.%n.log')}`,
    // Nodes may claim more CPUs and memory than this host has.
    'SlurmdParameters=config_overrides',
    'SelectType=select/cons_tres',
    'SelectTypeParameters=CR_Core_Memory',
    `DefMemPerCPU=${options.defMemPerCpuMiB ?? 50}`,
    'SchedulerType=sched/backfill',
    `SchedulerParameters=${options.schedulerParameters ?? 'batch_sched_delay=0,sched_min_interval=0,bf_interval=1,default_queue_depth=1000,bf_max_job_test=1000'}`,
    `KillWait=${options.killWaitSeconds ?? 5}`,
    `MinJobAge=${options.minJobAgeSeconds ?? 300}`,
    `SlurmdTimeout=${options.slurmdTimeoutSeconds ?? 60}`,
    `MessageTimeout=${options.messageTimeoutSeconds ?? 20}`,
    'TCPTimeout=10',
    'ReturnToService=2',
    'PropagateResourceLimits=NONE',
    `MaxArraySize=${options.maxArraySize ?? 10_001}`,
    `MaxJobCount=${options.maxJobCount ?? 20_000}`,
    ...taskPlugins(oom),
    ...(options.accounting
      ? [
          'AccountingStorageType=accounting_storage/slurmdbd',
          'AccountingStorageHost=127.0.0.1',
          `AccountingStoragePort=${ports.slurmdbd}`,
          `AccountingStoragePass=${join(dir, 'munge.socket')}`,
        ]
      : ['AccountingStorageType=accounting_storage/none']),
    ...(gpusPerNode > 0 ? ['GresTypes=gpu'] : []),
    ...nodes,
    ...(options.partitions ?? ['PartitionName=batch Nodes=ALL Default=YES MaxTime=UNLIMITED State=UP']),
    options.extraConf ?? '',
  ].join('\n')}\n`;
}

/** cgroup.conf(5), for the hierarchy that this host has, without asking systemd for anything. */
export function cgroupConf(): string {
  const version = existsSync('/sys/fs/cgroup/memory') ? 'v1' : 'v2';
  return `CgroupPlugin=cgroup/${version}\nIgnoreSystemd=yes\nCgroupAutomount=no\nConstrainRAMSpace=yes\nConstrainSwapSpace=no\n`;
}

function taskPlugins(oom: 'none' | 'cgroup' | 'gather'): string[] {
  if (oom === 'cgroup')
    return ['ProctrackType=proctrack/linuxproc', 'TaskPlugin=task/cgroup', 'JobAcctGatherType=jobacct_gather/none'];
  const common = ['ProctrackType=proctrack/linuxproc', 'TaskPlugin=task/none'];
  if (oom === 'none') return [...common, 'JobAcctGatherType=jobacct_gather/none'];
  return [
    ...common,
    'JobAcctGatherType=jobacct_gather/linux',
    'JobAcctGatherParams=OverMemoryKill',
    'JobAcctGatherFrequency=1',
  ];
}
