import { execFileSync, spawnSync } from 'node:child_process';

/** Under which user PostgreSQL runs: it refuses to run as root (initdb, manual). Empty: as we do. */
export type PostgresIdentity = { readonly uid?: number; readonly gid?: number };

/** As root the user `postgres`, made if absent; `nobody` where users cannot be made. */
export function postgresIdentity(): PostgresIdentity {
  if (process.getuid?.() !== 0) return {};
  return lookUp('postgres') ?? makeUser() ?? lookUp('nobody') ?? {};
}

/** Whether this user can come to a folder at all: a home directory of root usually bars everybody else. */
export function canReach(identity: PostgresIdentity, folder: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { ...identity, cwd: '/', stdio: 'ignore' }).status === 0;
}

function lookUp(name: string): PostgresIdentity | null {
  try {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return null;
  }
}

function makeUser(): PostgresIdentity | null {
  const how = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', 'postgres'];
  spawnSync('useradd', how, { stdio: 'ignore' });
  return lookUp('postgres');
}
