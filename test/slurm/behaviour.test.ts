import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { claimBackend } from '@switchyard/agent-runtime/claim-backend.ts';
import { slurmQueue } from '@switchyard/agent-slurm/slurm-queue.ts';
import { describe } from 'vitest';
import { backendSuite } from '../behaviour/backend-suite.ts';
import { slurmAvailable, startSlurmCluster } from './testbed.ts';

const CPUS = 4;
const slurm = slurmAvailable();

describe.skipIf(!slurm.ok)(`a real Slurm (${slurm.why})`, () => {
  backendSuite('slurm', async () => {
    // Sites that do not enforce limits at submit let a job that fits nowhere wait for ever.
    const cluster = await startSlurmCluster({
      name: 'behaviour',
      cpusPerNode: CPUS,
      extraConf: 'EnforcePartLimits=ALL',
    });
    const workdir = mkdtempSync(join(cluster.dir, 'work-'));
    return {
      allCpus: CPUS,
      workdir,
      outputIsFiles: true,
      open: (faults = {}) =>
        claimBackend({
          queue: slurmQueue({ conf: cluster.conf }),
          stateDir: join(cluster.dir, 'agent'),
          cluster: 'behaviour',
          defaultWorkdir: workdir,
          graceMs: 2000,
          faults,
        }),
      close: () => cluster.stop(),
    };
  });
});
