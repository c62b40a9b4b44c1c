import type { AgentConfig } from '@switchyard/agent-runtime/agent-config.ts';
import { type AgentKind, checkRow } from '@switchyard/agent-runtime/agent-kind.ts';
import { NATIVE_KUBERNETES_OPTIONS } from '@switchyard/core/spec/native-options.ts';
import { kubeBackend } from './backend/kube-backend.ts';
import { openKubeClient } from './client/kube-client.ts';
import { type KubernetesConfig, kubernetesConfigSchema } from './config.ts';
import { kubeFingerprint } from './fingerprint.ts';

/** Kubernetes, as `yard agent` loads it. */
export const k8sAgent: AgentKind = {
  kind: 'kubernetes',
  section: kubernetesConfigSchema,
  nativeOptions: Object.keys(NATIVE_KUBERNETES_OPTIONS),
  // A volume is a file system to the broker: its name is what jobs need, its place what they see.
  filesystems: (config) => [
    ...config.filesystems,
    ...Object.entries(section(config).volumes).map(([id, { mountPath }]) => ({ id, pathPrefix: mountPath })),
  ],
  async *check(config) {
    yield await checkRow('API server', 'see that the kubeconfig or the service account is right', async () => {
      const client = await openKubeClient(section(config));
      return kubeFingerprint(client).finally(() => client.close());
    });
  },
  openBackend: async (config, warn) =>
    kubeBackend({
      client: await openKubeClient(section(config)),
      config: section(config),
      stateDir: config.stateDir,
      cluster: config.cluster,
      log: { info: () => {}, warn },
    }),
};

function section(config: AgentConfig): KubernetesConfig {
  return config.section as KubernetesConfig;
}
