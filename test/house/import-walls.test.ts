import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** Each line breaks one wall of design section 11; the lint must say so, and say why. */
const broken: [file: string, line: string, reason: RegExp][] = [
  ['core/src/spec/a.ts', "import '../lifecycle/judge.ts';", /core\/spec is pure/],
  ['core/src/lifecycle/a.ts', "import 'node:fs';", /core\/lifecycle is pure/],
  ['core/src/lifecycle/b.ts', "import 'zod';", /core\/lifecycle is pure/],
  ['core/src/lifecycle/c.ts', "export type { Plan } from '../placement/snapshot.ts';", /core\/lifecycle is pure/],
  ['core/src/lifecycle/d.ts', 'export const now = () => Date.now();', /the time is an argument/],
  [
    'core/src/placement/a.ts',
    "export const load = () => import('@switchyard/broker/main.ts');",
    /core\/placement is pure/,
  ],
  ['core/src/placement/b.ts', 'export const chance = () => Math.random();', /randomness and ids are arguments/],
  ['core/src/placement/c.ts', "export const home = () => process.env['HOME'];", /it has no environment/],
  ['broker/src/db/a.ts', "import '../http/app.ts';", /never back/],
  ['broker/src/http/a.ts', "import '../grpc/server.ts';", /http and grpc never meet/],
  ['broker/src/http/b.ts', "import 'pg';", /only db speaks SQL/],
  ['broker/src/grpc/a.ts', "import '../http/app.ts';", /grpc and http never meet/],
  ['broker/src/scheduler/a.ts', "import '../grpc/server.ts';", /talks to no agent/],
  ['agents/runtime/src/a.ts', "import '@switchyard/agent-slurm/slurm-queue.ts';", /knows none of them/],
  ['agents/runtime/src/b.ts', "import '@switchyard/proto/switchyard/v1/agent.ts';", /only broker-link knows protobuf/],
  ['agents/slurm/src/a.ts', "import '@switchyard/broker/main.ts';", /imports only core and agents\/runtime/],
  ['agents/runtime/src/c.ts', "import '@switchyard/agent-k8s/names.ts';", /knows none of them/],
  ['agents/k8s/src/backend/a.ts', "import '@grpc/grpc-js';", /imports only core and agents\/runtime/],
  ['agents/k8s/src/client/a.ts', "import '@switchyard/cli/cli.ts';", /imports only core and agents\/runtime/],
  ['agents/k8s/src/logs/a.ts', "import '@kubernetes/client-node';", /only client\/ reads kubeconfigs/],
  ['agents/k8s/src/facts/a.ts', "import '@switchyard/broker/main.ts';", /imports only core and agents\/runtime/],
  ['agents/k8s/src/facts/b.ts', 'export const now = () => Date.now();', /the time is an argument/],
  ['agents/k8s/src/manifest/a.ts', "import 'node:crypto';", /it does no I\/O/],
  [
    'agents/k8s/src/capacity/a.ts',
    "import '@kubernetes/client-node/dist/config.js';",
    /only client\/ reads kubeconfigs/,
  ],
  ['cli/src/a.ts', "import '@switchyard/broker/main.ts';", /never imports the broker/],
];

let dir: string;
let said: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'switchyard-walls-'));
  const config = JSON.parse(readFileSync(join(ROOT, 'biome.json'), 'utf8'));
  delete config.$schema;
  writeFileSync(join(dir, 'biome.json'), JSON.stringify({ ...config, vcs: { enabled: false } }));
  cpSync(join(ROOT, 'scripts/lint'), join(dir, 'scripts/lint'), { recursive: true });
  for (const [file, line] of broken) {
    mkdirSync(dirname(join(dir, file)), { recursive: true });
    writeFileSync(join(dir, file), `${line}\n`);
  }
  const argv = ['lint', '--colors=off', '--max-diagnostics=none', '.'];
  const result = spawnSync(join(ROOT, 'node_modules/.bin/biome'), argv, { cwd: dir, encoding: 'utf8' });
  said = result.stdout + result.stderr;
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test.each(broken)('%s: %s', (file, _line, reason) => {
  const start = said.indexOf(`${file}:1:`);
  expect(start, said.slice(0, 2000)).toBeGreaterThanOrEqual(0);
  expect(said.slice(start).split('\n\n').slice(0, 3).join('\n').replace(/\s+/g, ' ')).toMatch(reason);
});
