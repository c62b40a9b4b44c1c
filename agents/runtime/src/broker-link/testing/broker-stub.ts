import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import {
  AgentServiceService,
  type SessionRequest,
  type SessionResponse,
} from '@switchyard/proto/switchyard/v1/agent.ts';

type FromAgent = NonNullable<SessionRequest['message']>;
type ToAgent = NonNullable<SessionResponse['message']>;
type Value<Case extends FromAgent['$case']> = Extract<FromAgent, { $case: Case }>['value'];

/** The broker's side of the wire as the test wants it: a real gRPC server that says nothing by itself but Welcome. */
export type BrokerStub = {
  readonly address: string;
  /** Tokens of the sessions so far. */
  readonly tokens: string[];
  readonly received: FromAgent[];
  /** The newest session; observations are acknowledged while this is true. */
  acknowledges: boolean;
  refusal: { code: number; details: string } | null;
  send(message: ToAgent): void;
  /** The next message of this kind that `is` holds for, from those received since the stub started. */
  expect<Case extends FromAgent['$case']>(name: Case, is?: (value: Value<Case>) => boolean): Promise<Value<Case>>;
  dropSessions(): void;
  stop(): void;
};

export async function brokerStub(): Promise<BrokerStub> {
  const server = new Server();
  const calls = new Set<ServerDuplexStream<SessionRequest, SessionResponse>>();
  const waiting = new Set<() => void>();
  let sessionEpoch = 0;

  const session = (call: ServerDuplexStream<SessionRequest, SessionResponse>) => {
    calls.add(call);
    stub.tokens.push(String(call.metadata.get('authorization')[0]));
    call.on('error', () => calls.delete(call));
    call.on('cancelled', () => calls.delete(call));
    call.on('end', () => {
      calls.delete(call);
      call.end();
    });
    if (stub.refusal) return call.emit('error', { ...stub.refusal, name: 'Error', message: stub.refusal.details });
    call.on('data', ({ message }: SessionRequest) => {
      if (!message) return;
      stub.received.push(message);
      if (message.$case === 'hello') {
        sessionEpoch += 1;
        call.write({
          message: {
            $case: 'welcome',
            value: { protocolVersion: 1, sessionEpoch, federation: 'fedx', placementNumber: 3 },
          },
        });
      }
      if (message.$case === 'observations' && stub.acknowledges)
        call.write({ message: { $case: 'ack', value: { counter: message.value.counter } } });
      for (const wake of waiting) wake();
    });
  };
  server.addService(AgentServiceService, { session });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );

  const stub: BrokerStub = {
    address: `127.0.0.1:${port}`,
    tokens: [],
    received: [],
    acknowledges: true,
    refusal: null,
    send: (message) => {
      for (const call of calls) call.write({ message });
    },
    expect: async (name, is = () => true) => {
      for (let at = 0; ; at += 1) {
        while (at >= stub.received.length)
          await new Promise<void>((resolve) => {
            const wake = () => {
              waiting.delete(wake);
              resolve();
            };
            waiting.add(wake);
          });
        const message = stub.received[at]!;
        if (message.$case === name && is(message.value as Value<typeof name>))
          return message.value as Value<typeof name>;
      }
    },
    dropSessions: () => {
      // grpc-js takes the status of a stream from an error event.
      for (const call of calls) call.emit('error', { code: 14, details: 'gone', name: 'Error', message: 'gone' });
      calls.clear();
    },
    stop: () => server.forceShutdown(),
  };
  return stub;
}
