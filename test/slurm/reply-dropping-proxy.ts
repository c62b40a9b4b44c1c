import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What commands ask of slurmctld, by slurm_protocol_defs.h (unchanged from 20.11 to 25.05). */
const KINDS: Readonly<Record<number, SlurmCallKind>> = {
  1008: 'ping',
  2001: 'build_info',
  2003: 'job_info',
  2005: 'job_step_info',
  2007: 'node_info',
  2009: 'partition_info',
  2021: 'job_info_single',
  3001: 'update_job',
  4001: 'allocate',
  4003: 'submit_batch',
  5005: 'cancel_step',
  5032: 'kill_job',
};
export type SlurmCallKind =
  | 'ping'
  | 'build_info'
  | 'job_info'
  | 'job_step_info'
  | 'node_info'
  | 'partition_info'
  | 'job_info_single'
  | 'update_job'
  | 'allocate'
  | 'submit_batch'
  | 'cancel_step'
  | 'kill_job'
  | 'other';

type SlurmCall = { readonly kind: SlurmCallKind; readonly type: number; readonly number: number };

/**
 * `close` and `stall` let the request through and wait for the controller's reply before they throw it away; `refuse`
 * closes before the controller hears anything.
 */
type ProxyVerdict = 'pass' | 'close' | 'stall' | 'refuse';

export type ReplyDroppingProxy = {
  readonly port: number;
  /** How often each kind was seen, and how often its reply was thrown away. */
  readonly seen: ReadonlyMap<SlurmCallKind, { calls: number; dropped: number }>;
  /** Replaces the rule from the next call on. */
  decide(rule: (call: SlurmCall) => ProxyVerdict): void;
  stop(): Promise<void>;
};

/** Stands between the Slurm commands and slurmctld and loses answers after the request went through. */
export async function startReplyDroppingProxy(targetPort: number): Promise<ReplyDroppingProxy> {
  let rule: (call: SlurmCall) => ProxyVerdict = () => 'pass';
  const seen = new Map<SlurmCallKind, { calls: number; dropped: number }>();
  const open = new Set<Socket>();
  const server = createServer((client) => {
    keep(open, client);
    readRequest(client, (request, type) => {
      const kind = KINDS[type] ?? 'other';
      const count = seen.get(kind) ?? { calls: 0, dropped: 0 };
      seen.set(kind, count);
      count.calls += 1;
      const verdict = rule({ kind, type, number: count.calls });
      if (verdict !== 'pass') count.dropped += 1;
      if (verdict === 'refuse') return client.destroy();
      const controller = connect({ port: targetPort, host: '127.0.0.1' });
      keep(open, controller);
      controller.write(request);
      if (verdict === 'pass') return join(client, controller);
      controller.once('data', () => {
        controller.destroy();
        if (verdict === 'close') client.destroy();
      });
      controller.once('error', () => client.destroy());
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    decide: (next) => {
      rule = next;
    },
    stop: async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A message is its length in four bytes, then a header of version, flags and type in two bytes each (pack_header()). */
function readRequest(client: Socket, then: (request: Buffer, type: number) => void): void {
  let buffered = Buffer.alloc(0);
  const take = (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    if (buffered.length < 10 || buffered.length < 4 + buffered.readUInt32BE(0)) return;
    client.off('data', take);
    client.pause();
    then(buffered, buffered.readUInt16BE(8));
  };
  client.on('data', take);
}

function join(client: Socket, controller: Socket): void {
  client.pipe(controller);
  controller.pipe(client);
  client.once('close', () => controller.destroy());
  controller.once('close', () => client.destroy());
}

function keep(open: Set<Socket>, socket: Socket): void {
  open.add(socket);
  socket.on('error', () => socket.destroy());
  socket.once('close', () => open.delete(socket));
}
