import type { ClusterKind } from '@switchyard/core/spec/job-spec.ts';
import type { z } from 'zod';
import type { AgentConfig } from './agent-config.ts';
import type { NativeQueue } from './native-queue.ts';

/** One kind of cluster, as `yard agent` loads it: the section of the agent's YAML under its name, and how its queue is opened. */
export type AgentKind = {
  readonly kind: ClusterKind;
  /** A strict zod schema; every field may have a default, for the section may be absent. */
  readonly section: z.ZodType;
  /** Names of `native` options of a job that this agent can pass on; the site's policy may allow fewer. */
  readonly nativeOptions: readonly string[];
  /** Programs it needs, for `yard agent check`: how to ask each for its version, and what to do when it is missing. */
  readonly programs: (config: AgentConfig) => readonly NeededProgram[];
  openQueue(config: AgentConfig): Promise<NativeQueue>;
};

export type NeededProgram = { readonly file: string; readonly args: readonly string[]; readonly advice: string };
