import { type CheckRow, checkRow } from '@switchyard/agent-runtime/agent-kind.ts';
import type { KubeObject } from '../api-types.ts';
import type { KubeClient } from '../client/kube-client.ts';
import type { KubernetesConfig } from '../config.ts';
import { detectKueue, kueuePath } from '../kueue/detect-kueue.ts';
import type { LocalQueue } from '../kueue/kueue-types.ts';
import { namespacesOf, queuesOf } from '../manifest/binding.ts';
import { isKube } from './kube-objects.ts';
import { RIGHTS, type Right } from './rights.ts';

const SHIPPED = 'deploy/kubernetes/agent/rbac.yaml';

/** What must be there before runs can be handed to the cluster, one row each; nothing is made and nothing changed. */
export async function* checkCluster(client: KubeClient, config: KubernetesConfig): AsyncGenerator<CheckRow> {
  yield await checkRow('API server', 'see that the address is right and the server can be reached from here', () =>
    version(client),
  );
  const hasQueues = queuesOf(config).length > 0;
  for (const namespace of namespacesOf(config)) {
    yield await checkRow(`namespace ${namespace}`, `make it, or name another in the agent's file`, () =>
      namespaceOf(client, namespace),
    );
    yield* rights(client, 'namespace', namespace, hasQueues);
  }
  yield* rights(client, 'cluster', '', hasQueues);
  if (hasQueues) yield* queues(client, config);
  yield* named(client, config);
}

async function version(client: KubeClient): Promise<string> {
  const { gitVersion } = await client.request<{ gitVersion: string }>({
    verb: 'GET',
    path: '/version',
    giveUpMs: 5000,
  });
  return `Kubernetes ${gitVersion}`;
}

async function namespaceOf(client: KubeClient, namespace: string): Promise<string> {
  try {
    const found = await client.request<KubeObject>({ verb: 'GET', path: `/api/v1/namespaces/${namespace}` });
    if (found.metadata.deletionTimestamp) throw new Error('it is being deleted');
    const level = found.metadata.labels?.['pod-security.kubernetes.io/enforce'];
    return level === undefined
      ? 'there; it enforces no level of Pod Security'
      : `there; enforces Pod Security ${level}`;
  } catch (error) {
    if (isKube(error, 'forbidden')) return 'may not be looked at; jobs will tell';
    throw error;
  }
}

async function* rights(
  client: KubeClient,
  scope: Right['scope'],
  namespace: string,
  hasQueues: boolean,
): AsyncGenerator<CheckRow> {
  const wanted = RIGHTS.filter((right) => right.scope === scope && (hasQueues || !right.withKueue));
  const where = scope === 'cluster' ? 'in the whole cluster' : `in ${namespace}`;
  const missing: { right: Right; verbs: string[] }[] = [];
  for (const right of wanted) {
    const verbs: string[] = [];
    for (const verb of right.verbs) if (!(await mayDo(client, right, verb, namespace))) verbs.push(verb);
    if (verbs.length > 0) missing.push({ right, verbs });
  }
  for (const { right, verbs } of missing) {
    const rule = scope === 'cluster' ? 'ClusterRole' : 'Role';
    yield {
      what: `right to ${verbs.join(', ')} ${named_(right)} ${where}`,
      ok: right.optional === true,
      found: right.optional === true ? 'missing; the agent works without it' : 'missing',
      advice: `${right.why}: apply the ${rule} switchyard-agent of ${SHIPPED}${scope === 'cluster' ? '' : ` in ${namespace}`}`,
    };
  }
  if (missing.length === 0)
    yield { what: `rights ${where}`, ok: true, found: `all ${wanted.length} rules are granted`, advice: '' };
}

async function mayDo(client: KubeClient, right: Right, verb: string, namespace: string): Promise<boolean> {
  const { group, resource: all, name } = right;
  const [resource, subresource] = all.split('/');
  const attributes = { group, resource, verb };
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: {
      resourceAttributes: {
        ...attributes,
        ...(subresource === undefined ? {} : { subresource }),
        ...(namespace === '' ? {} : { namespace }),
        // A namespace is its own name.
        ...(name !== undefined ? { name } : all === 'namespaces' ? { name: namespace } : {}),
      },
    },
  };
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const review = await client.request<{ status?: { allowed?: boolean } }>({ verb: 'POST', path, body });
  return review.status?.allowed === true;
}

function named_({ resource, group, name }: Right): string {
  const kind = group === '' || group === 'batch' ? resource : `${resource}.${group}`;
  return name === undefined ? kind : `${kind}/${name}`;
}

async function* queues(client: KubeClient, config: KubernetesConfig): AsyncGenerator<CheckRow> {
  const row = await checkRow('Kueue', 'install Kueue, or name no queue in the file', async () => {
    const kueue = await detectKueue(client);
    if (kueue === null) throw new Error('the cluster has none, and the file names LocalQueues');
    return `serves ${kueue.version}`;
  });
  yield row;
  const kueue = row.ok ? await detectKueue(client) : null;
  if (kueue === null) return;
  for (const { namespace, queue } of queuesOf(config))
    yield await checkRow(`LocalQueue ${namespace}/${queue}`, 'make it, or name another in the file', async () => {
      const path = kueuePath(kueue.version, 'localqueues', namespace);
      const { items } = await client.request<{ items: readonly LocalQueue[] }>({ verb: 'GET', path });
      const found = items.find(({ metadata }) => metadata.name === queue);
      if (!found) throw new Error('it does not exist');
      return `goes to ClusterQueue ${found.spec.clusterQueue}`;
    });
}

/** What the file names in the namespaces of its jobs: volumes and service accounts. */
async function* named(client: KubeClient, config: KubernetesConfig): AsyncGenerator<CheckRow> {
  const found = async (path: string) => {
    try {
      await client.request({ verb: 'GET', path });
      return 'there';
    } catch (error) {
      if (isKube(error, 'forbidden')) return 'may not be looked at; jobs will tell';
      throw error;
    }
  };
  for (const namespace of namespacesOf(config)) {
    for (const [id, { claim }] of Object.entries(config.volumes))
      yield await checkRow(`volume ${id} in ${namespace}`, `make the PersistentVolumeClaim ${claim} there`, () =>
        found(`/api/v1/namespaces/${namespace}/persistentvolumeclaims/${claim}`),
      );
    const bound = config.bindings.filter((each) => each.namespace === namespace).map((each) => each.serviceAccount);
    for (const account of new Set(bound.filter((each) => each !== undefined)))
      yield await checkRow(`service account ${account} in ${namespace}`, 'make it there, or name another', () =>
        found(`/api/v1/namespaces/${namespace}/serviceaccounts/${account}`),
      );
  }
}
