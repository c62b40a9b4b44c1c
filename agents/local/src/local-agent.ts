import { claimKind } from '@switchyard/agent-runtime/claim-kind.ts';
import { type LocalConfigInput, localConfigSchema } from './config.ts';
import { localQueue } from './local-queue.ts';

/** This host as a cluster, as `yard agent` loads it. */
export const localAgent = claimKind({
  kind: 'local',
  section: localConfigSchema,
  nativeOptions: [],
  programs: () => [],
  openQueue: async ({ section, stateDir }) => localQueue(stateDir, section as LocalConfigInput),
});
