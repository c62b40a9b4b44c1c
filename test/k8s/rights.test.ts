import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkCluster } from '@switchyard/agent-k8s/backend/check-cluster.ts';
import { kubeBackend } from '@switchyard/agent-k8s/backend/kube-backend.ts';
import { RIGHTS } from '@switchyard/agent-k8s/backend/rights.ts';
import { openKubeClient } from '@switchyard/agent-k8s/client/kube-client.ts';
import { type KubernetesConfig, kubernetesConfigSchema } from '@switchyard/agent-k8s/config.ts';
import type { CheckRow } from '@switchyard/agent-runtime/agent-kind.ts';
import type { Backend, RunOrder, RunStatus } from '@switchyard/agent-runtime/backend.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { makeOrder } from '../behaviour/make-order.ts';
import { until } from '../support/until.ts';
import { type Audited, auditLog } from './audit-log.ts';
import { kueueQueue } from './testbed/test-jobs.ts';
import { type KubeCluster, kubernetesAvailable, startKubeCluster } from './testbed.ts';

const SHIPPED = join(import.meta.dirname, '../../deploy/kubernetes/agent');
const JOBS = 'switchyard-jobs';

/** `namespace get batch/jobs`, `cluster get /namespaces/kube-system`. */
const wanted = RIGHTS.flatMap(({ scope, group, resource, name, verbs }) =>
  verbs.map((verb) => rightName(scope, verb, group, resource, name)),
).sort();

test('the shipped roles grant what the table of rights says, and nothing more', () => {
  expect(granted().sort()).toEqual(wanted);
  expect(new Set(wanted).size, 'every right is granted once').toBe(wanted.length);
});

test('nothing reaches beyond its own: no wildcard, no secret, no deletecollection, no writing in the whole cluster', () => {
  const text = readFileSync(join(SHIPPED, 'rbac.yaml'), 'utf8').replaceAll(/#.*/g, '');
  expect(text).not.toMatch(/\*|secrets|deletecollection|impersonate|escalate|\bbind\b|exec/);
  expect(wanted.filter((right) => right.startsWith('cluster ') && !/^cluster (get|list|watch) /.test(right))).toEqual(
    [],
  );
});

const kubernetes = kubernetesAvailable();

describe.skipIf(!kubernetes.ok)(`the shipped rights on a real Kubernetes (${kubernetes.why})`, () => {
  let dir: string;
  let kube: KubeCluster;
  let requests: () => Audited[];

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'yard-rights-'));
    const audit = auditLog(dir, 'system:serviceaccount:switchyard:switchyard-agent');
    requests = audit.read;
    kube = await startKubeCluster({ name: 'rights', apiserverFlags: audit.flags });
    for (const file of ['namespaces.yaml', 'rbac.yaml']) {
      const { code, stderr } = await kube.kubectl(['apply', '-f', join(SHIPPED, file)]);
      if (code !== 0) throw new Error(`${file}: ${stderr}`);
    }
    await Promise.all([kube.addNode('n1', { cpus: 2 }), kube.addNode('n2', { cpus: 2 }), kube.startKueue()]);
    const [flavor, clusterQueue, localQueue] = kueueQueue('one', '1') as [object, object, { metadata: object }];
    const inJobs = { ...localQueue, metadata: { ...localQueue.metadata, namespace: JOBS } };
    await kube.apply([flavor, clusterQueue, inJobs]);
    await kube.sharedVolume(JOBS, 'work', join(dir, 'work'));
  }, 180_000);
  afterAll(async () => {
    await kube?.close();
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  it('are all needed, each of them, and enough for everything', async () => {
    const config = kubernetesConfigSchema.parse({
      kubeconfig: await kube.kubeconfigFor('switchyard', 'switchyard-agent'),
      namespace: JOBS,
      bindings: [{ group: 'queued', namespace: JOBS, queue: 'one', serviceAccount: 'default' }],
      volumes: { work: { claim: 'work', mountPath: '/work' } },
      defaultImage: kube.image,
      ...{ defaultMemoryMiB: 32, terminationGraceSeconds: 1 },
    });
    const rows = await check(config);
    expect(rows.filter(({ ok }) => !ok)).toEqual([]);
    await everythingOnce(config);

    const seen = requests();
    const refused = seen.filter(({ responseStatus }) => responseStatus?.code === 403 || responseStatus?.code === 401);
    expect(refused.map(({ verb, objectRef }) => ({ verb, ...objectRef }))).toEqual([]);
    const used = new Set(seen.flatMap((each) => usedRight(each) ?? []));
    expect(
      wanted.filter((right) => !used.has(right)),
      'granted and never used',
    ).toEqual([]);
    expect([...used].sort()).toEqual(wanted);
  });

  async function check(config: KubernetesConfig): Promise<CheckRow[]> {
    const client = await openKubeClient(config);
    try {
      return await Array.fromAsync(checkCluster(client, config));
    } finally {
      await client.close();
    }
  }

  /** Submit, follow, read, withdraw, cancel, forget: plain, of two nodes, and through a queue. */
  async function everythingOnce(config: KubernetesConfig): Promise<void> {
    const stateDir = join(dir, 'state');
    mkdirSync(stateDir);
    const backend = await kubeBackend({
      ...{ client: await openKubeClient(config), config, stateDir, cluster: 'here', federation: 'test' },
      patience: { lateCreateMs: 1000, secondLookMs: 200 },
    });
    const submit = async (script: string, spec: Partial<JobSpecInput> = {}, groupPath = 'default') => {
      const order = makeOrder({ script: `#!/bin/sh\n${script}\n`, ...spec }, { groupPath });
      const { ends } = await backend.submit(order, { observedBefore: false });
      expect(ends, 'the cluster took it').toEqual([]);
      return order;
    };
    const becomes = (order: RunOrder, what: string, is: (status: RunStatus) => boolean) =>
      known(backend, order, what, is);
    const endsAs = (order: RunOrder, outcome: string) =>
      becomes(order, `ends ${outcome}`, ({ ends }) => ends[0]?.outcome === outcome);
    try {
      await backend.fingerprint();
      await until('the API server has been heard', () => backend.capacity(), { everyMs: 200 });

      const plain = await submit('echo done');
      await endsAs(plain, 'succeeded');
      const where = { runId: plain.runId, task: 0, rank: 0, stream: 'stdout', offset: 0 } as const;
      const slice = await backend.readLog({ ...where, limitBytes: 100, waitMs: 2000 });
      expect(Buffer.from(slice.data).toString()).toBe('done\n');

      const gang = await submit('echo rank', { resources: { nodes: 2 } });
      await endsAs(gang, 'succeeded');

      const queued = await submit('sleep 300', {}, 'queued');
      await becomes(queued, 'starts', ({ started }) => started !== '');
      const behind = await submit('echo never', {}, 'queued');
      await becomes(behind, 'waits for quota', ({ nativeState }) => nativeState === 'Queued');
      await backend.withdraw(behind.runId);
      await endsAs(behind, 'withdrawn');
      await backend.cancel(queued.runId);
      await endsAs(queued, 'cancelled');

      const tooLarge = await submit('echo never', { resources: { cpusPerTask: 64 } });
      await becomes(tooLarge, 'is not scheduled', ({ nativeReason }) => nativeReason.includes('Insufficient cpu'));
      await backend.withdraw(tooLarge.runId);
      await endsAs(tooLarge, 'withdrawn');

      // Of one that the broker heard of, and nobody here knows, the cluster is asked.
      await backend.submit(makeOrder({ script: '#!/bin/sh\n' }), { observedBefore: true });

      const ended = [plain, gang, queued, behind, tooLarge].map(({ runId }) => runId);
      expect(await backend.forget(ended)).toEqual(ended);
      await until('their Jobs are gone', async () => {
        const path = `/apis/batch/v1/namespaces/${JOBS}/jobs`;
        return (await kube.api<{ items: unknown[] }>('GET', path)).body.items.length === 0;
      });
    } finally {
      await backend.close();
    }
  }
});

async function known(
  backend: Backend,
  order: RunOrder,
  what: string,
  is: (status: RunStatus) => boolean,
): Promise<RunStatus> {
  const look = async () => {
    await backend.observe();
    const all = await backend.inventory(Number.MAX_SAFE_INTEGER);
    return all.find((each) => each.order.runId === order.runId)?.status;
  };
  return until(
    `a run that ${what}`,
    async () => {
      const status = await look();
      return status !== undefined && is(status) && status;
    },
    { everyMs: 100, describe: look },
  );
}

type Role = {
  kind: string;
  rules: { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] }[];
};

function granted(): string[] {
  const documents = parseAllDocuments(readFileSync(join(SHIPPED, 'rbac.yaml'), 'utf8')).map((each) => each.toJS());
  const roles = documents.filter(({ kind }): boolean => kind === 'Role' || kind === 'ClusterRole') as Role[];
  return roles.flatMap(({ kind, rules }) =>
    rules.flatMap(({ apiGroups, resources, verbs, resourceNames = [undefined] }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          resourceNames.flatMap((name) =>
            verbs.map((verb) => rightName(kind === 'Role' ? 'namespace' : 'cluster', verb, group, resource, name)),
          ),
        ),
      ),
    ),
  );
}

/** By what the request was about; null for what everybody may ask: versions, and what oneself may do. */
function usedRight({ verb, objectRef }: Audited): string | null {
  if (!objectRef || objectRef.apiGroup === 'authorization.k8s.io') return null;
  const { apiGroup = '', resource, subresource, namespace, name } = objectRef;
  const of = subresource === undefined ? resource : `${resource}/${subresource}`;
  // A namespace is its own name.
  if (resource === 'namespaces' && name !== JOBS) return rightName('cluster', verb, apiGroup, of, name);
  return rightName(namespace === undefined ? 'cluster' : 'namespace', verb, apiGroup, of);
}

function rightName(scope: string, verb: string, group: string, resource: string, name?: string): string {
  return `${scope} ${verb} ${group}/${resource}${name === undefined ? '' : `/${name}`}`;
}
