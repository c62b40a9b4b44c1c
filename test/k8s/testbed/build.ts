import { spawn } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { runProgram } from '../../slurm/run-program.ts';
import { cacheEntry, MODULE } from './cache.ts';

/**
 * Builds the programs of the Kubernetes test bed into the cache: `node test/k8s/testbed/build.ts`. An entry appears whole
 * or not at all: it is built beside its place and renamed.
 */
const BUILDS: readonly Build[] = [
  { module: MODULE, packages: ['./cmd/kube', 'sigs.k8s.io/kueue/cmd/kueue', 'github.com/coredns/coredns'] },
  { module: join(MODULE, 'kwok'), packages: ['sigs.k8s.io/kwok/cmd/kwok'] },
];
type Build = { readonly module: string; readonly packages: readonly string[] };
const DOWNLOAD_MS = 15 * 60_000;
const SAY_EVERY_MS = 20_000;

const entry = cacheEntry();
if (existsSync(entry)) {
  console.log(`Kubernetes test bed: built before, ${entry}`);
} else {
  const began = performance.now();
  const seconds = () => `${Math.round((performance.now() - began) / 1000)} s`;
  mkdirSync(dirname(entry), { recursive: true });
  const unfinished = mkdtempSync(`${entry}.`);
  try {
    await build(unfinished, seconds);
    place(unfinished);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  console.log(`Kubernetes test bed: built in ${seconds()}, ${entry}`);
}

async function build(to: string, seconds: () => string): Promise<void> {
  for (const each of BUILDS) {
    console.log(`Kubernetes test bed: downloading modules for ${each.packages.join(' ')} …`);
    // Not `go mod download`, which fetches the modules of everybody's tests too.
    const total = (await go(each.module, ['list', '-deps', ...each.packages])).trim().split('\n').length;
    console.log(`  there after ${seconds()}; compiling ${total} packages …`);
    await compile(each, to, (count) => console.log(`  ${count} of up to ${total} after ${seconds()}`));
  }
  await copyObjects(BUILDS[0]!, 'sigs.k8s.io/kueue', 'config/components/crd/bases/*.yaml', join(to, 'kueue-crds'));
  await copyObjects(
    BUILDS[1]!,
    'sigs.k8s.io/kwok',
    'kustomize/stage/{node,pod}/fast/*-*.yaml',
    join(to, 'kwok-stages'),
  );
}

/** One `go build` for all programs of a module, so that the packages they share are compiled once. */
function compile({ module, packages }: Build, to: string, say: (compiled: number) => void): Promise<void> {
  const flags = ['-v', '-trimpath', '-buildvcs=false', '-ldflags', linkerFlags()];
  const child = spawn('go', ['build', ...flags, '-o', `${to}/`, ...packages], {
    cwd: module,
    env: goEnvironment(),
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  let compiled = 0;
  const said: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    // -v names each package as it is compiled, in a line without spaces; all else is an error.
    if (/^[\w./~-]+$/.test(line)) compiled += 1;
    else said.push(line);
  });
  const progress = setInterval(() => say(compiled), SAY_EVERY_MS);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      clearInterval(progress);
      if (code === 0) resolve();
      else reject(new Error(`go build ended with ${code}:\n${said.join('\n')}`));
    });
  });
}

/** Without a version the components say v0.0.0-master, which no client can parse. */
function linkerFlags(): string {
  const version = /k8s\.io\/kubernetes v(\d+)\.(\d+)\.(\d+)/.exec(readFileSync(join(MODULE, 'go.mod'), 'utf8'));
  if (version === null) throw new Error('go.mod names no version of k8s.io/kubernetes');
  const [, major, minor, patch] = version;
  const set = (name: string, value: string) => `-X k8s.io/component-base/version.${name}=${value}`;
  return [
    '-s -w',
    set('gitVersion', `v${major}.${minor}.${patch}`),
    set('gitMajor', major!),
    set('gitMinor', minor!),
  ].join(' ');
}

async function copyObjects(build: Build, module: string, pattern: string, to: string): Promise<void> {
  const source = (await go(build.module, ['list', '-m', '-f', '{{.Dir}}', module])).trim();
  const files = globSync(pattern, { cwd: source });
  if (files.length === 0) throw new Error(`${module} has no ${pattern}`);
  mkdirSync(to);
  for (const file of files) cpSync(join(source, file), join(to, basename(file)));
}

async function go(module: string, args: readonly string[]): Promise<string> {
  const ran = await runProgram(['go', ...args], { cwd: module, env: goEnvironment(), timeoutMs: DOWNLOAD_MS });
  if (ran.code !== 0) throw new Error(`go ${args.join(' ')} ended with ${ran.code}: ${ran.stderr}`);
  return ran.stdout;
}

/** The node's programs run in namespaces of their own, so they are linked statically. */
function goEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, CGO_ENABLED: '0' };
}

/** A build that ran at the same time may have been first; its entry is as good. */
function place(unfinished: string): void {
  try {
    renameSync(unfinished, entry);
  } catch (error) {
    if (!existsSync(entry)) throw error;
  }
}
