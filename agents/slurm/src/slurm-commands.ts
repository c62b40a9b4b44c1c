import { join } from 'node:path';
import { type CommandResult, runCommand } from '@switchyard/agent-runtime/run-local.ts';
import type { Argv } from './commands.ts';
import type { SlurmConfig } from './config.ts';
import { commandEnvironment } from './dialect.ts';

/** A Slurm command that gave no trustworthy answer: what it asked for may or may not have happened. */
export class SlurmUnanswered extends Error {
  override readonly name = 'SlurmUnanswered';
}

export type RunSlurm = (argv: Argv, input?: { stdin?: string; fd3?: string }) => Promise<CommandResult>;

/** 100,000 jobs of 200 bytes are 20 MB. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/** Runs Slurm's own programs of one installation, each with a hard limit of time. */
export function slurmRunner(config: SlurmConfig): RunSlurm {
  const env = commandEnvironment(config, process.env);
  return ([program, ...args], input = {}) =>
    runCommand({
      file: config.binDir === undefined ? program : join(config.binDir, program),
      args,
      ...input,
      env,
      cwd: '/',
      timeoutMs: program === 'sbatch' ? config.submitTimeoutMs : config.queryTimeoutMs,
      maxOutputBytes: MAX_OUTPUT_BYTES,
    });
}

/** Standard output of a query that must have succeeded. */
export async function answerOf(run: RunSlurm, argv: Argv): Promise<string> {
  const result = await run(argv);
  if (result.kind === 'exited' && result.code === 0 && (result.stdout !== '' || result.stderr.trim() === ''))
    return result.stdout;
  throw new SlurmUnanswered(`${argv[0]} ${describeEnd(result)}`);
}

export function describeEnd(result: CommandResult): string {
  const said = result.stderr.trim().slice(0, 500);
  switch (result.kind) {
    case 'exited':
      return `ended with ${result.code}: ${said}`;
    case 'signalled':
      return `was killed by ${result.signal}: ${said}`;
    case 'timeout':
      return `did not answer in time: ${said}`;
    case 'too_much_output':
      return 'wrote too much';
    case 'not_found':
      return `cannot be run: ${result.message}`;
  }
}
