import { join } from 'node:path';
import { Option } from 'commander';
import { type Cli, type DefineCommand, say } from '../cli.ts';
import { AGENT_KINDS, type AgentOfKind, agentYaml } from '../cluster/agent-yaml.ts';
import { usage } from '../failure.ts';
import { plainText } from '../format/plain-text.ts';

type Added = { readonly name: string; readonly token: string; readonly federation: string; readonly broker?: string };

/** `yard cluster`: attach a cluster, and decide what it may take. */
export const defineCluster: DefineCommand = (command, cli) => {
  command.usage('add|cordon|drain|activate|forget NAME');

  command
    .command('add')
    .description('make a cluster known and print its agent file, with its token, once')
    .argument('<name>', 'how the cluster is called here')
    .addOption(new Option('--kind <kind>', 'what runs there').choices([...AGENT_KINDS]).default('slurm'))
    .option('--broker <host:port>', 'where its agent dials to (default: what the broker says)')
    .action(async (name: string, options: { kind: AgentOfKind; broker?: string }) => {
      const client = await cli.connect();
      const added = await client.once<Added>('/v1/clusters', { name });
      const broker = options.broker ?? added.broker ?? `${new URL(client.url).hostname}:8471`;
      cli.io.stdout.write(agentYaml({ ...added, name, kind: options.kind, broker, stateDir: stateDir(cli, name) }));
      const file = `${plainText(name)}.yaml`;
      say(cli, `Keep this as ${file} (mode 0600) beside the cluster: the token in it is not shown again.`);
      say(cli, `Then: yard agent check ${file} && yard agent run ${file}`);
    });

  for (const [verb, what, done] of verbs)
    command
      .command(verb)
      .description(what)
      .argument('<name>')
      .option('--why <words>', 'for the record')
      .action(async (name: string, why: { why?: string }) => {
        const client = await cli.connect();
        await client.put(`/v1/clusters/${encodeURIComponent(name)}/${verb}`, why);
        say(cli, plainText(`${name} ${done}`));
      });

  command
    .command('forget')
    .description('give up a cluster that will never come back')
    .argument('<name>')
    .option('--runs-are-dead', 'your word that nothing of ours runs there any more')
    .option('--why <words>', 'for the record')
    .action(async (name: string, { runsAreDead, ...why }: { runsAreDead?: true; why?: string }) => {
      if (!runsAreDead)
        throw usage(
          'Forgetting a cluster ends its runs here, and rerunnable ones start again elsewhere.',
          'If nothing of ours runs there any more, say so: --runs-are-dead.',
        );
      const client = await cli.connect();
      await client.once(`/v1/clusters/${encodeURIComponent(name)}/forget`, { runsAreDead, ...why });
      say(cli, plainText(`${name} is forgotten; its runs have ended here.`));
    });
};

/** On most sites every node sees the home of a user, as it must be. */
function stateDir({ io }: Cli, name: string): string {
  return join(io.env['HOME'] || '/var/tmp', 'switchyard', name);
}

const verbs = [
  ['cordon', 'place nothing new there', 'takes nothing new; what is there goes on.'],
  [
    'drain',
    'place nothing new there and take back what has not started',
    'is draining: what has not started goes elsewhere.',
  ],
  ['activate', 'use it again', 'is in use again.'],
] as const;
