import { join } from 'node:path';
import { type Ran, runProgram } from '../slurm/run-program.ts';
import type { Federation } from '../support/federation.ts';

const CLI = join(import.meta.dirname, '../../cli/src/main.ts');

/** The real command line, as the administrator of the federation, to its end. */
export function yard(federation: Federation, ...args: string[]): Promise<Ran> {
  return runProgram([process.execPath, CLI, ...args], {
    env: { ...process.env, XDG_CONFIG_HOME: join(federation.dir, 'config'), NO_COLOR: '1' },
  });
}
