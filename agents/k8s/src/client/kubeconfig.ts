import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
// Deep imports on purpose: the package's index costs 85 MB and a second at start (its generated classes), these 1 MB.
import {
  type Cluster,
  newClusters,
  newContexts,
  newUsers,
  type User,
} from '@kubernetes/client-node/dist/config_types.js';
import { parse } from 'yaml';
import type { ExecPlugin } from './exec-credential.ts';

/** One context of one or several kubeconfig files, with absolute paths. */
export type ResolvedContext = {
  readonly context: string;
  readonly namespace: string | undefined;
  readonly cluster: Cluster;
  readonly user: KubeconfigUser;
  /** Folder that relative plug-in paths start from. */
  readonly folder: string;
  readonly files: readonly string[];
};

type KubeconfigUser = User & {
  readonly exec?: ExecPlugin | null;
  readonly tokenFile: string | undefined;
  /** Impersonated beside `impersonateUser`. */
  readonly groups: readonly string[];
};

/** A broken entry of another context is nobody's business here. */
const lenient = { onInvalidEntry: 'filter' } as const;

/** The files kubectl would read: what is named, else `$KUBECONFIG`, else `~/.kube/config`. */
export function kubeconfigFiles(named: string | undefined, env: NodeJS.ProcessEnv = process.env): string[] {
  if (named) return [resolve(named)];
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter(Boolean);
  if (listed.length > 0) return listed.map((file) => resolve(file));
  return [join(env['HOME'] ?? homedir(), '.kube', 'config')];
}

/** Reads the files and picks the context, or the current one. Throws a sentence that names what is missing. */
export function readKubeconfig(files: readonly string[], contextName: string | undefined): ResolvedContext {
  const there = files.filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
  if (there.length === 0) throw new Error(`No kubeconfig: there is no ${files.join(' and no ')}.`);
  const documents = there.map((file) => ({ file, document: readDocument(file) }));
  const wanted = contextName ?? documents.map(({ document }) => document['current-context']).find(Boolean);
  if (!wanted) throw new Error(`${there.join(', ')} names no current context: set "context".`);

  // The first file to name an entry wins, as with kubectl.
  const context = first(documents, ({ document }) => newContexts(document['contexts'], lenient), String(wanted));
  if (!context) throw new Error(`${there.join(', ')} has no context "${wanted}".`);
  const cluster = first(documents, (from) => clustersOf(from.file, from.document), context.cluster);
  if (!cluster)
    throw new Error(`Context "${wanted}" names the cluster "${context.cluster}", which is not in ${there.join(', ')}.`);
  const user = first(documents, (from) => usersOf(from.file, from.document), context.user);
  if (!user)
    throw new Error(`Context "${wanted}" names the user "${context.user}", which is not in ${there.join(', ')}.`);
  const { folder, ...rest } = user;
  return { context: String(wanted), namespace: context.namespace, cluster, user: rest, folder, files: there };
}

function readDocument(file: string): Record<string, unknown> {
  const document: unknown = parse(readFileSync(file, 'utf8'));
  if (typeof document !== 'object' || document === null) throw new Error(`${file} is no kubeconfig.`);
  return document as Record<string, unknown>;
}

function clustersOf(file: string, document: Record<string, unknown>): Cluster[] {
  return newClusters(document['clusters'], lenient).map((cluster) => ({
    ...cluster,
    ...(cluster.caFile ? { caFile: resolve(dirname(file), cluster.caFile) } : {}),
  }));
}

function usersOf(file: string, document: Record<string, unknown>): (KubeconfigUser & { readonly folder: string })[] {
  const folder = dirname(file);
  const absolute = (path: string | null | undefined) => (path ? resolve(folder, path) : undefined);
  const raw = document['users'] as readonly { readonly name?: string; readonly user?: Record<string, unknown> }[];
  return newUsers(document['users'], lenient).map((user) => {
    // The package knows neither tokenFile (it asks for "token-file", which kubectl does not write) nor as-groups.
    const more = raw.find((entry) => entry?.name === user.name)?.user ?? {};
    return {
      ...user,
      certFile: absolute(user.certFile) as string,
      keyFile: absolute(user.keyFile) as string,
      tokenFile: absolute(more['tokenFile'] as string | undefined),
      groups: Array.isArray(more['as-groups']) ? more['as-groups'].map(String) : [],
      folder,
    };
  });
}

function first<Document, Entry extends { readonly name: string }>(
  documents: readonly Document[],
  entriesOf: (document: Document) => readonly Entry[],
  name: string,
): Entry | undefined {
  for (const document of documents) {
    const found = entriesOf(document).find((entry) => entry.name === name);
    if (found) return found;
  }
  return undefined;
}
