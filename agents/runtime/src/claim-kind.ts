import { randomUUID } from 'node:crypto';
import type { AgentConfig } from './agent-config.ts';
import { type AgentKind, type CheckRow, checkRow } from './agent-kind.ts';
import { claimBackend } from './claim-backend.ts';
import { openClaimStore } from './claim-store.ts';
import type { NativeQueue } from './native-queue.ts';
import { runCommand } from './run-local.ts';

export type NeededProgram = { readonly file: string; readonly args: readonly string[]; readonly advice: string };

type QueueKind = Pick<AgentKind, 'kind' | 'section' | 'nativeOptions'> & {
  /** How to ask each program for its version, and what to do when it is missing. */
  readonly programs: (config: AgentConfig) => readonly NeededProgram[];
  openQueue(config: AgentConfig): Promise<NativeQueue>;
};

/** A kind of cluster that is a queue of scripts on a shared file system, where claims decide what starts. */
export function claimKind({ programs, openQueue, ...kind }: QueueKind): AgentKind {
  return {
    ...kind,
    filesystems: ({ filesystems }) => filesystems,
    check: (config) => checkPrograms(config, programs(config)),
    openBackend: async (config, warn) => {
      const { cluster, stateDir, defaultWorkdir } = config;
      return claimBackend({ queue: await openQueue(config), stateDir, cluster, defaultWorkdir, warn });
    },
  };
}

async function* checkPrograms(config: AgentConfig, programs: readonly NeededProgram[]): AsyncGenerator<CheckRow> {
  for (const { file, args, advice } of programs) yield await checkRow(file, advice, () => version(file, args));
  yield await checkRow(
    'state directory',
    'the agent must be able to make files there, and so must all nodes: it must lie on a file system that they see',
    () => claimHere(config.stateDir),
  );
}

async function version(file: string, args: readonly string[]): Promise<string> {
  const result = await runCommand({ file, args, timeoutMs: 20_000, maxOutputBytes: 1_000_000 });
  if (result.kind === 'not_found') throw new Error('not found on PATH');
  if (result.kind !== 'exited' || result.code !== 0) throw new Error(`does not answer (${result.kind})`);
  return (result.stdout || result.stderr).split('\n')[0]!.trim();
}

async function claimHere(stateDir: string): Promise<string> {
  const store = openClaimStore(stateDir);
  const runId = `check-${randomUUID()}`;
  await store.make(runId);
  try {
    const first = await store.take(runId, [0], 'withdrawn');
    const second = await store.take(runId, [0], 'cancelled');
    if (!first.get(0)!.won || second.get(0)!.won) throw new Error('hard links do not decide here who was first');
    return `claims work in ${stateDir}`;
  } finally {
    await store.remove(runId);
  }
}
