import { stringify } from 'yaml';

export const AGENT_KINDS = ['slurm', 'kubernetes', 'local'] as const;
export type AgentOfKind = (typeof AGENT_KINDS)[number];

type Agent = {
  readonly name: string;
  readonly federation: string;
  readonly token: string;
  readonly kind: AgentOfKind;
  readonly broker: string;
  readonly stateDir: string;
};

/** A complete agent file, ready to use beside the cluster; what a site may want to change stands in it as a comment. */
export function agentYaml({ name, federation, token, kind, broker, stateDir }: Agent): string {
  const settings = stringify({ cluster: name, federation, kind, broker, token, stateDir });
  return `# The agent of this cluster. The token is a secret: keep this file at mode 0600.\n${settings}${remarks[kind]}`;
}

const remarks: Readonly<Record<AgentOfKind, string>> = {
  slurm: `# stateDir must lie on a file system that every node of the cluster sees: jobs take their claims there.
# defaultWorkdir: /shared/home/yard    # for jobs that name no working directory
# backlog: 200                         # waiting tasks of ours that this cluster wants to hold at most
# filesystems:                         # where jobs may work and write; without it, anywhere
#   - {id: scratch, pathPrefix: /scratch}
# slurm:
#   conf: /etc/slurm/slurm.conf
#   partitions: [normal, gpu]
# tls: {caFile: /etc/switchyard/ca.pem}   # for a broker with a certificate of its own
`,
  kubernetes: `# In the cluster itself: deploy/kubernetes/agent, with the token in a Secret and /var/lib/switchyard as stateDir.
# kubernetes:                          # every setting: docs/kubernetes.md
#   kubeconfig: /home/yard/.kube/config  # without it that of kubectl, in a pod the service account
#   namespace: switchyard-jobs         # where jobs run
#   defaultImage: busybox:1.37         # for jobs that name none
#   allowedImages: ['*']               # without it, the default image alone
#   volumes: {scratch: {claim: scratch, mountPath: /scratch}}
#   queue: jobs                        # a LocalQueue of Kueue
# tls: {caFile: /etc/switchyard/ca.pem}   # for a broker with a certificate of its own
`,
  local: `# defaultWorkdir: /var/tmp             # for jobs that name no working directory
# local: {cpus: 4, memoryMiB: 8192}    # what jobs may use of this host
`,
};
