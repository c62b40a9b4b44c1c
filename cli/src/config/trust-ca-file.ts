import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { Failure } from '../failure.ts';

/** Also trusts the authority in this file, for all connections of this process. */
export function trustCaFile(path: string): void {
  try {
    setDefaultCACertificates([...getCACertificates('default'), readFileSync(path, 'utf8')]);
  } catch (error) {
    throw new Failure(`The certificate file ${path} cannot be used: ${(error as Error).message}.`, { cause: error });
  }
}
