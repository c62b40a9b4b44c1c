import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { localQueue } from '@switchyard/agent-local/local-queue.ts';
import { claimBackend } from '@switchyard/agent-runtime/claim-backend.ts';
import { backendSuite, worldFolder } from './backend-suite.ts';

const CPUS = 4;

backendSuite('local', async () => {
  const folder = worldFolder('local');
  const stateDir = join(folder, 'state');
  const workdir = join(folder, 'work');
  mkdirSync(workdir);
  return {
    allCpus: CPUS,
    workdir,
    outputIsFiles: true,
    open: async (faults = {}) =>
      claimBackend({
        queue: await localQueue(stateDir, { cpus: CPUS, memoryMiB: 1024 }),
        stateDir,
        cluster: 'here',
        defaultWorkdir: workdir,
        graceMs: 2000,
        faults,
      }),
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
});
