import type { AgentConfig } from '@switchyard/agent-runtime/agent-config.ts';
import type { AgentKind, CheckRow } from '@switchyard/agent-runtime/agent-kind.ts';
import { NATIVE_KUBERNETES_OPTIONS } from '@switchyard/core/spec/native-options.ts';
import { checkCluster } from './backend/check-cluster.ts';
import { kubeBackend } from './backend/kube-backend.ts';
import { openKubeClient } from './client/kube-client.ts';
import { type KubernetesConfig, kubernetesConfigSchema } from './config.ts';

/** A Kubernetes cluster, as `yard agent` loads it. */
export const k8sAgent: AgentKind = {
  kind: 'kubernetes',
  section: kubernetesConfigSchema,
  nativeOptions: Object.keys(NATIVE_KUBERNETES_OPTIONS),
  filesystems: (config) => {
    const { volumes } = sectionOf(config);
    const mounted = Object.entries(volumes).map(([id, { mountPath }]) => ({ id, pathPrefix: mountPath }));
    return [...config.filesystems, ...mounted];
  },
  check,
  openBackend: async (config, warn) => {
    const section = sectionOf(config);
    const { cluster, stateDir, federation } = config;
    if (federation === undefined) throw new TypeError('a Kubernetes agent without a federation');
    const log = { info: () => {}, warn };
    const client = await openKubeClient({ ...section, log });
    return kubeBackend({ client, config: section, stateDir, cluster, federation, log });
  },
};

async function* check(config: AgentConfig): AsyncGenerator<CheckRow> {
  const section = sectionOf(config);
  const advice = "see kubeconfig and context in the agent's file";
  const opened = await openKubeClient(section).catch((error: Error) => error);
  if (opened instanceof Error) {
    yield { what: 'credentials', ok: false, found: opened.message, advice };
    return;
  }
  try {
    yield { what: 'credentials', ok: true, found: `${opened.server} (${opened.context})`, advice: '' };
    yield* checkCluster(opened, section);
  } finally {
    await opened.close();
  }
}

function sectionOf({ section }: AgentConfig): KubernetesConfig {
  return section as KubernetesConfig;
}
