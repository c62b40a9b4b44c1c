import { z } from 'zod';

const path = z.string().min(1).max(4096).regex(/^\//, 'must be an absolute path');
const dnsLabel = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'must be a name of lower-case letters, digits and dashes');
const objectName = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'must be a name of lower-case letters, digits, dots and dashes');
const labelKey = z
  .string()
  .max(317)
  .regex(/^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, 'must be the name of a label');
const labelValue = z
  .string()
  .max(63)
  .regex(/^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$/, 'must be a value that a label can have');
const id = z.int().min(0).max(2_147_483_647);

const image = z
  .string()
  .max(1024)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]*$/, 'must be an image such as registry.example/team/tool:1.4');
const imagePattern = z
  .string()
  .max(1024)
  .regex(/^[A-Za-z0-9*][A-Za-z0-9._:/@*-]*$/, 'must be an image, with * for any characters');

const toleration = z.strictObject({
  key: labelKey.optional(),
  operator: z.enum(['Exists', 'Equal']).optional(),
  value: labelValue.optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
  tolerationSeconds: z.int().min(0).optional(),
});

const pool = z.strictObject({
  /** Labels that a node of this pool has; empty: every node. */
  nodeSelector: z.record(labelKey, labelValue).default({}),
  tolerations: z.array(toleration).max(100).default([]),
});

const volume = z.strictObject({
  /** A PersistentVolumeClaim in the namespace of the job. */
  claim: objectName,
  mountPath: path
    .regex(/^(\/[^/:]+)+$/, 'must be a path without a colon, a doubled or a trailing slash')
    .refine((at) => !/^\/(yard|tmp|dev|proc|sys|etc)(\/|$)/.test(at), 'is a folder that every container needs itself')
    .refine((at) => !at.split('/').includes('..'), "must not contain '..'"),
  subPath: z
    .string()
    .min(1)
    .max(4096)
    .regex(/^[^/]/, 'must be a relative path')
    .refine((at) => !at.split('/').includes('..'), "must not contain '..'")
    .optional(),
  readOnly: z.boolean().default(false),
});

const queues = {
  /** Kueue's LocalQueue that jobs of this namespace go through; without one they are plain Jobs. */
  queue: objectName.optional(),
  /** Further LocalQueues of this namespace that a job may name. */
  queues: z.array(objectName).max(100).default([]),
};

const binding = z.strictObject({
  /** A group, and all below it that have no binding of their own. */
  group: z.string().min(1).max(255),
  namespace: dnsLabel,
  ...queues,
  serviceAccount: objectName.optional(),
});

/** The `kubernetes` section of an agent's YAML: which cluster, and what of it jobs may use. */
export const kubernetesConfigSchema = z
  .strictObject({
    /** Without both: the service account when this runs in a pod, else the kubeconfig that kubectl would use. */
    kubeconfig: path.optional(),
    context: z.string().min(1).max(253).optional(),

    /** Of groups that no binding names. */
    namespace: dnsLabel.default('default'),
    ...queues,
    bindings: z.array(binding).max(10_000).default([]),

    /** For jobs that name no image. */
    defaultImage: image.optional(),
    /** Without it, `defaultImage` alone. */
    allowedImages: z.array(imagePattern).max(1000).optional(),
    imagePullPolicy: z.enum(['IfNotPresent', 'Always', 'Never']).default('IfNotPresent'),
    imagePullSecrets: z.array(objectName).max(100).default([]),
    /** That a job may name, beside the one of its binding. None of them gives a job a token. */
    allowedServiceAccounts: z.array(objectName).max(1000).default([]),
    /** That a job may name, of the scheduler and of Kueue: a high one pushes out other people's pods. */
    allowedPriorityClasses: z.array(objectName).max(1000).default([]),

    /** By the names that jobs give in `needs`; also mounted when the job's workdir lies in them. */
    volumes: z.record(z.string().min(1).max(255), volume).default({}),
    pools: z.record(z.string().min(1).max(255), pool).default({ default: { nodeSelector: {}, tolerations: [] } }),
    /** For jobs that name none; without it the first. */
    defaultPool: z.string().min(1).max(255).optional(),

    gpuResource: labelKey.default('nvidia.com/gpu'),
    /** The node label that says what kind of GPU a node has. */
    gpuTypeLabel: labelKey.default('nvidia.com/gpu.product'),

    /** The user that payloads run as. Never root. */
    runAsUser: id.min(1, 'must not be root').default(65_532),
    runAsGroup: id.default(65_532),
    /** Group that the volumes are made accessible to. */
    fsGroup: id.optional(),

    /** Limits of one task of a job, all its nodes together. */
    maxCpusPerTask: z.int().min(1).optional(),
    maxMemoryMiB: z.int().min(1).optional(),
    maxGpus: z.int().min(0).optional(),
    /** Per node of a job that asks for no memory. */
    defaultMemoryMiB: z.int().min(1).max(1_000_000_000).default(512),

    /** Between TERM and KILL when a job is cancelled or reaches its walltime. */
    terminationGraceSeconds: z.int().min(0).max(3600).default(30),
    /** How long an image may be impossible to pull before the job fails. */
    imagePullSeconds: z.int().min(1).max(86_400).default(120),
    /** How long the pods of a job of several nodes may wait for each other before all are given back. */
    gangSeconds: z.int().min(1).max(86_400).default(300),
    /** How long a node may be away before what ran there has ended. */
    lostNodeSeconds: z.int().min(1).max(86_400).default(90),
    /** How long the cluster keeps ended Jobs: longer than this agent is ever away. */
    ttlSecondsAfterFinished: z.int().min(60).max(31_536_000).default(604_800),

    /** What this agent asks of the API server at most. */
    requestsPerSecond: z.number().min(1).max(10_000).default(200),
    burst: z.int().min(1).max(100_000).default(400),
    concurrency: z.int().min(1).max(1000).default(16),
    requestTimeoutMs: z.int().min(100).max(600_000).default(15_000),
  })
  .check((ctx) => {
    const config = ctx.value;
    const say = (where: (string | number)[], message: string) =>
      ctx.issues.push({ code: 'custom', path: where, message, input: config });
    const pools = Object.keys(config.pools);
    if (pools.length === 0) say(['pools'], 'must have at least one pool; leave it out for one of all nodes');
    if (config.defaultPool !== undefined && !pools.includes(config.defaultPool))
      say(['defaultPool'], `there is no pool '${config.defaultPool}'; there is ${pools.join(', ')}`);
    const queueNames = [config, ...config.bindings].flatMap((each) => [each.queue, ...each.queues]);
    const both = pools.find((name) => queueNames.includes(name));
    if (both !== undefined) say(['pools', both], 'is also the name of a LocalQueue, and jobs name both in one place');
    for (const at of repeated(config.bindings.map(({ group }) => group)))
      say(['bindings', at, 'group'], 'has a binding already');
    const volumes = Object.entries(config.volumes);
    for (const at of repeated(volumes.map(([, { mountPath }]) => mountPath)))
      say(['volumes', volumes[at]![0], 'mountPath'], 'is the place of another volume');
  });

export type KubernetesConfig = z.output<typeof kubernetesConfigSchema>;
export type KubernetesConfigInput = z.input<typeof kubernetesConfigSchema>;

/** Where in a list something comes a second time. */
function repeated(list: readonly string[]): number[] {
  return list.flatMap((each, at) => (list.indexOf(each) < at ? [at] : []));
}
