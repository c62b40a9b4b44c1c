import { once } from 'node:events';
import { readAgentConfig } from './agent-config.ts';
import type { AgentKind, CheckRow } from './agent-kind.ts';
import { checkAgent } from './check-agent.ts';
import { runAgent } from './run-agent.ts';

/**
 * `yard agent run FILE` and `yard agent check FILE`, and the same of the agent's own bundle. Resolves to the exit code; `run`
 * ends with the process's SIGTERM or SIGINT. Throws for a file that cannot be used.
 */
export async function agentCommand(
  action: 'run' | 'check',
  file: string,
  kinds: readonly AgentKind[],
  write: (text: string) => void = (text) => process.stdout.write(text),
): Promise<number> {
  const config = await readAgentConfig(file, Object.fromEntries(kinds.map(({ kind, section }) => [kind, section])));
  const kind = kinds.find((each) => each.kind === config.kind)!;
  if (action === 'check') return check(checkAgent(config, kind), write);
  const agent = await runAgent(config, kind);
  await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
  await agent.stop();
  return 0;
}

async function check(rows: AsyncIterable<CheckRow>, write: (text: string) => void): Promise<number> {
  let bad = 0;
  for await (const { what, ok, found, advice } of rows) {
    write(`${ok ? '✔' : '✖'} ${what.padEnd(16)} ${found}\n${advice === '' ? '' : `  → ${advice}\n`}`);
    if (!ok) bad += 1;
  }
  write(bad === 0 ? 'All is well.\n' : `${bad} to put right.\n`);
  return bad === 0 ? 0 : 1;
}
