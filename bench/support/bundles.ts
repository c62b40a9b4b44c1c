import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** Builds the release bundles and says how a federation starts them: figures are measured on what is released. */
export function bundles(): { broker: string; agent: string[] } {
  execFileSync(process.execPath, [join(ROOT, 'scripts/bundle.ts')], { stdio: ['ignore', 'ignore', 'inherit'] });
  const agent = join(ROOT, 'dist/agent.js');
  const options = readFileSync(agent, 'utf8').split('\n', 1)[0]!.split(' ').slice(3);
  return { broker: join(ROOT, 'dist/broker.js'), agent: [...options, agent, 'run'] };
}
