import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { writeCliContext } from './cli-context.ts';
import { findDefaultClusters, splitMachine, writeDefaultCluster } from './default-clusters.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'switchyard-defaults-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test.each([
  [1, 1, 1],
  [2, 1, 1],
  [5, 3, 2],
  [64, 32, 32],
])('%i processors are %i east and %i west', (cpus, east, west) => {
  expect(splitMachine(cpus, 1000).map(({ local }) => local?.cpus)).toEqual([east, west]);
});

test('without any scheduler in sight there are two local clusters', async () => {
  const found = await findDefaultClusters({ PATH: dir });
  expect(found.map(({ cluster, kind }) => [cluster, kind])).toEqual([
    ['east', 'local'],
    ['west', 'local'],
  ]);
});

test('a Slurm whose controller answers is the one cluster, under its own name', async () => {
  const program = (name: string, text: string) =>
    writeFileSync(join(dir, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  program('sbatch', 'true');
  program('scontrol', 'case $1 in ping) echo "Slurmctld(primary) at ctl is UP";; *) echo "ClusterName = North";; esac');
  expect(await findDefaultClusters({ PATH: `${dir}:/bin:/usr/bin` })).toEqual([{ cluster: 'north', kind: 'slurm' }]);
  program('scontrol', 'echo "Slurmctld(primary) at ctl is DOWN"; exit 1');
  expect(await findDefaultClusters({ PATH: `${dir}:/bin:/usr/bin` })).toHaveLength(2);
});

test("the agent's file is for its owner alone and holds the token that was stored", async () => {
  let stored = '';
  const file = await writeDefaultCluster({
    cluster: { cluster: 'east', kind: 'local', local: { cpus: 1, memoryMiB: 512 } },
    ...{ dataDir: dir, broker: '127.0.0.1:8471' },
    create: async (_name, token) => {
      stored = token;
    },
  });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(parse(readFileSync(file, 'utf8'))).toEqual({
    ...{ cluster: 'east', kind: 'local', broker: '127.0.0.1:8471', token: stored },
    ...{
      stateDir: join(dir, 'state/east'),
      defaultWorkdir: join(dir, 'work/east'),
      local: { cpus: 1, memoryMiB: 512 },
    },
  });
});

test("the context of the command line is written unless it is somebody else's", () => {
  const home = join(dir, 'config');
  const file = join(home, 'config.yaml');
  const local = { url: 'http://127.0.0.1:1', token: 'yt_one' };
  expect(writeCliContext(home, local)).toBe(true);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(writeCliContext(home, { ...local, token: 'yt_two' })).toBe(true);
  expect(parse(readFileSync(file, 'utf8'))).toEqual({
    current: 'local',
    contexts: { local: { ...local, token: 'yt_two' } },
  });
  writeFileSync(file, 'current: site\ncontexts: {site: {url: https://x, token: y}}\n');
  expect(writeCliContext(home, local)).toBe(false);
  expect(readFileSync(file, 'utf8')).toContain('site');
});
