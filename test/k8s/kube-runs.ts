import { appendFileSync, chmodSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import { BackendRuns } from '../support/backend-runs.ts';
import { type AgentOptions, JOBS, type KubeWorld } from './kube-world.ts';

/** Runs on a real Kubernetes. */
export class KubeRuns extends BackendRuns {
  static async open(world: KubeWorld, options: AgentOptions = {}): Promise<KubeRuns> {
    const folder = mkdtempSync(join(world.workdir, 'runs-'));
    const show = async (order: RunOrder) => {
      const selector = `switchyard.dev/run=${order.runId}`;
      return (await world.kube.kubectl(['-n', JOBS, 'get', 'jobs,pods', '-o', 'wide', '-l', selector])).stdout;
    };
    const spec = { workdir: folder, resources: { walltimeSeconds: 300 } };
    const { federation } = options;
    const runs = new KubeRuns({ folder, spec, federation, open: () => world.open(options), show });
    // Payloads run as nobody in particular.
    chmodSync(folder, 0o777);
    appendFileSync(runs.ledger, '');
    chmodSync(runs.ledger, 0o666);
    await runs.restart();
    return runs;
  }
}
