import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of this test; removed by `remove`. */
export function testFolder(): { readonly path: string; file(name: string, text: string): string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'kube-client-'));
  return {
    path,
    file: (name, text) => {
      writeFileSync(join(path, name), text, { mode: 0o700 });
      return join(path, name);
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** A kubeconfig with one context, `here`; JSON is YAML. */
export function kubeconfigText(server: string, user: object = { token: 'first' }, cluster: object = {}): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'cluster', cluster: { server, ...cluster } }],
    users: [{ name: 'user', user }],
    contexts: [{ name: 'here', context: { cluster: 'cluster', user: 'user', namespace: 'astro' } }],
    'current-context': 'here',
  });
}
