import { z } from 'zod';

/**
 * The one schema of a job (design section 7), used by REST, the command line, YAML files, agents and tests.
 * `JobSpecInput` is what a person writes; `JobSpec` is what is stored, hashed and offered: every default filled in.
 */

/** Text that may reach a native command: no NUL, no other control characters, no line breaks. */
const line = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
    .regex(/^[^\u0000-\u001f\u007f]*$/u, 'must not contain line breaks, NUL or other control characters');

const path = line(4096);
const noNul = z.string().refine((text) => !text.includes('\0'), 'must not contain NUL bytes');

export const MAX_SCRIPT_BYTES = 1_048_576;
export const MAX_ENV_BYTES = 262_144;

export const resourcesSchema = z.strictObject({
  tasks: z.int().min(1).max(1_000_000).default(1),
  nodes: z.int().min(1).max(100_000).optional(),
  tasksPerNode: z.int().min(1).max(100_000).optional(),
  cpusPerTask: z.int().min(1).max(100_000).default(1),
  memoryMiBPerNode: z.int().min(1).max(1_000_000_000).optional(),
  memoryMiBPerCpu: z.int().min(1).max(1_000_000_000).optional(),
  memoryMiBPerTask: z.int().min(1).max(1_000_000_000).optional(),
  gpusPerNode: z.int().min(0).max(1024).default(0),
  gpuType: line(64).optional(),
  walltimeSeconds: z.int().min(1).max(31_536_000).optional(),
  exclusive: z.boolean().default(false),
});

export const arraySchema = z.strictObject({
  /** `0-999:2` in the dialect of `sbatch --array`, without `%`. */
  tasks: z.string().min(1).max(100_000),
  maxRunning: z.int().min(1).max(1_000_000).optional(),
  split: z.boolean().default(true),
});

export const WHEN = ['succeeded', 'failed', 'ended', 'started'] as const;
export const CLUSTER_KINDS = ['slurm', 'lsf', 'kubernetes', 'local'] as const;
export type ClusterKind = (typeof CLUSTER_KINDS)[number];

const nativeOptions = z.record(
  line(64),
  z.union([line(4096), z.number(), z.boolean(), z.record(line(253), line(253))], {
    error: 'must be one line of text, a number, true or false, or a map of texts',
  }),
);

const jobReference = z.union([z.int().min(1), z.uuid('must be the number or the id of a job')], {
  error: 'must be the number or the id of a job',
});

export const jobSpecSchema = z
  .strictObject({
    name: line(1024).default('job'),
    group: z
      .string()
      .max(255)
      .regex(
        /^[a-z0-9][a-z0-9._-]*(\/[a-z0-9][a-z0-9._-]*)*$/,
        'must be a path of lower-case names such as physics/astro',
      )
      .default('default'),
    script: noNul.max(MAX_SCRIPT_BYTES).optional(),
    command: z.array(noNul.max(131_072)).min(1).max(4096).optional(),
    image: line(1024).optional(),
    resources: resourcesSchema.prefault({}),
    array: arraySchema.optional(),
    dependsOn: z
      .array(z.strictObject({ job: jobReference, when: z.enum(WHEN).default('succeeded') }))
      .max(1000)
      .default([]),
    env: z
      .record(
        z
          .string()
          .max(1024)
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is not a name an environment variable can have'),
        noNul.max(131_072),
      )
      .default({}),
    environment: z.enum(['clean', 'submit']).default('clean'),
    workdir: path.regex(/^\//, 'must be an absolute path').optional(),
    needs: z.array(line(255)).max(64).default([]),
    stdout: path.optional(),
    stderr: path.optional(),
    stdin: path.optional(),
    signal: z
      .strictObject({
        name: z.enum(['TERM', 'INT', 'HUP', 'USR1', 'USR2', 'CONT']),
        beforeEndSeconds: z.int().min(0).max(65_535).default(60),
        /** `B:` of sbatch: only the batch script gets the signal. */
        batchOnly: z.boolean().default(true),
      })
      .optional(),
    constraints: z
      .strictObject({
        clusters: z.array(line(253)).max(256).optional(),
        excludeClusters: z.array(line(253)).max(256).optional(),
        kinds: z.array(z.enum(CLUSTER_KINDS)).max(4).optional(),
        clusterLabels: z.record(line(63), line(253)).optional(),
        features: z.array(line(253)).max(64).optional(),
      })
      .prefault({}),
    priority: z.int().min(0).max(1_000_000).default(500),
    held: z.boolean().default(false),
    rerunnable: z.boolean().default(false),
    retry: z
      .strictObject({
        /** Starts in all. Without it 3 for a job that is `rerunnable`, else 1 (lifecycle/retry). */
        maxAttempts: z.int().min(1).max(100).optional(),
        lostAfterSeconds: z.int().min(60).max(2_592_000).optional(),
        on: z.strictObject({ exitCodes: z.array(z.int().min(1).max(255)).max(255).default([]) }).prefault({}),
      })
      .prefault({}),
    startAfter: z.iso.datetime({ offset: true }).optional(),
    startDeadline: z.iso.datetime({ offset: true }).optional(),
    labels: z.record(line(63), noNul.max(253)).default({}),
    native: z
      .strictObject({
        slurm: nativeOptions.optional(),
        lsf: nativeOptions.optional(),
        kubernetes: nativeOptions.optional(),
      })
      .prefault({}),
  })
  .check((ctx) => {
    const { script, command, resources } = ctx.value;
    const say = (path: string[], message: string) =>
      ctx.issues.push({ code: 'custom', path, message, input: ctx.value });
    if ((script === undefined) === (command === undefined))
      say(['script'], 'give either script or command, one of the two');
    if (script !== undefined && !/^#![ \t]*\/\S/.test(script))
      say(['script'], 'must start with an interpreter line such as #!/bin/bash');
    const memory = [resources.memoryMiBPerNode, resources.memoryMiBPerCpu, resources.memoryMiBPerTask];
    if (memory.filter((value) => value !== undefined).length > 1)
      say(['resources'], 'give one of memoryMiBPerNode, memoryMiBPerCpu and memoryMiBPerTask');
  });

export type JobSpecInput = z.input<typeof jobSpecSchema>;
export type JobSpec = z.output<typeof jobSpecSchema>;
export type Resources = JobSpec['resources'];
