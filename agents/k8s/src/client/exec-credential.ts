import { execFile } from 'node:child_process';
import { resolve } from 'node:path';

/** `users[].user.exec` of a kubeconfig (client.authentication.k8s.io). */
export type ExecPlugin = {
  readonly apiVersion?: string;
  readonly command?: string;
  readonly args?: readonly string[] | null;
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null;
  readonly installHint?: string;
  readonly provideClusterInfo?: boolean;
};

export type ExecCredential = {
  readonly token?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly expiresAtMs?: number | undefined;
};

const LONGEST_MS = 60_000;

/**
 * Runs a credential plug-in without a terminal and reads the credential it prints. What it prints is a secret: no
 * error repeats it, only what went to standard error.
 */
export async function execCredential(
  plugin: ExecPlugin,
  given: { readonly folder: string; readonly cluster: Readonly<Record<string, unknown>> },
): Promise<ExecCredential> {
  if (!plugin.command) throw new Error('The kubeconfig names a credential plug-in without a command.');
  // A path with a slash is relative to the kubeconfig; a bare name is found on PATH (kubeconfig v1, ExecConfig.command).
  const command = plugin.command.includes('/') ? resolve(given.folder, plugin.command) : plugin.command;
  const stdout = await run(command, plugin, environment(plugin, given.cluster));
  return readCredential(stdout, command);
}

function environment(plugin: ExecPlugin, cluster: Readonly<Record<string, unknown>>): NodeJS.ProcessEnv {
  const info = {
    kind: 'ExecCredential',
    apiVersion: plugin.apiVersion ?? 'client.authentication.k8s.io/v1',
    spec: { interactive: false, ...(plugin.provideClusterInfo ? { cluster } : {}) },
  };
  const own = Object.fromEntries((plugin.env ?? []).map(({ name, value }) => [name, value]));
  return { ...process.env, ...own, KUBERNETES_EXEC_INFO: JSON.stringify(info) };
}

function run(command: string, plugin: ExecPlugin, env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((done, fail) => {
    const options = { env, timeout: LONGEST_MS, killSignal: 'SIGKILL', maxBuffer: 1024 * 1024 } as const;
    const child = execFile(command, [...(plugin.args ?? [])], options, (error, stdout, stderr) => {
      if (!error) return done(stdout);
      const how = error.killed
        ? `gave no answer within ${LONGEST_MS / 1000} s`
        : `failed (${error.code ?? error.signal})`;
      const said = stderr.trim().slice(-500);
      fail(
        new Error([`The credential plug-in ${command} ${how}.`, said, plugin.installHint].filter(Boolean).join(' ')),
      );
    });
    child.stdin?.end();
  });
}

function readCredential(stdout: string, command: string): ExecCredential {
  const status = statusOf(stdout);
  const token = textOf(status?.['token']);
  const cert = textOf(status?.['clientCertificateData']);
  const key = textOf(status?.['clientKeyData']);
  if (!token && !(cert && key)) {
    throw new Error(`The credential plug-in ${command} printed no credential.`);
  }
  const expiresAtMs = Date.parse(textOf(status?.['expirationTimestamp']) ?? '');
  return { token, cert, key, expiresAtMs: Number.isNaN(expiresAtMs) ? undefined : expiresAtMs };
}

function statusOf(stdout: string): Record<string, unknown> | undefined {
  try {
    return (JSON.parse(stdout) as { status?: Record<string, unknown> } | null)?.status;
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
