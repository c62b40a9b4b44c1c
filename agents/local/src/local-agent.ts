import type { AgentKind } from '@switchyard/agent-runtime/agent-kind.ts';
import { type LocalConfigInput, localConfigSchema } from './config.ts';
import { localQueue } from './local-queue.ts';

/** This host as a cluster, as `yard agent` loads it. */
export const localAgent: AgentKind = {
  kind: 'local',
  section: localConfigSchema,
  nativeOptions: [],
  programs: () => [],
  openQueue: async ({ section, stateDir }) => localQueue(stateDir, section as LocalConfigInput),
};
