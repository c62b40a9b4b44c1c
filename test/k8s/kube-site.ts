import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubernetesConfigInput } from '@switchyard/agent-k8s/config.ts';
import { Ledger } from '../support/ledger.ts';
import { type KubeCluster, type KubeClusterOptions, startKubeCluster } from './testbed.ts';

/** Where jobs run; Pod Security `restricted` is enforced there. */
export const JOBS = 'switchyard-jobs';
/** The name of the shared folder as a volume of the agent and as a file system of the broker. */
export const SHARED = 'work';

const SHIPPED = join(import.meta.dirname, '../../deploy/kubernetes/agent');

/** A folder that payloads of every cluster see under one path, whoever they run as. */
export type SharedFolder = {
  readonly path: string;
  readonly ledger: (name: string) => Ledger;
  remove(): void;
};

/** Not below /tmp, which every pod has for itself. */
export function sharedFolder(): SharedFolder {
  const path = mkdtempSync('/var/tmp/yard-world-');
  chmodSync(path, 0o777);
  return {
    path,
    ledger: (name) => {
      const ledger = new Ledger(path, name);
      writeFileSync(ledger.file, '');
      chmodSync(ledger.file, 0o666);
      return ledger;
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** A Kubernetes cluster as an administrator prepares it for an agent: the shipped namespaces and rights, and nothing more. */
export type KubeSite = {
  readonly kube: KubeCluster;
  /** What `addCluster` of a federation takes: an agent that is nothing but the shipped service account. */
  settings(config?: Partial<KubernetesConfigInput>): Promise<{
    kind: 'kubernetes';
    kubernetes: Record<string, unknown>;
  }>;
  close(): Promise<void>;
};

export async function startKubeSite(options: KubeClusterOptions, shared?: SharedFolder): Promise<KubeSite> {
  const kube = await startKubeCluster(options);
  try {
    await applyShipped(kube, 'namespaces.yaml');
    await applyShipped(kube, 'rbac.yaml');
    if (shared) await kube.sharedVolume(JOBS, SHARED, shared.path);
  } catch (error) {
    await kube.close();
    throw error;
  }
  return {
    kube,
    settings: async (config = {}) => ({
      kind: 'kubernetes',
      kubernetes: {
        kubeconfig: await kube.kubeconfigFor('switchyard', 'switchyard-agent'),
        namespace: JOBS,
        defaultImage: kube.image,
        defaultMemoryMiB: 32,
        terminationGraceSeconds: 3,
        ...(shared ? { volumes: { [SHARED]: { claim: SHARED, mountPath: shared.path } } } : {}),
        ...config,
      },
    }),
    close: () => kube.close(),
  };
}

async function applyShipped(kube: KubeCluster, file: string): Promise<void> {
  const { code, stderr } = await kube.kubectl(['apply', '-f', '-'], readFileSync(join(SHIPPED, file), 'utf8'));
  if (code !== 0) throw new Error(`${file}: ${stderr}`);
}

/** `Ledger.script` for any POSIX shell and a `date` without nanoseconds, as busybox has it. */
export function payload(ledger: Ledger, body = ':'): string {
  const say = (word: string) =>
    `printf '%s %s %s %s %s\\n' ${word} "$YARD_JOB_NUMBER" "$YARD_TASK_INDEX" "$YARD_CLUSTER" "$(date +%s)000000000" >> '${ledger.file}'`;
  return `${say('start')}\n${body}\ncode=$?\n${say('end')}\nexit $code\n`;
}
