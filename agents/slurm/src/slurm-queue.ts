import { randomBytes } from 'node:crypto';
import type { NativeQueue, SubmitAnswer } from '@switchyard/agent-runtime/native-queue.ts';
import { parseMarker } from '@switchyard/core/spec/marker.ts';
import { cached } from './cached.ts';
import { capacityReport } from './capacity.ts';
import {
  accountingCommand,
  configCommand,
  listCommand,
  nodesCommand,
  partitionsCommand,
  submitCommand,
} from './commands.ts';
import { type SlurmConfigInput, slurmConfigSchema } from './config.ts';
import { environmentFile } from './environment-file.ts';
import { createFailedExits } from './failed-exits.ts';
import { killJobs } from './kill-jobs.ts';
import { nativeJob } from './native-job.ts';
import { nativeArguments } from './native-options.ts';
import { parseAccounting } from './parse/accounting.ts';
import { parseClusterConfig } from './parse/config-values.ts';
import { type ListedJob, ListingUntrusted, parseListing } from './parse/listing.ts';
import { parseNodes } from './parse/nodes.ts';
import { parsePartitions } from './parse/partitions.ts';
import { parseSubmitAnswer } from './parse/submit-answer.ts';
import { answerOf, describeEnd, type RunSlurm, slurmRunner } from './slurm-commands.ts';
import { createVanishedTasks } from './vanished-tasks.ts';

type Listing = { readonly jobs: readonly ListedJob[]; readonly atMs: number };

export type SlurmQueueDependencies = { readonly run?: RunSlurm; readonly uid?: number; readonly nowMs?: () => number };

/** Configuration changes rarely, and costs its own calls. */
const CONFIG_MAX_AGE_MS = 60_000;
/** A listing this young serves a capacity report; the agent's own poll usually has one. */
const LISTING_MAX_AGE_MS = 10_000;

/** One Slurm through its own commands on this host (design section 5); SLURM_CONF tells several apart. */
export function slurmQueue(input: SlurmConfigInput = {}, dependencies: SlurmQueueDependencies = {}): NativeQueue {
  const config = slurmConfigSchema.parse(input);
  const { run = slurmRunner(config), uid = process.getuid?.() ?? 0, nowMs = Date.now } = dependencies;
  let last: Listing | null = null;
  const clusterConfig = cached(
    CONFIG_MAX_AGE_MS,
    async () => parseClusterConfig(await answerOf(run, configCommand())),
    nowMs,
  );
  const partitions = cached(
    CONFIG_MAX_AGE_MS,
    async () => parsePartitions(await answerOf(run, partitionsCommand())),
    nowMs,
  );

  /** Everybody's jobs; throws unless squeue proved that this is a listing. */
  const listing = async (): Promise<Listing> => {
    const atMs = nowMs();
    const nonce = `yard${randomBytes(6).toString('hex')}:`;
    const result = await run(listCommand(nonce));
    if (result.kind !== 'exited' || result.code !== 0) throw new ListingUntrusted(`squeue ${describeEnd(result)}`);
    last = { jobs: parseListing(result.stdout, nonce), atMs };
    return last;
  };
  const isOurs = (job: ListedJob) => job.uid === String(uid) && parseMarker(job.comment) !== null;
  const vanishedTasks = createVanishedTasks();
  const failedExits = createFailedExits(run, uid);

  return {
    kind: 'slurm',

    fingerprint: async () => {
      const { clusterName, controller, port } = await clusterConfig();
      return `slurm:${clusterName}@${controller}:${port}`;
    },

    capacity: async () => {
      const [facts, parts, nodes] = await Promise.all([
        clusterConfig(),
        partitions(),
        answerOf(run, nodesCommand()).then(parseNodes),
      ]);
      const { jobs } = last !== null && nowMs() - last.atMs < LISTING_MAX_AGE_MS ? last : await listing();
      return capacityReport({
        config: facts,
        partitions: parts,
        nodes,
        jobs,
        allowed: config.partitions ?? null,
        nowMs: nowMs(),
      });
    },

    submit: async (order, wrapper): Promise<SubmitAnswer> => {
      const { pool } = order;
      if (config.partitions && !config.partitions.includes(pool))
        return refused(`this agent may not use ${pool === '' ? 'the default partition' : `partition '${pool}'`}`);
      const native = nativeArguments(order.spec.native.slurm ?? {});
      if ('problem' in native) return refused(native.problem);
      const result = await run(submitCommand(order, wrapper, native.args), {
        stdin: wrapper.script,
        fd3: environmentFile(order, wrapper),
      });
      if (result.kind === 'not_found')
        return { kind: 'refused', sentence: `sbatch ${describeEnd(result)}`, permanent: false };
      return parseSubmitAnswer({ ...result, exitCode: result.kind === 'exited' ? result.code : null });
    },

    list: async () => {
      const { jobs, atMs } = await listing();
      const ours = jobs.filter(isOurs);
      const exits = await failedExits(ours, atMs);
      return [
        ...ours.map((job) => nativeJob(job, exits.get(job.jobId))),
        ...vanishedTasks({ jobs: ours, atMs }, await recordsLastMs()),
      ];
    },

    accounting: async (nativeIds) => {
      if (nativeIds.length === 0 || !(await clusterConfig()).hasAccounting) return [];
      return parseAccounting(await answerOf(run, accountingCommand(nativeIds, String(uid))));
    },

    kill: (targets) => killJobs({ run, targets, listing: async () => (await listing()).jobs.filter(isOurs) }),

    close: async () => {},
  };

  /** How long the controller is sure to keep the record of an ended job (slurm.conf(5) MinJobAge; 0: for ever), if it says. */
  async function recordsLastMs(): Promise<number> {
    const known = await clusterConfig().catch(() => null);
    const seconds = known?.minJobAgeSeconds ?? null;
    if (seconds === null) return 0;
    return seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000;
  }
}

function refused(sentence: string): SubmitAnswer {
  return { kind: 'refused', sentence, permanent: true };
}
