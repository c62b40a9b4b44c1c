import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The real programs that suites run against, and whether this machine has them. */
export function realBackends(): { name: string; ok: boolean; note: string }[] {
  return [
    { name: 'PostgreSQL', ok: true, note: 'from the lock file' },
    asRoot(needs('Slurm', ['sbatch', 'slurmctld', 'slurmd', 'munged'], 'Debian packages slurm-wlm and munge')),
    asRoot(needs('slurmdbd', ['slurmdbd', 'mariadbd', 'sacct'], 'Debian packages slurmdbd and mariadb-server')),
    needs('shells', ['dash', 'bash', 'busybox'], 'Debian packages dash, bash and busybox'),
  ];
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

/** True when a program of this name can be run; the sbin folders count, where Debian puts daemons. */
export function onPath(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
