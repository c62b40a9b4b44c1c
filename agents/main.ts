// The agent alone, for its bundle: `agent run FILE` and `agent check FILE`, the same as `yard agent`.
import { k8sAgent } from './k8s/src/k8s-agent.ts';
import { localAgent } from './local/src/local-agent.ts';
import { agentCommand } from './runtime/src/agent-command.ts';
import { slurmAgent } from './slurm/src/slurm-agent.ts';

const [action, file, ...rest] = process.argv.slice(2).filter((word, at) => !(at === 0 && word === 'agent'));
if ((action !== 'run' && action !== 'check') || file === undefined || rest.length > 0) {
  process.stderr.write('usage: agent run|check FILE\n');
  process.exitCode = 2;
} else {
  process.exitCode = await agentCommand(action, file, [slurmAgent, k8sAgent, localAgent]).catch((error: Error) => {
    process.stderr.write(`${error.message}\n`);
    return 1;
  });
}
