import { statSync } from 'node:fs';
import type { KubeAccess } from './kube-access.ts';
import { type AccessOptions, loadAccess } from './load-access.ts';

/** The access in force now, read again when what it was read from rotates or ends. */
export type Credentials = {
  current(): Promise<KubeAccess>;
  /** The server refused `used`: reads everything again, unless that has just been done. */
  afterRefusal(used: KubeAccess): Promise<KubeAccess>;
};

type Log = { warn(sentence: string): void };

/** Service account tokens are written minutes before the old one ends: one look per second sees each in time. */
const LOOK_EVERY_MS = 1_000;
/** A plug-in's credential is renewed this long before it ends. */
const BEFORE_END_MS = 30_000;
/** A server that refuses everybody must not make us run a plug-in for every request. */
const REFUSED_EVERY_MS = 5_000;

/** Loads once, and throws when that fails; later failures keep what is in force and are logged. */
export async function openCredentials(options: AccessOptions, log: Log): Promise<Credentials> {
  let access = await loadAccess(options);
  let seen = fingerprint(access.files);
  let lookedAtMs = performance.now();
  let refusedAtMs = Number.NEGATIVE_INFINITY;
  let loading: Promise<KubeAccess> | undefined;

  const load = (): Promise<KubeAccess> => {
    if (loading) return loading;
    // Before reading: what changes meanwhile is read again.
    seen = fingerprint(access.files);
    loading = loadAccess(options)
      .then(
        (fresh) => {
          access = fresh;
          return access;
        },
        (error: unknown) => {
          log.warn(`The credentials for the API server could not be read again: ${(error as Error).message}`);
          return access;
        },
      )
      .finally(() => {
        lookedAtMs = performance.now();
        loading = undefined;
      });
    return loading;
  };

  const endsSoon = () => access.expiresAtMs !== undefined && access.expiresAtMs - BEFORE_END_MS < Date.now();

  return {
    current: async () => {
      if (loading) return loading;
      if (performance.now() - lookedAtMs < LOOK_EVERY_MS) return access;
      lookedAtMs = performance.now();
      return endsSoon() || fingerprint(access.files) !== seen ? load() : access;
    },
    afterRefusal: async (used) => {
      if (used !== access) return access;
      if (loading) return loading;
      const rotated = fingerprint(access.files) !== seen;
      if (!rotated && performance.now() - refusedAtMs < REFUSED_EVERY_MS) return access;
      refusedAtMs = performance.now();
      return load();
    },
  };
}

/** Service account files are links into a folder that is swapped: what counts is the file behind. */
function fingerprint(files: readonly string[]): string {
  return files
    .map((file) => {
      const facts = statSync(file, { throwIfNoEntry: false });
      return facts ? `${facts.dev}:${facts.ino}:${facts.mtimeMs}:${facts.size}` : 'missing';
    })
    .join(' ');
}
