import { Client, type ClientDuplexStream, credentials, Metadata, type StatusObject } from '@grpc/grpc-js';
import {
  AgentServiceClient,
  type Hello,
  type InventoryRun,
  type Offer,
  type RunObservation,
  type SessionRequest,
  type SessionResponse,
  type TaskEnd,
  type Welcome,
} from '@switchyard/proto/switchyard/v1/agent.ts';
import type { CapacityReport } from '@switchyard/proto/switchyard/v1/capacity.ts';

type Message = NonNullable<SessionResponse['message']>;
type Case = Message['$case'];
type ValueOf<C extends Case> = Extract<Message, { $case: C }>['value'];

export type FakeAgentOptions = {
  readonly port: number;
  readonly token: string;
  readonly cluster: string;
  readonly hello?: Partial<Hello>;
  readonly inventory?: readonly InventoryRun[];
  readonly capacity?: CapacityReport | null;
  /** True: every offer runs to success at once, a withdrawal is won, a cancel ends the run, Forget is answered. */
  readonly automatic?: boolean;
};

/** An agent made of nothing but the wire: a test sees every message and says every answer. */
export type FakeAgent = {
  readonly cluster: string;
  /** Everything the broker sent, in order. */
  readonly received: readonly Message[];
  /** Resolves when the broker has welcomed, rejects when it refused. */
  readonly welcome: Promise<Welcome>;
  /** How the stream ended. */
  readonly ended: Promise<StatusObject>;
  /** The `nth` message of this kind that fits, now or later. */
  wait<C extends Case>(kind: C, fits?: (value: ValueOf<C>) => boolean, nth?: number): Promise<ValueOf<C>>;
  send(message: NonNullable<SessionRequest['message']>): void;
  /** Sends one observation message and returns its counter. */
  observe(...observations: Partial<RunObservation>[]): number;
  sendInventory(): void;
  /** Drops the connection without a word. */
  close(): void;
};

export function connectFakeAgent(options: FakeAgentOptions): FakeAgent {
  const client = new AgentServiceClient(`127.0.0.1:${options.port}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${options.token}`);
  const stream: ClientDuplexStream<SessionRequest, SessionResponse> = client.session(metadata);
  const received: Message[] = [];
  const listeners = new Set<() => void>();
  const welcomed = Promise.withResolvers<Welcome>();
  const ended = Promise.withResolvers<StatusObject>();
  welcomed.promise.catch(() => {});
  let counter = 0;
  let open = true;

  const send: FakeAgent['send'] = (message) => {
    if (open) stream.write({ message });
  };
  const observe: FakeAgent['observe'] = (...observations) => {
    counter += 1;
    send({ $case: 'observations', value: { counter, runs: observations.map(observation) } });
    return counter;
  };
  const sendInventory = () => {
    const runs = [...(options.inventory ?? [])];
    do {
      const part = runs.splice(0, 500);
      send({ $case: 'inventory', value: { runs: part, last: runs.length === 0 } });
    } while (runs.length > 0);
    if (options.capacity !== null) send({ $case: 'capacity', value: options.capacity ?? fakeCapacity() });
  };

  stream.on('data', ({ message }: SessionResponse) => {
    if (!message) return;
    received.push(message);
    if (message.$case === 'welcome') {
      welcomed.resolve(message.value);
      sendInventory();
    }
    if (options.automatic) answer(message, { send, observe });
    for (const tell of [...listeners]) tell();
  });
  stream.on('status', (status: StatusObject) => {
    open = false;
    welcomed.reject(new Error(`refused: ${status.details}`));
    ended.resolve(status);
    Client.prototype.close.call(client);
  });
  // Every failure arrives as a status too.
  stream.on('error', () => {});

  send({ $case: 'hello', value: fakeHello(options.cluster, options.hello) });

  return {
    cluster: options.cluster,
    received,
    welcome: welcomed.promise,
    ended: ended.promise,
    send,
    observe,
    sendInventory,
    wait(kind, fits = () => true, nth = 1) {
      return new Promise((resolve) => {
        const look = () => {
          const found = received.filter((message) => message.$case === kind && fits(message.value as never))[nth - 1];
          if (!found) return;
          listeners.delete(look);
          resolve(found.value as never);
        };
        listeners.add(look);
        look();
      });
    },
    close() {
      open = false;
      stream.cancel();
    },
  };
}

/** A cluster of one pool that could run nearly anything. */
function fakeCapacity(cpus = 64): CapacityReport {
  const amounts = { nodes: 4, cpus, memoryMib: 256_000, gpus: 0 };
  const slot = { cpus: Math.ceil(cpus / 4), memoryMib: 64_000, gpus: 0 };
  return {
    total: amounts,
    free: amounts,
    runningJobs: 0,
    waitingJobs: 0,
    pools: [
      {
        name: 'main',
        isDefault: true,
        up: true,
        nativeState: 'up',
        total: amounts,
        free: amounts,
        largestNode: slot,
        largestFreeSlot: slot,
        gpuTypes: [],
        features: [],
        runningJobs: 0,
        waitingJobs: 0,
        waitingCpus: 0,
        waitingCpuSeconds: 0,
        steps: [],
      },
    ],
    software: 'fake 1',
    notes: [],
  };
}

/** What an inventory says of a run that was once offered. */
export function inventoryRun(offer: Offer, known: Partial<RunObservation>, forgotten = false): InventoryRun {
  const { jobId, jobNumber, attempt, tasks, specHash, runId, placementNumber } = offer;
  return {
    observation: observation({ runId, placementNumber, ...known }),
    jobId,
    jobNumber,
    attempt,
    tasks,
    specHash,
    forgotten,
  };
}

export function taskEnd(end: Partial<TaskEnd>): TaskEnd {
  return { outcome: 'succeeded', reason: '', exitCode: 0, signal: '', detail: '', tasks: '0', host: 'n1', ...end };
}

function fakeHello(cluster: string, given: Partial<Hello> = {}): Hello {
  return {
    protocolVersion: 1,
    cluster,
    kind: 'slurm',
    fingerprint: `slurm:${cluster}@fake`,
    agentVersion: '0.1.0',
    highestPlacementNumber: 0,
    filesystems: [{ id: 'root', pathPrefix: '/' }],
    labels: {},
    backlog: 200,
    allowedNativeOptions: [],
    ...given,
  };
}

function observation(known: Partial<RunObservation>): RunObservation {
  return {
    runId: '',
    placementNumber: 0,
    nativeId: '',
    nativeSubmittedAtMs: 0,
    nativeState: '',
    nativeReason: '',
    started: '',
    ends: [],
    stdoutPath: '',
    stderrPath: '',
    startedAtMs: 0,
    placed: true,
    nativePool: 'main',
    ...known,
  };
}

/** The shortest honest life of a run. */
function answer(message: Message, { send, observe }: Pick<FakeAgent, 'send' | 'observe'>): void {
  if (message.$case === 'offer') {
    const { runId, placementNumber, tasks } = message.value;
    const known = { runId, placementNumber, nativeId: `n${placementNumber}` };
    observe({ ...known, nativeState: 'PENDING' });
    observe({ ...known, nativeState: 'RUNNING', started: tasks, startedAtMs: Date.now() });
    observe({ ...known, nativeState: 'COMPLETED', started: tasks, ends: [taskEnd({ tasks })] });
  }
  if (message.$case === 'forget') send({ $case: 'forgotten', value: { runIds: message.value.runIds } });
}
