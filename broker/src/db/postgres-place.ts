import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, cpSync, lstatSync, mkdirSync, realpathSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type PostgresBinaries, postgresBinaries } from './postgres-binaries.ts';
import { canReach, type PostgresIdentity, postgresIdentity } from './postgres-identity.ts';

/** Where the embedded server has its data and its programs, and as whom it runs. */
export type Place = { readonly data: string; readonly binaries: PostgresBinaries; readonly identity: PostgresIdentity };

/**
 * As root the server runs as another user, who must be able to reach data and programs. Our own folder lets him pass; where folders above
 * it bar him (root's home usually does), the data goes to /var/lib, where FHS 3.0 wants the state of services, with a link to it in
 * its place, and the programs are copied beside it.
 */
export function choosePlace(dataDir: string): Place {
  const binaries = postgresBinaries();
  const identity = postgresIdentity();
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  if (identity.uid !== undefined && !canReach(identity, dataDir)) letPass(dataDir, identity);
  const home = join(dataDir, 'postgres');
  if (lstatSync(home, { throwIfNoEntry: false }) === undefined) makeHome(home, dataDir, identity);
  return {
    data: join(realpathSync(home), 'data'),
    binaries: reachable(binaries, identity, realpathSync(home)),
    identity,
  };
}

/** Passing through, for his group alone, is all that he may do there. */
function letPass(dataDir: string, { gid }: PostgresIdentity): void {
  chownSync(dataDir, statSync(dataDir).uid, gid!);
  chmodSync(dataDir, (statSync(dataDir).mode & 0o777) | 0o010);
}

function makeHome(home: string, dataDir: string, identity: PostgresIdentity): void {
  const isBarred = identity.uid !== undefined && !canReach(identity, dataDir);
  const path = isBarred ? join('/var/lib/switchyard', `postgres-${randomBytes(6).toString('hex')}`) : home;
  mkdirSync(path, { recursive: true, mode: 0o755 });
  if (identity.uid !== undefined) chownSync(path, identity.uid, identity.gid!);
  if (isBarred) symlinkSync(path, home);
}

function reachable(binaries: PostgresBinaries, identity: PostgresIdentity, home: string): PostgresBinaries {
  if (canReach(identity, join(binaries.native, 'bin'))) return binaries;
  const native = join(home, 'native');
  cpSync(binaries.native, native, { recursive: true, verbatimSymlinks: true, force: true });
  const bin = (name: string) => join(native, 'bin', name);
  return { native, initdb: bin('initdb'), pgCtl: bin('pg_ctl'), postgres: bin('postgres') };
}
