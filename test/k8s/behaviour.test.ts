import { describe } from 'vitest';
import { backendSuite } from '../behaviour/backend-suite.ts';
import { type AgentOptions, CPUS, type KubeWorld, kubeWorld, QUEUE, withKueue } from './kube-world.ts';
import { kubernetesAvailable } from './testbed.ts';

const kubernetes = kubernetesAvailable();

/** What every backend must do, by an agent with the shipped rights only, in a namespace that enforces `restricted`. */
describe.skipIf(!kubernetes.ok)(`a real Kubernetes (${kubernetes.why})`, () => {
  const suiteOn = (name: string, openWorld: () => Promise<KubeWorld>, options: AgentOptions) =>
    backendSuite(name, async () => {
      const { workdir, open, close } = await openWorld();
      return {
        allCpus: CPUS,
        workdir,
        outputIsFiles: false,
        open: ({ copies } = {}) => open({ ...options, ...(copies === undefined ? {} : { faults: { copies } }) }),
        close,
      };
    });

  suiteOn('kubernetes', () => kubeWorld('behaviour'), {});
  suiteOn('kubernetes with Kueue', () => kubeWorld('behaviour-kueue', withKueue), { config: { queue: QUEUE } });
});
