import type { Job, KubeObject, Pod } from '../../api-types.ts';
import type { KubeClient } from '../../client/kube-client.ts';
import { KubeError, type KubeErrorKind } from '../../client/kube-error.ts';
import type { KubeRequest } from '../../client/kube-request.ts';
import type { KubeStream } from '../../client/kube-stream.ts';
import { CONTROLLER_UID_LABEL } from '../../names.ts';

type Stored = { metadata: { name: string; uid: string; resourceVersion: string } & Record<string, unknown> };

/** Answers instead of the cluster; `undefined`: the cluster answers. May throw. */
export type Script = (what: KubeRequest) => unknown;

/** The objects of a cluster in memory, without controllers: the test is the Job controller, the scheduler and the kubelet. */
export function fakeCluster() {
  const objects = new Map<string, Stored>();
  const watches = new Set<Watch>();
  const asked: string[] = [];
  let version = 100;
  let script: Script = () => undefined;

  const tell = (type: 'ADDED' | 'MODIFIED' | 'DELETED', path: string, object: Stored) => {
    for (const watch of watches)
      if (path.startsWith(`${watch.path}/`) && matches(object, watch.selector))
        watch.push(`${JSON.stringify({ type, object })}\n`);
  };
  const put = (path: string, object: object, told = true) => {
    const before = objects.get(path);
    version += 1;
    const after = merged(before ?? { metadata: { uid: `uid-${version}` } }, object) as Stored;
    after.metadata.resourceVersion = String(version);
    objects.set(path, after);
    if (told) tell(before ? 'MODIFIED' : 'ADDED', path, after);
    return after;
  };
  const drop = (path: string, told = true) => {
    const before = objects.get(path);
    objects.delete(path);
    version += 1;
    if (before && told) tell('DELETED', path, before);
    return before;
  };

  const answer = (what: KubeRequest): unknown => {
    asked.push(`${what.verb} ${what.path}`);
    const scripted = script(what);
    if (scripted !== undefined) return scripted;
    if (what.path.startsWith('/apis/kueue') && !what.path.includes('/namespaces/')) return fail(what, 'not_found', 404);
    if (what.verb === 'POST') {
      const path = `${what.path}/${(what.body as KubeObject).metadata.name}`;
      return objects.has(path) ? fail(what, 'already_exists', 409) : put(path, what.body as object);
    }
    const found = objects.get(what.path);
    if (!found && what.verb === 'GET' && isCollection(what.path)) return list(what);
    if (!found) return fail(what, 'not_found', 404);
    const { preconditions = {}, metadata = {} } = (what.body ?? {}) as { preconditions?: object; metadata?: object };
    for (const [key, value] of Object.entries({ ...metadata, ...preconditions }))
      if (['uid', 'resourceVersion'].includes(key) && value !== found.metadata[key]) return fail(what, 'conflict', 409);
    if (what.verb === 'PATCH') return put(what.path, listsMerged(found, what.body as object));
    if (what.verb === 'DELETE') return what.path.includes('/pods/') ? endPod(what.path) : drop(what.path);
    return found;
  };
  /** As with the Job controller's finalizer: it stays until `drop`. */
  const endPod = (path: string) => {
    const at = { deletionTimestamp: new Date().toISOString(), deletionGracePeriodSeconds: 0 };
    return { ...put(path, { metadata: at }), kind: 'Pod' };
  };
  const list = ({ path, query }: KubeRequest) => {
    const items = [...objects].filter(([at]) => at.startsWith(`${path}/`)).map(([, object]) => object);
    const isAsked = (object: Stored) => matches(object, query?.['labelSelector']);
    return { metadata: { resourceVersion: String(version) }, items: items.filter(isAsked) };
  };

  const client: KubeClient = {
    request: async <Value>(what: KubeRequest) => structuredClone(answer(what)) as Value,
    requestWithHistory: async <Value>(what: KubeRequest) => ({
      value: structuredClone(answer(what)) as Value,
      unclearBefore: false,
    }),
    stream: async (what) => {
      if (what.query?.['watch'] === undefined) return once(JSON.stringify(answer(what)));
      script(what);
      const watch = openWatch(what, () => watches.delete(watch));
      watches.add(watch);
      return watch.stream;
    },
    close: async () => {
      for (const watch of watches) watch.stream.close();
    },
  };
  return {
    client,
    asked,
    put,
    drop,
    get: (path: string) => objects.get(path),
    /** Ends the watches below this path. */
    cut: (path: string) => {
      for (const watch of watches) if (watch.path.startsWith(path)) watch.stream.close();
    },
    answerWith: (next: Script) => {
      script = next;
    },
    /** A pod as the Job controller makes it; `changes` on top. */
    putPod: (job: Job, name: string, changes: object = {}, told = true): Pod => {
      const { namespace = '', uid = '', labels } = job.metadata;
      const base = {
        metadata: {
          ...{ name, namespace, creationTimestamp: new Date().toISOString() },
          labels: { ...labels, [CONTROLLER_UID_LABEL]: uid },
          ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: job.metadata.name, uid, controller: true }],
        },
        spec: { containers: [] },
        status: { phase: 'Pending' },
      };
      const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
      return put(path, objects.has(path) ? changes : merged(base, changes), told) as unknown as Pod;
    },
  };
}

export function fail(what: KubeRequest, kind: KubeErrorKind, status: number, unclear = false): never {
  throw new KubeError({ kind, status, unclear, asked: `${what.verb} ${what.path}`, sentence: `it is ${kind}` });
}

/** A JSON Merge Patch. */
function merged(before: unknown, patch: unknown): object {
  const after = { ...(before as Record<string, unknown>) };
  for (const [key, value] of Object.entries(patch as object))
    if (value === null) delete after[key];
    else after[key] = typeof value === 'object' && !Array.isArray(value) ? merged(after[key] ?? {}, value) : value;
  return after;
}

/** Of a Strategic Merge Patch, as much as finalizers need. */
function listsMerged({ metadata }: Stored, patch: { metadata?: Record<string, unknown> }): object {
  const { finalizers: added, [TAKEN_AWAY]: taken, ...rest } = patch.metadata ?? {};
  if (added === undefined && taken === undefined) return patch;
  const before = (metadata['finalizers'] ?? []) as readonly string[];
  const after = [...before, ...((added ?? []) as string[])].filter(
    (each) => !((taken ?? []) as string[]).includes(each),
  );
  return { ...patch, metadata: { ...rest, finalizers: [...new Set(after)] } };
}

const TAKEN_AWAY = '$deleteFromPrimitiveList/finalizers';

function isCollection(path: string): boolean {
  return /\/namespaces\/[^/]+\/[^/]+$/.test(path) || /^\/api\/v1\/(nodes|pods)$/.test(path);
}

function once(text: string): KubeStream {
  const chunks = async function* () {
    yield Buffer.from(text);
  };
  return { [Symbol.asyncIterator]: chunks, close: () => {} };
}

/** What the API server makes of `a=b,c!=d`. */
function matches({ metadata }: Stored, selector = ''): boolean {
  const labels = (metadata['labels'] ?? {}) as Record<string, string>;
  const terms = [...selector.matchAll(/([^,=!]+)(!?)=([^,]*)/g)];
  return terms.every(([, label, not, value]) => (labels[label!] === value) === (not === ''));
}

type Watch = {
  readonly path: string;
  readonly selector: string | undefined;
  readonly stream: KubeStream;
  push(line: string): void;
};

function openWatch({ path, query }: KubeRequest, ended: () => void): Watch {
  const lines: string[] = [];
  let isClosed = false;
  let wake = Promise.withResolvers<void>();
  const nudge = () => {
    wake.resolve();
    wake = Promise.withResolvers<void>();
  };
  const chunks = async function* () {
    while (!isClosed) {
      const line = lines.shift();
      if (line !== undefined) yield Buffer.from(line);
      else await wake.promise;
    }
  };
  return {
    path,
    selector: query?.['labelSelector'],
    push: (line) => {
      lines.push(line);
      nudge();
    },
    stream: {
      [Symbol.asyncIterator]: chunks,
      close: () => {
        isClosed = true;
        ended();
        nudge();
      },
    },
  };
}
