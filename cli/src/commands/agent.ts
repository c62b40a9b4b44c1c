import { resolve } from 'node:path';
import type { Cli, DefineCommand } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { Failure } from '../failure.ts';

const actions = {
  run: 'run the agent of a cluster until it is told to stop',
  check: 'prove that an agent could work here, with a job on the cluster',
} as const;

/** `yard agent`: the process beside a cluster. Nothing of it is loaded by any other command. */
export const defineAgent: DefineCommand = (command, cli) => {
  command.usage('run|check FILE');
  for (const action of ['run', 'check'] as const)
    command
      .command(action)
      .description(actions[action])
      .argument('<file>', "the agent's file, as `yard cluster add` prints it")
      .action(async (file: string) => {
        cli.exitCode = await perform(cli, action, file);
      });

  command
    .command('find', { hidden: true })
    .description('the Kubernetes cluster that kubectl would speak to from here, as JSON, or null')
    .action(async () => {
      const { findKubernetes } = await import('@switchyard/agent-k8s/find-cluster.ts');
      cli.io.stdout.write(`${JSON.stringify(await findKubernetes(cli.io.env))}\n`);
    });
};

async function perform(cli: Cli, action: 'run' | 'check', file: string): Promise<number> {
  const [{ agentCommand }, { AgentConfigError }, { slurmAgent }, { k8sAgent }, { localAgent }] = await Promise.all([
    import('@switchyard/agent-runtime/agent-command.ts'),
    import('@switchyard/agent-runtime/agent-config.ts'),
    import('@switchyard/agent-slurm/slurm-agent.ts'),
    import('@switchyard/agent-k8s/k8s-agent.ts'),
    import('@switchyard/agent-local/local-agent.ts'),
  ]);
  try {
    const write = (text: string) => void cli.io.stdout.write(text);
    return await agentCommand(action, resolve(cli.io.cwd, file), [slurmAgent, k8sAgent, localAgent], write);
  } catch (cause) {
    if (cause instanceof AgentConfigError)
      throw new Failure(`${file} cannot be used:`, { exitCode: EXIT.usage, lines: cause.problems, cause });
    const { code, path } = cause as NodeJS.ErrnoException;
    if (code === undefined || path !== resolve(cli.io.cwd, file)) throw cause;
    throw new Failure(`${file} cannot be read: ${code}.`, { exitCode: EXIT.usage, cause });
  }
}
