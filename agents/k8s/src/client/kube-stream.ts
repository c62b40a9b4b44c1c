import type { IncomingMessage } from 'node:http';
import { KubeError } from './kube-error.ts';
import type { KubeRequest } from './kube-request.ts';
import { asNoAnswer } from './transport.ts';

/** Bytes of a watch or a log. Ends when the server ends it or after `close`; throws KubeError when it is cut. */
export type KubeStream = AsyncIterable<Buffer> & { close(): void };

export function openedStream(what: KubeRequest, message: IncomingMessage): KubeStream {
  let closed = false;
  const chunks = async function* (): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of message as AsyncIterable<Buffer>) yield chunk;
    } catch (error) {
      if (!closed) throw cut(what, error);
    }
  };
  return {
    [Symbol.asyncIterator]: chunks,
    close: () => {
      closed = true;
      message.destroy();
    },
  };
}

function cut(what: KubeRequest, error: unknown): KubeError {
  const { why, message, cause } = asNoAnswer(error, true);
  const kind = why === 'unreachable' ? 'unreachable' : 'timeout';
  return new KubeError({ kind, asked: `${what.verb} ${what.path}`, sentence: `Cut off. ${message}`, cause });
}
