import { describe } from 'vitest';
import { backendSuite } from '../behaviour/backend-suite.ts';
import { CPUS, kubeWorld } from './kube-world.ts';
import { kubernetesAvailable } from './testbed.ts';

const kubernetes = kubernetesAvailable();

describe.skipIf(!kubernetes.ok)(`a real Kubernetes (${kubernetes.why})`, () => {
  backendSuite('kubernetes', async () => {
    const world = await kubeWorld('behaviour');
    return {
      allCpus: CPUS,
      workdir: world.workdir,
      outputIsFiles: false,
      open: ({ copies } = {}) => world.open(copies === undefined ? {} : { faults: { copies } }),
      close: world.close,
    };
  });
});
