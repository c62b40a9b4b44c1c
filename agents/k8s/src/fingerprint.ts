import type { KubeObject } from './api-types.ts';
import type { KubeClient } from './client/kube-client.ts';

/** What the cluster is, whatever its address and name: nothing but a new cluster makes `kube-system` again. */
export async function kubeFingerprint(client: Pick<KubeClient, 'request'>): Promise<string> {
  const { metadata } = await client.request<KubeObject>({ verb: 'GET', path: '/api/v1/namespaces/kube-system' });
  if (!metadata.uid) throw new Error('the namespace kube-system has no UID');
  return `kubernetes:${metadata.uid}`;
}
