import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import { z } from 'zod';

/** What the site lets the broker ask of its agent (I7); everything left out is unlimited, but native options. */
export const localPolicySchema = z.strictObject({
  /** Pools that jobs may name or be sent to. */
  allowedPools: z.array(z.string().min(1).max(255)).max(1000).optional(),
  /** Of those that this kind of agent knows; without it all of them. */
  allowedNativeOptions: z.array(z.string().min(1).max(64)).max(1000).optional(),
  maxWalltimeSeconds: z.int().min(1).optional(),
  maxScriptBytes: z.int().min(1).optional(),
  maxTasksPerRun: z.int().min(1).optional(),
  /** Groups, and all below them, whose jobs are taken. */
  allowedGroups: z.array(z.string().min(1).max(255)).max(1000).optional(),
});

export type LocalPolicy = z.output<typeof localPolicySchema>;

export type Asked = {
  readonly spec: JobSpec;
  readonly kind: 'slurm' | 'lsf' | 'kubernetes' | 'local';
  readonly pool: string;
  readonly groupPath: string;
  readonly taskCount: number;
};

/** Why this agent does not take such a job, as one sentence; null when it does. Checks in the order of the schema. */
export function policyRefusal(policy: LocalPolicy, known: readonly string[], asked: Asked): string | null {
  const { spec, pool } = asked;
  const pools = policy.allowedPools;
  if (pools && pool !== '' && !pools.includes(pool)) return `this agent's policy does not allow the pool '${pool}'`;
  const option = nativeNames(asked).find((name) => !allowedOptions(policy, known).includes(name));
  if (option !== undefined) return `this agent does not pass the native option '${option}'`;
  const seconds = spec.resources.walltimeSeconds;
  if (policy.maxWalltimeSeconds !== undefined && (seconds === undefined || seconds > policy.maxWalltimeSeconds))
    return `this agent's policy allows a walltime of at most ${policy.maxWalltimeSeconds} s, the job asks for ${seconds === undefined ? 'no limit' : `${seconds} s`}`;
  const bytes = Buffer.byteLength(spec.script ?? '');
  if (policy.maxScriptBytes !== undefined && bytes > policy.maxScriptBytes)
    return `this agent's policy allows scripts of at most ${policy.maxScriptBytes} bytes, this one has ${bytes}`;
  if (policy.maxTasksPerRun !== undefined && asked.taskCount > policy.maxTasksPerRun)
    return `this agent's policy allows at most ${policy.maxTasksPerRun} tasks at once, the run has ${asked.taskCount}`;
  if (policy.allowedGroups && !policy.allowedGroups.some((group) => isWithin(asked.groupPath, group)))
    return `this agent's policy does not take jobs of the group '${asked.groupPath}'`;
  return null;
}

/** The native options that the policy and the kind of agent both allow. */
export function allowedOptions(policy: LocalPolicy, known: readonly string[]): readonly string[] {
  const allowed = policy.allowedNativeOptions;
  return allowed ? known.filter((name) => allowed.includes(name)) : known;
}

function nativeNames({ spec, kind }: Asked): string[] {
  return kind === 'local' ? [] : Object.keys(spec.native[kind] ?? {});
}

function isWithin(path: string, group: string): boolean {
  return path === group || path.startsWith(`${group}/`);
}
