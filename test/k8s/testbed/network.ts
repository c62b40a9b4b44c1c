import { randomInt } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Daemon, startDaemon } from '../../slurm/daemon.ts';
import { type Ran, runProgram } from '../../slurm/run-program.ts';
import { until } from '../../support/until.ts';

/**
 * A network of one cluster: a network namespace that is joined to the host by one cable. Everything of the cluster listens
 * in there, on the ports that people know; clusters do not meet, and the kernel removes all of it with the namespace.
 */
export type Network = {
  /** Where the API server and the name server listen; the host reaches it. */
  readonly address: string;
  /** Address of the `at`-th node, from 1. */
  addNodeAddress(at: number): Promise<string>;
  /** What to put before a command so that it runs in there. */
  readonly inside: readonly string[];
  close(): Promise<void>;
};

/** Nodes have .11 and on of a network with 24 bits. */
const NODES_MAX = 200;

export async function startNetwork(dir: string): Promise<Network> {
  const env = process.env;
  const holder = startDaemon(['unshare', '--net', 'sleep', 'infinity'], env, join(dir, 'network.log'));
  const inside = ['nsenter', `--net=/proc/${holder.pid}/ns/net`, '--'];
  try {
    await until('a network namespace', () => namespaceOf(holder.pid) !== namespaceOf('self'), { everyMs: 5 });
    const { cable, net } = await plugIn(holder);
    const steps = [
      ['ip', 'address', 'add', `${net}.1/24`, 'dev', cable],
      ['ip', 'link', 'set', cable, 'up'],
      [...inside, 'ip', 'link', 'set', 'lo', 'up'],
      [...inside, 'ip', 'address', 'add', `${net}.2/24`, 'dev', 'eth0'],
      [...inside, 'ip', 'link', 'set', 'eth0', 'up'],
      [...inside, 'ip', 'route', 'add', 'default', 'via', `${net}.1`],
      // Pods of two nodes reach each other through here.
      [...inside, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward'],
    ];
    for (const step of steps) await must(step);
    return {
      address: `${net}.2`,
      inside,
      addNodeAddress: async (at) => {
        if (at > NODES_MAX) throw new Error(`a cluster of the test bed has at most ${NODES_MAX} real nodes`);
        const address = `${net}.${10 + at}`;
        await must([...inside, 'ip', 'address', 'replace', `${address}/24`, 'dev', 'eth0']);
        return address;
      },
      close: async () => {
        // The kernel removes the cable with the namespace, but in its own time.
        await runProgram(['ip', 'link', 'delete', cable]);
        await holder.stop('SIGKILL');
      },
    };
  } catch (error) {
    await holder.stop('SIGKILL');
    throw error;
  }
}

/**
 * The name of the cable claims the addresses: a name exists once. They are from 198.18.0.0/15, which is set aside for test
 * beds (RFC 2544) and so is nobody's network; a kubelet refuses loopback and link-local ones.
 */
async function plugIn(holder: Daemon): Promise<{ cable: string; net: string }> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const number = randomInt(512);
    const cable = `yard-kube${number}`;
    const ran = await runProgram([
      'ip',
      'link',
      'add',
      cable,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      String(holder.pid),
    ]);
    if (ran.code === 0) return { cable, net: `198.${18 + (number >> 8)}.${number & 255}` };
    if (!/File exists/.test(ran.stderr)) throw failed(['ip', 'link', 'add', cable], ran);
  }
  throw new Error('no free network for a cluster of the test bed: 512 exist');
}

async function must(argv: readonly string[]): Promise<void> {
  const ran = await runProgram(argv);
  if (ran.code !== 0) throw failed(argv, ran);
}

function failed(argv: readonly string[], ran: Ran): Error {
  return new Error(`${argv.join(' ')} ended with ${ran.code}: ${ran.stderr}`);
}

function namespaceOf(pid: number | 'self'): string {
  return readlinkSync(`/proc/${pid}/ns/net`);
}
