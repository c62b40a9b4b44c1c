import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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
  const found = await findDefaultClusters({ PATH: dir, HOME: dir });
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
  expect(await findDefaultClusters({ PATH: `${dir}:/bin:/usr/bin`, HOME: dir })).toEqual([
    { cluster: 'north', kind: 'slurm' },
  ]);
  program('scontrol', 'echo "Slurmctld(primary) at ctl is DOWN"; exit 1');
  expect(await findDefaultClusters({ PATH: `${dir}:/bin:/usr/bin`, HOME: dir })).toHaveLength(2);
});

describe("the Kubernetes of kubectl's current context", () => {
  const home = (server: string) => {
    const at = mkdtempSync(join(dir, 'home-'));
    mkdirSync(join(at, '.kube'));
    const config = {
      ...{ 'current-context': 'kind-Lap_top', users: [{ name: 'me', user: {} }] },
      clusters: [{ name: 'here', cluster: { server } }],
      contexts: [{ name: 'kind-Lap_top', context: { cluster: 'here', user: 'me', namespace: 'lab' } }],
    };
    writeFileSync(join(at, '.kube/config'), JSON.stringify(config));
    return at;
  };
  /** An API server that knows its version, and who may make Jobs where. */
  const apiServer = async (allowed: boolean) => {
    const server = createServer(async (request, response) => {
      const { spec } = JSON.parse((await request.toArray()).join('') || '{}');
      const { namespace, verb, resource } = spec?.resourceAttributes ?? {};
      const answer = spec
        ? { status: { allowed: allowed && `${verb} ${resource} ${namespace}` === 'create jobs lab' } }
        : { gitVersion: 'v1.34.4' };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  };
  const nowhere = { PATH: '/nowhere' };

  test('is the one cluster, under the name of the context, when it takes Jobs', async () => {
    const { server, url } = await apiServer(true);
    const HOME = home(url);
    const found = await findDefaultClusters({ ...nowhere, HOME });
    server.close();
    const place = { context: 'kind-Lap_top', namespace: 'lab', kubeconfig: join(HOME, '.kube/config') };
    expect(found).toEqual([
      {
        ...{ cluster: 'kind-lap-top', kind: 'kubernetes' },
        kubernetes: { ...place, defaultImage: 'busybox:1.37', allowedImages: ['*'] },
      },
    ]);
  });

  test('is left alone when it does not', async () => {
    const { server, url } = await apiServer(false);
    const found = await findDefaultClusters({ ...nowhere, HOME: home(url) });
    server.close();
    expect(found.map(({ kind }) => kind)).toEqual(['local', 'local']);
  });

  test('and when nobody answers there', async () => {
    const found = await findDefaultClusters({ ...nowhere, HOME: home('http://127.0.0.1:9') });
    expect(found.map(({ kind }) => kind)).toEqual(['local', 'local']);
  });
});

test("the agent's file is for its owner alone and holds the token that was stored", async () => {
  let stored = '';
  const file = await writeDefaultCluster({
    cluster: { cluster: 'east', kind: 'local', local: { cpus: 1, memoryMiB: 512 } },
    ...{ dataDir: dir, broker: '127.0.0.1:8471', federation: 'ab2c' },
    create: async (_name, token) => {
      stored = token;
    },
  });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(parse(readFileSync(file, 'utf8'))).toEqual({
    ...{ cluster: 'east', federation: 'ab2c', kind: 'local', broker: '127.0.0.1:8471', token: stored },
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
