import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENDED, type JobView } from '../support/api.ts';
import { until } from '../support/until.ts';
import { AGENTS, type DeployedAgent, deployAgent } from './deployed-agent.ts';
import { JOBS } from './kube-world.ts';
import { kubernetesAvailable } from './testbed.ts';

const kubernetes = kubernetesAvailable();

describe.skipIf(!kubernetes.ok)(`the shipped deployment on a real Kubernetes (${kubernetes.why})`, () => {
  let world: DeployedAgent;
  beforeAll(async () => {
    world = await deployAgent();
  }, 240_000);
  afterAll(() => world?.close(), 60_000);

  const submit = (script: string) => world.federation.api.submit({ script: `#!/bin/sh\n${script}\n` });
  const ended = ({ id }: JobView) =>
    until(
      'the job has ended',
      async () => {
        const job = await world.federation.api.job(id);
        return ENDED.has(job.state) && job;
      },
      { timeoutMs: 90_000, describe: () => world.federation.api.job(id) },
    );

  it('is Ready when it has a session with the broker and the cluster answers it', async () => {
    const pod = await world.untilReady(0);
    expect(pod.spec.serviceAccountName).toBe('switchyard-agent');
    const { body } = await world.federation.api.call<{ items: { name: string }[] }>('GET', '/v1/clusters');
    expect(body.items).toMatchObject([{ name: 'k8s', kind: 'kubernetes' }]);
  });

  it('runs as nobody in particular, with no right beyond, on files that it cannot write', async () => {
    const { stdout, stderr } = await world.inside(`
      const { readFileSync, writeFileSync } = require('node:fs');
      const status = readFileSync('/proc/1/status', 'utf8');
      const field = (name) => new RegExp('^' + name + ':\\\\s*(.*)$', 'm').exec(status)[1];
      const write = (path) => { try { writeFileSync(path, ''); return 'written'; } catch ({ code }) { return code; } };
      console.log(JSON.stringify({
        uid: field('Uid').split('\\t')[0], gid: field('Gid').split('\\t')[0], capabilities: field('CapBnd'),
        noNewPrivileges: field('NoNewPrivs'), seccomp: field('Seccomp'),
        own: write('/opt/switchyard/agent.js'), root: write('/somewhere'), state: write('/var/lib/switchyard/by-test'),
      }))`);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      ...{ uid: '65532', gid: '65532', capabilities: '0000000000000000', noNewPrivileges: '1', seccomp: '2' },
      ...{ own: 'EROFS', root: 'EROFS', state: 'written' },
    });
  });

  it('runs a job from the endpoint in the cluster and reads its output', async () => {
    const job = await ended(await submit('echo hello from "$YARD_CLUSTER"; exit 7'));
    expect(job).toMatchObject({ state: 'failed', reason: 'exit_code', exitCode: 7, cluster: 'k8s' });
    expect(job.nativeId).toMatch(new RegExp(`^${JOBS}/yd`));
    const { body } = await world.federation.api.call('GET', `/v1/jobs/${job.number}/logs`);
    expect(body).toBe('hello from k8s\n');
  });

  it('is started again when it is killed, and goes on with what runs', async () => {
    const job = await submit('sleep 12; echo through');
    await until('it runs', async () => (await world.federation.api.job(job.id)).state === 'running');
    const { status } = await world.pod();
    const id = status.containerStatuses![0]!.containerID.replace('containerd://', '');
    const killed = await world.node.run(['ctr', '-n', 'k8s.io', 'tasks', 'kill', '-s', 'SIGKILL', id]);
    expect(killed.stderr).toBe('');
    await world.untilReady(1);
    const after = await ended(job);
    expect(after).toMatchObject({ state: 'succeeded', runs: [{ attempt: 1 }] });
    const { body } = await world.federation.api.call('GET', `/v1/jobs/${job.number}/logs`);
    expect(body).toBe('through\n');
  });

  it('says of itself that all is well, beside the agent that runs', async () => {
    const { stdout, code } = await world.inside(`
      const { spawnSync } = require('node:child_process');
      const argv = ['/opt/switchyard/agent.js', 'check', '/etc/switchyard/agent.yaml'];
      process.exitCode = spawnSync('node', argv, { stdio: 'inherit' }).status;`);
    expect(stdout).toContain('All is well.');
    expect(stdout).toMatch(/✔ federation +[a-z2-7]{4};/);
    expect(code).toBe(0);
  });

  // Not that it is enforced: the network plugin of the test bed enforces none.
  it('has a network policy that the API server takes', async () => {
    expect(world.applied).toContain('networkpolicy.networking.k8s.io/switchyard-agent created');
    const path = `/apis/networking.k8s.io/v1/namespaces/${AGENTS}/networkpolicies/switchyard-agent`;
    const { body } = await world.kube.api<{ spec: { policyTypes: string[]; ingress?: unknown[] } }>('GET', path);
    expect(body.spec.policyTypes).toEqual(['Ingress', 'Egress']);
    expect(body.spec.ingress ?? []).toEqual([]);
  });

  it('is small', async () => {
    const { stdout } = await world.inside("console.log(require('node:fs').readFileSync('/proc/1/status', 'utf8'))");
    const residentMiB = Math.round(Number(/VmRSS:\s*(\d+) kB/.exec(stdout)![1]) / 1024);
    const { body } = await world.kube.api<{ items: unknown[] }>('GET', `/api/v1/namespaces/${AGENTS}/pods`);
    expect(body.items).toHaveLength(1);
    console.log(`image ${Math.round(world.imageBytes / 2 ** 20)} MiB, agent ${residentMiB} MiB resident`);
    expect(residentMiB).toBeLessThan(180);
  });
});
