import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One request of the API server's audit log (audit.k8s.io/v1, Event). */
export type Audited = {
  readonly verb: string;
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number; readonly message?: string };
};

/** Writes down every request of one user, as the API server itself saw and decided it. */
export function auditLog(dir: string, user: string): { readonly flags: readonly string[]; read(): Audited[] } {
  const [policy, log] = [join(dir, 'audit-policy.json'), join(dir, 'audit.log')];
  writeFileSync(
    policy,
    JSON.stringify({
      apiVersion: 'audit.k8s.io/v1',
      kind: 'Policy',
      omitStages: ['RequestReceived'],
      rules: [{ level: 'Metadata', users: [user] }, { level: 'None' }],
    }),
  );
  return {
    flags: [`--audit-policy-file=${policy}`, `--audit-log-path=${log}`, '--audit-log-mode=blocking'],
    read: () =>
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line)),
  };
}
