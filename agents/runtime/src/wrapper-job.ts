import { type UserInfo, userInfo } from 'node:os';
import { outputTemplates } from '@switchyard/core/spec/output-path.ts';
import { isArray } from '@switchyard/core/spec/task-set.ts';
import type { RunOrder } from './backend.ts';
import type { WrapperJob } from './native-queue.ts';
import { arrayNumbers, runIdentity } from './run-environment.ts';
import { buildWrapper, scriptOfCommand } from './wrapper.ts';

/** Asked once: it reads the password database, and every submit needs it. */
let user: UserInfo<string> | undefined;

export type JobPlace = { readonly cluster: string; readonly defaultWorkdir: string; readonly claimDirectory: string };

/** What is submitted natively for a run: the constant script, and everything that differs in the environment. */
export function wrapperJob(order: RunOrder, place: JobPlace): WrapperJob {
  const { spec } = order;
  return {
    script: buildWrapper(spec.script ?? scriptOfCommand(spec.command ?? [])),
    environment: {
      ...login(),
      ...spec.env,
      ...runIdentity(order, place.cluster),
      ...arrayNumbers(spec),
      YARD_CLAIM_DIR: place.claimDirectory,
    },
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
