import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from '@switchyard/agent-k8s/api-types.ts';
import { type OpenedKubeClient, openKubeClient } from '@switchyard/agent-k8s/client/kube-client.ts';
import { logTails } from '@switchyard/agent-k8s/logs/log-tails.ts';
import { createLogReader, type LogReader, type PodToRead } from '@switchyard/agent-k8s/logs/read-log.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { type KubeCluster, type KubeNode, kubernetesAvailable, startKubeCluster } from './testbed.ts';

const kubernetes = kubernetesAvailable();

describe.skipIf(!kubernetes.ok)(`output of real pods (${kubernetes.why})`, () => {
  let cluster: KubeCluster;
  let node: KubeNode;
  let client: OpenedKubeClient;
  let reader: LogReader;

  beforeAll(async () => {
    cluster = await startKubeCluster({ name: 'logs', nodeMonitorGraceSeconds: 20 });
    node = await cluster.addNode('n1', { cpus: 8 });
    client = await openKubeClient({ kubeconfig: cluster.adminKubeconfig });
    reader = createLogReader(client);
  });
  afterAll(async () => {
    reader?.close();
    await client?.close();
    await cluster?.close();
  });

  /** A pod that runs this script, with its phase as seen from time to time. */
  async function startPod(name: string, script: string, image = cluster.image) {
    const container = { name: 'main', image, imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', script] };
    const spec = { restartPolicy: 'Never', terminationGracePeriodSeconds: 0, containers: [container] };
    await cluster.apply([{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec }]);
    const path = `/api/v1/namespaces/default/pods/${name}`;
    const look = async () => (await cluster.api<Pod>('GET', path).catch(() => null))?.body;
    let seen = await until(`${name} is there`, look);
    const lookAgain = async () => {
      const pod = await look();
      if (pod?.status) seen = pod;
    };
    const watch = setInterval(() => void lookAgain(), 300);
    const state = () => (seen.status?.containerStatuses?.[0] as { state?: Record<string, unknown> } | undefined)?.state;
    const pod: PodToRead = {
      ...{ namespace: 'default', name, uid: seen.metadata.uid! },
      hasStarted: () => state()?.['running'] !== undefined || state()?.['terminated'] !== undefined,
      hasEnded: () => state()?.['terminated'] !== undefined,
    };
    return { ...pod, path, stopLooking: () => clearInterval(watch) };
  }

  async function readAll(pod: PodToRead, { limit = 65_536, waitMs = 2000, from = 0 } = {}) {
    const parts: Buffer[] = [];
    const problems: string[] = [];
    let offset = from;
    for (let pieces = 1; ; pieces += 1) {
      const { data, end, problem } = await reader.read(pod, { offset, limitBytes: limit, waitMs });
      parts.push(Buffer.from(data));
      offset += data.length;
      if (problem !== '') problems.push(problem);
      if (end) return { bytes: Buffer.concat(parts), pieces, problems };
      if (problem !== '') await delay(200);
    }
  }

  it('200,000 lines, followed in pieces while they are written and the API server is killed: every byte once', async () => {
    const loop = 'for (i = 1; i <= 200000; i++) { print i; if (i % 4000 == 0) { fflush(); system("sleep 0.4") } }';
    const pod = await startPod('long', `awk 'BEGIN { ${loop} }'`);
    let done = false;
    const reading = readAll(pod, { limit: 20_000 }).finally(() => {
      done = true;
    });
    await until('it runs', () => pod.hasStarted());
    let kills = 0;
    for (; !done && kills < 4; kills += 1) {
      await delay(2500);
      await cluster.component('apiserver').kill('SIGKILL');
      await cluster.component('apiserver').start();
    }
    const { bytes } = await reading;
    pod.stopLooking();
    expect(kills).toBeGreaterThanOrEqual(3);
    expect(differenceOf(bytes, Buffer.from(numbers(200_000)))).toBeNull();
    // Once more from the beginning, and from somewhere, now that it has ended.
    const again = { ...pod, uid: 'another' };
    expect(differenceOf((await readAll(again)).bytes, bytes)).toBeNull();
    const from = 777_777;
    expect(differenceOf((await readAll({ ...pod, uid: 'third' }, { from })).bytes, bytes.subarray(from))).toBeNull();
    const [tail] = await Array.fromAsync(logTails(client, 'r', [{ ...pod, task: 3, rank: 1, hasFailed: false }]));
    expect(tail).toMatchObject({ runId: 'r', task: 3, rank: 1, offset: bytes.length - 65_536 });
    expect(differenceOf(Buffer.from(tail!.data), bytes.subarray(-65_536))).toBeNull();
  });

  it('goes on after the kubelet was killed', async () => {
    const loop = 'for (i = 1; i <= 30000; i++) { print i; if (i % 1000 == 0) { fflush(); system("sleep 0.3") } }';
    const pod = await startPod('kubelet', `awk 'BEGIN { ${loop} }'`);
    const reading = readAll(pod, { limit: 9_999 });
    await until('it runs', () => pod.hasStarted());
    await delay(2000);
    await node.killKubelet('SIGKILL');
    await node.start();
    const { bytes } = await reading;
    pod.stopLooking();
    expect(differenceOf(bytes, Buffer.from(numbers(30_000)))).toBeNull();
  });

  it('a followed output that the node rotates away behind the reader', async () => {
    const line = 'x'.repeat(90);
    const loop = `for (i = 1; i <= 200000; i++) { print i "${line}"; if (i % 5000 == 0) { fflush(); system("sleep 0.6") } }`;
    const pod = await startPod('rotated', `awk 'BEGIN { ${loop} }'`);
    const { bytes, problems } = await readAll(pod, { limit: 65_536 });
    pod.stopLooking();
    expect(problems).toEqual([]);
    const expected = Array.from({ length: 200_000 }, (_, at) => `${at + 1}${line}\n`).join('');
    expect(differenceOf(bytes, Buffer.from(expected))).toBeNull();
  });

  it('bytes stay as they are', async () => {
    const script = [
      'printf "plain\\n\\n\\n  blanks  \\nfull\\rcarriage\\n\\000\\001\\377\\376 bytes\\n"',
      'echo "2026-11-21T10:00:00.000000000Z not a stamp"',
      ...[16_383, 16_384, 16_385, 32_768, 100_000].map((size) => `head -c ${size} /dev/zero | tr '\\000' x; echo`),
      'sleep 1.2',
      'head -c 40000 /dev/zero | tr "\\000" y',
      'sleep 1.2',
      'printf "no newline at the end"',
    ].join('\n');
    const pod = await startPod('bytes', script);
    const expected = Buffer.concat([
      Buffer.from('plain\n\n\n  blanks  \nfull\rcarriage\n\0\x01\xff\xfe bytes\n', 'latin1'),
      Buffer.from('2026-11-21T10:00:00.000000000Z not a stamp\n'),
      ...[16_383, 16_384, 16_385, 32_768, 100_000].map((size) => Buffer.from(`${'x'.repeat(size)}\n`)),
      Buffer.from(`${'y'.repeat(40_000)}no newline at the end`),
    ]);
    const followed = await readAll(pod, { limit: 5000 });
    expect(differenceOf(followed.bytes, expected)).toBeNull();
    for (const limit of [1000, 16_384, 1_000_000])
      expect(
        differenceOf((await readAll({ ...pod, uid: `${limit}` }, { limit, waitMs: 0 })).bytes, expected),
      ).toBeNull();
    // A reader without a cursor in the middle of a split line.
    expect(
      differenceOf((await readAll({ ...pod, uid: 'm' }, { from: 70_000 })).bytes, expected.subarray(70_000)),
    ).toBeNull();
    pod.stopLooking();
  });

  it('both streams of a container are one output, as the node has written it', async () => {
    const pod = await startPod(
      'both',
      'i=0; while [ $i -lt 300 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done; printf half; exec >&-; sleep 1.5; echo other >&2',
    );
    const { bytes } = await readAll(pod, { limit: 100 });
    const plain = await cluster.kubectl(['logs', 'both']);
    expect(bytes.toString()).toBe(plain.stdout);
    expect((await readAll({ ...pod, uid: 'b' }, { limit: 37, waitMs: 0 })).bytes.toString()).toBe(plain.stdout);
    pod.stopLooking();
  });

  it('what has no output yet, and what is gone', async () => {
    const pod = await startPod('stuck', 'true', 'no.such/image:1');
    expect(await reader.read(pod, { offset: 0, limitBytes: 9, waitMs: 500 })).toMatchObject({
      end: false,
      problem: '',
    });
    const asked = { ...pod, hasStarted: () => true };
    expect(await reader.read(asked, { offset: 0, limitBytes: 9, waitMs: 500 })).toMatchObject({
      end: false,
      problem: '',
    });
    expect(await Array.fromAsync(logTails(client, 'r', [{ ...pod, task: 0, rank: 0, hasFailed: true }]))).toEqual([]);
    pod.stopLooking();
    await cluster.kubectl(['delete', 'pod', 'stuck', '--now']);
    expect(
      await reader.read({ ...asked, hasEnded: () => true }, { offset: 0, limitBytes: 9, waitMs: 0 }),
    ).toMatchObject({
      ...{ end: true, problem: 'the pod stuck is gone, and its output with it' },
    });
  });
});

function numbers(count: number): string {
  return Array.from({ length: count }, (_, at) => `${at + 1}\n`).join('');
}

/** Where two outputs part, for people; null when they are the same. Megabytes are not for expect(). */
function differenceOf(read: Buffer, expected: Buffer): string | null {
  if (read.equals(expected)) return null;
  let at = 0;
  while (at < read.length && read[at] === expected[at]) at += 1;
  const around = (bytes: Buffer) => JSON.stringify(bytes.toString('latin1', Math.max(0, at - 30), at + 60));
  return `${read.length} bytes instead of ${expected.length}; at ${at}: ${around(read)} instead of ${around(expected)}`;
}
