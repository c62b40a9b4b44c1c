import type { ServerDuplexStream, status } from '@grpc/grpc-js';
import type { SessionRequest, SessionResponse } from '@switchyard/proto/switchyard/v1/agent.ts';

export type AgentCall = ServerDuplexStream<SessionRequest, SessionResponse>;
export type FromAgent = NonNullable<SessionRequest['message']>;
export type ToAgent = NonNullable<SessionResponse['message']>;
export type StatusCode = (typeof status)[keyof typeof status];

export type AgentStream = {
  /** Everything that arrived since the last call, at least one message; null once the stream has ended. */
  read(): Promise<FromAgent[] | null>;
  /** Resolves when the agent takes more: one that reads slowly slows only its own session. */
  write(message: ToAgent): Promise<void>;
  /** Ends the stream with this status; only the first call counts. */
  close(code: StatusCode, details: string): void;
  isOpen(): boolean;
};

/** Messages that may wait here before the agent is told to stop sending. */
const MAX_WAITING = 64;

/** One gRPC call as two plain operations, with backpressure both ways. */
export function agentStream(call: AgentCall): AgentStream {
  let open = true;
  let waiting: FromAgent[] = [];
  let reader: (() => void) | undefined;
  let writable: (() => void) | undefined;

  const wakeReader = () => {
    reader?.();
    reader = undefined;
  };
  const wakeWriter = () => {
    writable?.();
    writable = undefined;
  };
  const ended = () => {
    open = false;
    wakeReader();
    wakeWriter();
  };

  call.on('data', ({ message }: SessionRequest) => {
    if (!message || !open) return;
    waiting.push(message);
    if (waiting.length >= MAX_WAITING) call.pause();
    wakeReader();
  });
  call.on('drain', wakeWriter);
  call.on('end', () => {
    if (open) call.end();
    ended();
  });
  call.on('cancelled', ended);
  call.on('error', ended);

  return {
    isOpen: () => open,
    async read() {
      while (waiting.length === 0) {
        if (!open) return null;
        await new Promise<void>((resolve) => {
          reader = resolve;
        });
      }
      const messages = waiting;
      waiting = [];
      call.resume();
      return messages;
    },
    async write(message) {
      if (!open || call.write({ message })) return;
      await new Promise<void>((resolve) => {
        const before = writable;
        writable = () => {
          before?.();
          resolve();
        };
      });
    },
    close(code, details) {
      if (!open) return;
      ended();
      // grpc-js takes the status of a stream from an error event (grpc-js docs, ServerDuplexStream).
      call.emit('error', { name: 'SessionClosed', message: details, code, details });
    },
  };
}
