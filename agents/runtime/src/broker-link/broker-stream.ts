import { type ChannelOptions, Metadata } from '@grpc/grpc-js';
import {
  AgentServiceClient,
  type SessionRequest,
  type SessionResponse,
} from '@switchyard/proto/switchyard/v1/agent.ts';
import type { AgentConfig } from '../agent-config.ts';
import { channelCredentials, channelIdentity } from './credentials.ts';

export type ToBroker = NonNullable<SessionRequest['message']>;
export type FromBroker = NonNullable<SessionResponse['message']>;

export type StreamEnd = { readonly code: number; readonly sentence: string };

/** One stream to the broker as plain operations. */
export type BrokerStream = {
  /** Resolves when the broker takes more; silently does nothing once the stream has ended. */
  write(message: ToBroker): Promise<void>;
  close(): void;
  readonly ended: Promise<StreamEnd>;
};

/** A script of 1 MiB, its environment and its JSON escapes fit, as at the broker. */
const MOST_BYTES = 8 * 1024 * 1024;
const OPTIONS: ChannelOptions = {
  'grpc.max_receive_message_length': MOST_BYTES,
  'grpc.max_send_message_length': MOST_BYTES,
  'grpc.keepalive_time_ms': 15_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.enable_retries': 0,
};

export function openBrokerStream(config: AgentConfig, receive: (message: FromBroker) => void): BrokerStream {
  const client = new AgentServiceClient(config.broker, channelCredentials(config), {
    ...OPTIONS,
    ...channelIdentity(config),
  });
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${config.token}`);
  const call = client.session(metadata);
  let open = true;
  const drained: (() => void)[] = [];

  const ended = new Promise<StreamEnd>((resolve) => {
    const finish = (end: StreamEnd) => {
      open = false;
      for (const wake of drained.splice(0)) wake();
      client.close();
      resolve(end);
    };
    call.on('error', (error: Error & { code?: number; details?: string }) =>
      finish({ code: error.code ?? 2, sentence: error.details || error.message }),
    );
    call.on('end', () => finish({ code: 0, sentence: 'the broker ended the session' }));
  });
  call.on('data', ({ message }: SessionResponse) => message && receive(message));
  call.on('drain', () => {
    for (const wake of drained.splice(0)) wake();
  });

  return {
    ended,
    write: async (message) => {
      if (!open || call.write({ message })) return;
      await new Promise<void>((resolve) => drained.push(resolve));
    },
    close: () => call.cancel(),
  };
}
