import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { RunOrder, RunStatus } from '@switchyard/agent-runtime/backend.ts';
import { claimBackend } from '@switchyard/agent-runtime/claim-backend.ts';
import { slurmQueue } from '@switchyard/agent-slurm/slurm-queue.ts';
import { BackendRuns } from '../support/backend-runs.ts';
import type { SlurmCluster } from './testbed.ts';

export type SlurmRunsOptions = {
  readonly graceMs?: number;
  readonly faults?: { readonly lookUp?: boolean; readonly copies?: number };
  /** For commands that go through a proxy. */
  readonly conf?: string;
};

/** Runs on a real Slurm. */
export class SlurmRuns extends BackendRuns {
  static async open(cluster: SlurmCluster, options: SlurmRunsOptions = {}): Promise<SlurmRuns> {
    const folder = mkdtempSync(join(cluster.dir, 'runs-'));
    const { graceMs = 3000, faults, conf = cluster.conf } = options;
    const open = () =>
      claimBackend({
        queue: slurmQueue({ conf, submitTimeoutMs: 15_000, queryTimeoutMs: 15_000 }),
        stateDir: join(folder, 'state'),
        cluster: cluster.name,
        defaultWorkdir: folder,
        graceMs,
        ...(faults ? { faults } : {}),
      });
    const show = async () => (await cluster.run(['squeue', '-a', '-t', 'all', '-o', '%i %T %r %B %k'])).stdout;
    const runs = new SlurmRuns({ folder, open, show });
    await runs.restart();
    return runs;
  }

  /** Waits until the cluster shows the run in this native state. */
  inState(order: RunOrder, state: RegExp): Promise<RunStatus> {
    return this.until(order, `it is in ${state}`, ({ nativeState }) => state.test(nativeState));
  }

  output(order: RunOrder): string {
    return readFileSync(this.status(order).stdoutPath, 'utf8');
  }

  override async close(): Promise<void> {
    await super.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
