// `npm run generate`: protobuf code, the lifecycle diagram and new migrations, from their sources.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const env = { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}:${process.env['PATH']}` };

run('buf', ['generate']);
run(process.execPath, ['scripts/lifecycle-diagram.ts']);
run('drizzle-kit', ['generate']);

function run(command: string, args: string[]): void {
  const result = spawnSync(command, args, { cwd: root, env, stdio: 'inherit' });
  if (result.status !== 0) process.exit(result.status ?? 1);
}
