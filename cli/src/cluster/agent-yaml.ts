import { stringify } from 'yaml';

/** A complete agent file, ready to use beside the cluster; what a site may want to change stands in it as a comment. */
export function agentYaml(agent: { name: string; token: string; kind: 'slurm' | 'local'; broker: string }): string {
  const { name, token, kind, broker } = agent;
  const settings = {
    cluster: name,
    kind,
    broker,
    token,
    stateDir: kind === 'slurm' ? `/shared/switchyard/${name}` : `/var/tmp/switchyard/${name}`,
  };
  return `# Agent of the cluster ${JSON.stringify(name)}. It holds a secret: keep it at mode 0600.\n${stringify(settings)}${remarks[kind]}`;
}

const remarks = {
  slurm: `# stateDir must be on a file system that all compute nodes see; the agent makes it, jobs only use it.
# defaultWorkdir: /shared/home/yard   # for jobs that name no working directory
# backlog: 200                        # how many waiting tasks this cluster may hold
# filesystems:                        # where jobs may work and write; without it, anywhere
#   - {id: scratch, pathPrefix: /scratch}
# slurm:
#   conf: /etc/slurm/slurm.conf
# tls:                                # needed unless the broker is on this host
#   caFile: /etc/switchyard/ca.pem
`,
  local: `# defaultWorkdir: /var/tmp           # for jobs that name no working directory
# local: {cpus: 4, memoryMiB: 8192}   # what jobs may use of this host
`,
};
