import type { DefineCommand } from './cli.ts';

type Entry = {
  readonly name: string;
  readonly summary: string;
  readonly hidden?: true;
  readonly load: () => Promise<DefineCommand>;
};

/** Every command, in the order of the help. */
export const commandTable: readonly Entry[] = [
  {
    name: 'submit',
    summary: 'submit a script, a command or a YAML document',
    load: async () => (await import('./commands/submit.ts')).defineSubmit,
  },
  {
    name: 'ps',
    summary: 'list jobs, and why they wait',
    load: async () => (await import('./commands/ps.ts')).definePs,
  },
  {
    name: 'show',
    summary: 'everything about one job',
    load: async () => (await import('./commands/show.ts')).defineShow,
  },
  {
    name: 'logs',
    summary: 'the output of a job',
    load: async () => (await import('./commands/logs.ts')).defineLogs,
  },
  {
    name: 'events',
    summary: 'what happened to a job, step by step',
    load: async () => (await import('./commands/events.ts')).defineEvents,
  },
  {
    name: 'wait',
    summary: 'wait for jobs and exit with their code',
    load: async () => (await import('./commands/wait.ts')).defineWait,
  },
  {
    name: 'cancel',
    summary: 'cancel jobs',
    load: async () => (await import('./commands/cancel.ts')).defineCancel,
  },
  {
    name: 'release',
    summary: 'let held jobs into the queue',
    load: async () => (await import('./commands/release.ts')).defineRelease,
  },
  {
    name: 'clusters',
    summary: 'what every cluster has free, and how old that number is',
    load: async () => (await import('./commands/clusters.ts')).defineClusters,
  },
  {
    name: 'cluster',
    summary: 'add, cordon, drain, activate or forget a cluster',
    load: async () => (await import('./commands/cluster.ts')).defineCluster,
  },
  {
    name: 'agent',
    summary: 'run or check the agent beside a cluster',
    load: async () => (await import('./commands/agent.ts')).defineAgent,
  },
  {
    name: 'login',
    summary: 'store the address and token of a broker',
    load: async () => (await import('./commands/login.ts')).defineLogin,
  },
  {
    name: 'completion',
    summary: 'print a completion script for bash, zsh or fish',
    load: async () => (await import('./commands/completion.ts')).defineCompletion,
  },
  {
    name: 'version',
    summary: 'print the version',
    load: async () => (await import('./commands/version.ts')).defineVersion,
  },
  {
    name: '__complete',
    summary: 'candidates for the shell',
    hidden: true,
    load: async () => (await import('./commands/complete.ts')).defineComplete,
  },
];
