import { type UserInfo, userInfo } from 'node:os';
import { outputTemplates } from '@switchyard/core/spec/output-path.ts';
import { indexes, type RangeSet } from '@switchyard/core/spec/range-set.ts';
import { isArray, taskSet } from '@switchyard/core/spec/task-set.ts';
import type { RunOrder } from './backend.ts';
import type { WrapperJob } from './native-queue.ts';
import { buildWrapper, scriptOfCommand } from './wrapper.ts';

/** Asked once: it reads the password database, and every submit needs it. */
let user: UserInfo<string> | undefined;

export type JobPlace = { readonly cluster: string; readonly defaultWorkdir: string; readonly claimDirectory: string };

/** What is submitted natively for a run: the constant script, and everything that differs in the environment. */
export function wrapperJob(order: RunOrder, place: JobPlace): WrapperJob {
  const { spec } = order;
  return {
    script: buildWrapper(spec.script ?? scriptOfCommand(spec.command ?? [])),
    environment: { ...login(), ...spec.env, ...identity(order, place), ...arrayNumbers(order) },
    ...outputPaths(order, place),
    workdir: spec.workdir ?? place.defaultWorkdir,
    arrayTasks: isArray(spec) ? order.tasks : '',
  };
}

export function outputPaths(order: RunOrder, { defaultWorkdir }: Pick<JobPlace, 'defaultWorkdir'>) {
  return outputTemplates(order.spec, { jobNumber: order.jobNumber, user: order.owner, defaultWorkdir });
}

/** What a login gives, and nothing of the agent's own environment, which may hold its token. */
function login(): Record<string, string> {
  user ??= userInfo();
  const { username, homedir, shell } = user;
  return {
    HOME: homedir,
    USER: username,
    LOGNAME: username,
    SHELL: shell ?? '/bin/sh',
    PATH: searchPath(process.env['PATH']),
    ...(process.env['LANG'] ? { LANG: process.env['LANG'] } : {}),
  };
}

/** Without what npm put there to start this agent. */
function searchPath(own = ''): string {
  const folders = own.split(':').filter((folder) => folder !== '' && !/\/node_modules\//.test(`${folder}/`));
  return folders.length > 0 ? folders.join(':') : '/usr/local/bin:/usr/bin:/bin';
}

function identity(order: RunOrder, place: JobPlace): Record<string, string> {
  return {
    YARD_JOB_ID: order.jobId,
    YARD_JOB_NUMBER: String(order.jobNumber),
    YARD_JOB_NAME: order.spec.name,
    YARD_RUN_ID: order.runId,
    YARD_ATTEMPT: String(order.attempt),
    YARD_CLUSTER: place.cluster,
    YARD_GROUP: order.groupPath,
    YARD_CLAIM_DIR: place.claimDirectory,
  };
}

/** The whole array's numbers, for the run may be a part of it. */
function arrayNumbers({ spec }: RunOrder): Record<string, string> {
  if (!isArray(spec)) return {};
  const all = taskSet(spec);
  const size = all.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  return {
    YARD_ARRAY_COUNT: String(size),
    YARD_ARRAY_MIN: String(all[0]![0]),
    YARD_ARRAY_MAX: String(all.at(-1)![1]),
    YARD_ARRAY_STEP: String(stepOf(all)),
  };
}

/** SLURM_ARRAY_TASK_STEP: the distance of evenly spaced indexes, else 1. */
function stepOf(all: RangeSet): number {
  let step = 0;
  let previous: number | undefined;
  for (const index of indexes(all)) {
    if (previous !== undefined) {
      if (step !== 0 && index - previous !== step) return 1;
      step = index - previous;
    }
    previous = index;
  }
  return step || 1;
}
