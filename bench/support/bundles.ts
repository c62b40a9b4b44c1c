import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** Builds the release bundles and says how a federation starts them: figures are measured on what is released. */
export function bundles(): { broker: string; agent: string[] } {
  execFileSync(process.execPath, [join(ROOT, 'scripts/bundle.ts')], { stdio: ['ignore', 'ignore', 'inherit'] });
  // The option stands in the first line of the bundle.
  return {
    broker: join(ROOT, 'dist/broker.js'),
    agent: ['--max-semi-space-size=1', join(ROOT, 'dist/agent.js'), 'run'],
  };
}
