import { existsSync } from 'node:fs';
import { openKubeClient } from './client/kube-client.ts';
import { kubeconfigFiles } from './client/kubeconfig.ts';

export type FoundCluster = {
  readonly context: string;
  readonly namespace: string;
  /** Absent where kubectl reads several files as one. */
  readonly kubeconfig?: string;
};

const WITHIN_MS = 3000;

/**
 * The cluster that kubectl would speak to from here, if it answers and lets this user make Jobs; null whatever the reason why not.
 * Nothing is made.
 */
export async function findKubernetes(env: NodeJS.ProcessEnv): Promise<FoundCluster | null> {
  const files = kubeconfigFiles(undefined, env).filter((file) => existsSync(file));
  if (files.length === 0) return null;
  const { KUBERNETES_SERVICE_HOST: _, ...outside } = env;
  const client = await openKubeClient({ env: outside }).catch(() => null);
  if (client === null) return null;
  const { context, namespace = 'default' } = client;
  const limits = { timeoutMs: WITHIN_MS, giveUpMs: 0 };
  try {
    await client.request({ verb: 'GET', path: '/version', ...limits });
    const resourceAttributes = { group: 'batch', resource: 'jobs', verb: 'create', namespace };
    const { status } = await client.request<{ status?: { allowed?: boolean } }>({
      ...{ verb: 'POST', path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', ...limits },
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes },
      },
    });
    if (status?.allowed !== true) return null;
    return { context, namespace, ...(files.length === 1 ? { kubeconfig: files[0]! } : {}) };
  } catch {
    return null;
  } finally {
    await client.close();
  }
}
