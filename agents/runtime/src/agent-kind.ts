import type { ClusterKind } from '@switchyard/core/spec/job-spec.ts';
import type { z } from 'zod';
import type { AgentConfig } from './agent-config.ts';
import type { Backend } from './backend.ts';

/** One kind of cluster, as `yard agent` loads it: the section of the agent's YAML under its name, and how its backend is opened. */
export type AgentKind = {
  readonly kind: ClusterKind;
  /** A strict zod schema; every field may have a default, for the section may be absent. */
  readonly section: z.ZodType;
  /** Names of `native` options of a job that this agent can pass on; the site's policy may allow fewer. */
  readonly nativeOptions: readonly string[];
  /** Where jobs may work and write: what the file declares, and what the section adds. */
  filesystems(config: AgentConfig): AgentConfig['filesystems'];
  /** What must be there before a backend can be opened, one row each, for `yard agent check`. */
  check(config: AgentConfig): AsyncIterable<CheckRow>;
  openBackend(config: AgentConfig, warn: (sentence: string) => void): Promise<Backend>;
};

export type CheckRow = {
  readonly what: string;
  readonly ok: boolean;
  /** What was found. */
  readonly found: string;
  /** What to do, when it is not well. */
  readonly advice: string;
};

/** A row from something that throws when it is not well. */
export async function checkRow(what: string, advice: string, find: () => Promise<string>): Promise<CheckRow> {
  try {
    return { what, ok: true, found: await find(), advice: '' };
  } catch (error) {
    return { what, ok: false, found: (error as Error).message, advice };
  }
}
