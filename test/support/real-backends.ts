import { kubernetesAvailable } from '../k8s/testbed/available.ts';
import { onPath } from './on-path.ts';

export { onPath } from './on-path.ts';

/** The real programs that suites run against, and whether this machine has them. */
export function realBackends(): { name: string; ok: boolean; note: string }[] {
  return [
    { name: 'PostgreSQL', ok: true, note: 'from the lock file' },
    asRoot(needs('Slurm', ['sbatch', 'slurmctld', 'slurmd', 'munged'], 'Debian packages slurm-wlm and munge')),
    asRoot(needs('slurmdbd', ['slurmdbd', 'mariadbd', 'sacct'], 'Debian packages slurmdbd and mariadb-server')),
    kubernetes(),
    needs('shells', ['dash', 'bash', 'busybox'], 'Debian packages dash, bash and busybox'),
  ];
}

function kubernetes(): { name: string; ok: boolean; note: string } {
  const { ok, why } = kubernetesAvailable();
  return { name: 'Kubernetes', ok, note: ok ? 'etcd kube-apiserver kubelet containerd kwok kueue coredns' : why };
}

/** slurmd starts jobs as other users. */
function asRoot<Backend extends { ok: boolean; note: string }>(backend: Backend): Backend {
  return backend.ok && process.getuid?.() !== 0 ? { ...backend, ok: false, note: 'slurmd needs root' } : backend;
}

function needs(name: string, programs: string[], from: string): { name: string; ok: boolean; note: string } {
  const missing = programs.filter((program) => !onPath(program));
  return missing.length === 0
    ? { name, ok: true, note: programs.join(' ') }
    : { name, ok: false, note: `not found: ${missing.join(', ')} (${from})` };
}
