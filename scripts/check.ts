// `npm run check`: everything that can be said about the source without running it, each step named and timed.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
const path = `${join(root, 'node_modules', '.bin')}:${process.env['PATH']}`;
const failed: string[] = [];

step('format, lint, import walls', 'biome', ['ci', '--colors=off', '--error-on-warnings', '.']);
step('types', 'tsc', ['-p', '.']);
step('unused code', 'knip', []);
step('protobuf lint', 'buf', ['lint']);
same('generated code is current', ['proto/gen', 'docs/job-lifecycle.md', 'migrations'], 'scripts/generate.ts');

if (failed.length > 0) {
  process.stderr.write(`\n${failed.length} of the checks failed: ${failed.join('; ')}\n`);
  process.exit(1);
}
process.stdout.write('\nAll checks passed.\n');

function step(name: string, command: string, args: string[]): boolean {
  const started = performance.now();
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', env: { ...process.env, PATH: path } });
  return say(name, result.status === 0, started, `${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}`);
}

/** Generates again and compares: what is committed must be what the sources give. The working tree is left as it was. */
function same(name: string, paths: string[], generator: string): void {
  const started = performance.now();
  const before = mkdtempSync(join(tmpdir(), 'switchyard-check-'));
  try {
    for (const each of paths) cpSync(join(root, each), join(before, each), { recursive: true });
    const run = spawnSync(process.execPath, [generator], {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, PATH: path },
    });
    const changed = paths.flatMap((each) => differences(join(before, each), join(root, each)));
    for (const each of paths) {
      rmSync(join(root, each), { recursive: true, force: true });
      cpSync(join(before, each), join(root, each), { recursive: true });
    }
    const why = changed.map((each) => `differs: ${relative(root, each)}`).join('\n');
    say(
      name,
      run.status === 0 && changed.length === 0,
      started,
      `${run.stdout}${run.stderr}\n${why}\nRun npm run generate and commit the result.`,
    );
  } finally {
    rmSync(before, { recursive: true, force: true });
  }
}

function differences(left: string, right: string): string[] {
  const files = new Set([...listing(left), ...listing(right)]);
  return [...files]
    .filter((file) => read(join(left, file)) !== read(join(right, file)))
    .map((file) => join(right, file));
}

function listing(path: string): string[] {
  if (!statSync(path).isDirectory()) return [''];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(path, join(entry.parentPath, entry.name)));
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function say(name: string, ok: boolean, started: number, output: string): boolean {
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(5);
  process.stdout.write(`${ok ? '✔' : '✖'} ${seconds} s  ${name}\n`);
  if (!ok) {
    process.stdout.write(`${output}\n`);
    failed.push(name);
  }
  return ok;
}
