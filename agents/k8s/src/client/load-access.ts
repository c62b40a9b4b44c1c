import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type ExecCredential, type ExecPlugin, execCredential } from './exec-credential.ts';
import type { KubeAccess } from './kube-access.ts';
import { kubeconfigFiles, type ResolvedContext, readKubeconfig } from './kubeconfig.ts';

export type AccessOptions = {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  /** Where a pod finds its service account; for tests. */
  readonly serviceAccountFolder?: string | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
};

const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * What is configured: the kubeconfig or context that is named, else the service account of the pod this runs in, else
 * the default kubeconfig. Runs the credential plug-in, if there is one. Throws a sentence for whoever configures it.
 */
export async function loadAccess(options: AccessOptions): Promise<KubeAccess> {
  const env = options.env ?? process.env;
  const folder = options.serviceAccountFolder ?? SERVICE_ACCOUNT_FOLDER;
  const named = options.kubeconfig !== undefined || options.context !== undefined;
  const inCluster = env['KUBERNETES_SERVICE_HOST'] && statSync(join(folder, 'token'), { throwIfNoEntry: false });
  const access =
    !named && inCluster
      ? serviceAccount(folder, env)
      : await fromContext(readKubeconfig(kubeconfigFiles(options.kubeconfig, env), options.context));
  refuseOpenToken(access);
  return access;
}

function serviceAccount(folder: string, env: NodeJS.ProcessEnv): KubeAccess {
  const host = env['KUBERNETES_SERVICE_HOST'] ?? '';
  const [tokenFile, caFile, namespaceFile] = ['token', 'ca.crt', 'namespace'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const hasNamespace = statSync(namespaceFile, { throwIfNoEntry: false }) !== undefined;
  return {
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${env['KUBERNETES_SERVICE_PORT'] ?? '443'}`),
    context: 'service account',
    namespace: hasNamespace ? readFileSync(namespaceFile, 'utf8').trim() : undefined,
    tls: { ca: readFileSync(caFile) },
    proxyUrl: undefined,
    headers: bearer(readFileSync(tokenFile, 'utf8')),
    expiresAtMs: undefined,
    files: [tokenFile, caFile],
  };
}

async function fromContext(resolved: ResolvedContext): Promise<KubeAccess> {
  const { cluster, user } = resolved;
  if (cluster.proxyUrl?.startsWith('socks')) throw new Error(`${cluster.proxyUrl}: only HTTP proxies are supported.`);
  const plugged = await pluggedCredential(resolved);
  const token = plugged?.token ?? user.token ?? (user.tokenFile && readFileSync(user.tokenFile, 'utf8'));
  return {
    server: new URL(cluster.server),
    context: resolved.context,
    namespace: resolved.namespace,
    tls: {
      ca: fileOrData(cluster.caFile, cluster.caData),
      cert: plugged?.cert ?? fileOrData(user.certFile, user.certData),
      key: plugged?.key ?? fileOrData(user.keyFile, user.keyData),
      servername: cluster.tlsServerName,
      ...(cluster.skipTLSVerify ? { rejectUnauthorized: false } : {}),
    },
    proxyUrl: cluster.proxyUrl,
    headers: {
      ...(user.username ? basic(user.username, user.password ?? '') : {}),
      ...(token ? bearer(token) : {}),
      ...(user.impersonateUser ? { 'impersonate-user': user.impersonateUser } : {}),
      ...(user.groups.length > 0 ? { 'impersonate-group': user.groups } : {}),
    },
    expiresAtMs: plugged?.expiresAtMs,
    files: [...resolved.files, cluster.caFile, user.certFile, user.keyFile, user.tokenFile].filter(
      (file) => !!file,
    ) as string[],
  };
}

async function pluggedCredential(resolved: ResolvedContext): Promise<ExecCredential | undefined> {
  if (resolved.user.exec)
    return execCredential(resolved.user.exec as ExecPlugin, {
      folder: resolved.folder,
      cluster: clusterInfo(resolved),
    });
  return providedToken(resolved);
}

/** What a plug-in with `provideClusterInfo` may know (client.authentication.k8s.io/v1, Cluster). */
function clusterInfo({ cluster }: ResolvedContext): Record<string, unknown> {
  return {
    server: cluster.server,
    'tls-server-name': cluster.tlsServerName,
    'insecure-skip-tls-verify': cluster.skipTLSVerify,
    'certificate-authority-data': fileOrData(cluster.caFile, cluster.caData)?.toString('base64'),
  };
}

/**
 * `auth-provider` of old kubeconfigs, of which clients since 1.26 know only oidc. The token that is there is used, and
 * read again when kubectl has renewed it; renewing it here would cost every agent 13 MB for the package's own code.
 */
function providedToken({ user }: ResolvedContext): ExecCredential | undefined {
  const provider = user.authProvider as { name?: string; config?: Record<string, string> } | null | undefined;
  if (!provider) return undefined;
  const token = provider.config?.['id-token'] ?? provider.config?.['access-token'];
  if (!token)
    throw new Error(`The auth-provider ${provider.name} holds no token: use an exec plug-in (kubectl oidc-login).`);
  return { token };
}

/** Credentials never cross a network unencrypted; `kubectl proxy` on this host is fine. */
function refuseOpenToken(access: KubeAccess): void {
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(access.server.hostname);
  if (access.server.protocol === 'https:' || local || !access.headers['authorization']) return;
  throw new Error(`${access.server.origin} is not encrypted: no credentials are sent there. Use https.`);
}

function fileOrData(file: string | null | undefined, base64: string | null | undefined): Buffer | undefined {
  if (base64) return Buffer.from(base64, 'base64');
  return file ? readFileSync(file) : undefined;
}

function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token.trim()}` };
}

function basic(user: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}
