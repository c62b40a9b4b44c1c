import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

export type Attempt = {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | undefined;
  readonly timeoutMs: number;
  /** Whether the time limit covers the body too, or ends with the first line of the answer. */
  readonly limits: 'whole' | 'opening';
  readonly signal: AbortSignal | undefined;
};

export type Answer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly message: IncomingMessage;
};

/** No whole answer came. `sent`: bytes of the request may have reached the server. */
export class NoAnswer extends Error {
  readonly why: 'unreachable' | 'timeout' | 'stopped';
  readonly sent: boolean;
  constructor(why: 'unreachable' | 'timeout' | 'stopped', sent: boolean, sentence: string, cause?: unknown) {
    super(sentence, { cause });
    this.why = why;
    this.sent = sent;
  }
}

const LARGEST_BODY_BYTES = 256 * 1024 * 1024;

/** Sends once and waits for the head of the answer. Rejects with NoAnswer only. */
export async function send(agent: http.Agent, attempt: Attempt): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const request = startRequest(agent, attempt);
  let sent = false;
  let message: IncomingMessage | undefined;

  /** Before the answer's head the request is torn down, afterwards the body: whoever reads it gets the problem. */
  const stop = (problem: NoAnswer) => (message ?? request).destroy(problem);
  const timer = setTimeout(
    () => stop(new NoAnswer('timeout', sent, `No answer within ${attempt.timeoutMs} ms.`)),
    attempt.timeoutMs,
  );
  const onAbort = () => stop(new NoAnswer('stopped', sent, 'The caller no longer waits for the answer.'));
  const release = () => {
    clearTimeout(timer);
    attempt.signal?.removeEventListener('abort', onAbort);
  };
  attempt.signal?.addEventListener('abort', onAbort, { once: true });

  request.on('socket', (socket) => whenReady(socket, request.reusedSocket, () => (sent = true)));
  request.on('error', (error) => {
    release();
    reject(asNoAnswer(error, sent));
  });
  request.on('response', (incoming) => {
    message = incoming;
    // Errors reach whoever reads the body; nobody reads a body that was given up.
    incoming.on('error', () => {});
    if (attempt.limits === 'opening') clearTimeout(timer);
    incoming.once('close', release);
    resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, message: incoming });
  });
  if (attempt.signal?.aborted) onAbort();
  else request.end(attempt.body);
  return promise;
}

/** The whole body as text. Rejects with NoAnswer when it breaks off: half an answer is none. */
export async function readBody(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > LARGEST_BODY_BYTES)
        throw new NoAnswer('unreachable', true, `An answer above ${LARGEST_BODY_BYTES} bytes.`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw asNoAnswer(error, true);
  }
  return Buffer.concat(chunks, bytes).toString('utf8');
}

export function asNoAnswer(error: unknown, sent: boolean): NoAnswer {
  if (error instanceof NoAnswer) return error;
  const cause = error as NodeJS.ErrnoException;
  const words = [cause.code, cause.message].filter(Boolean).join(': ');
  return new NoAnswer('unreachable', sent, `The connection failed: ${words || 'no reason given'}.`, error);
}

/** A certificate that cannot be used, half written perhaps, throws here: nothing was sent. */
function startRequest(agent: http.Agent, attempt: Attempt): http.ClientRequest {
  const { request } = attempt.url.protocol === 'https:' ? https : http;
  try {
    return request(attempt.url, { agent, method: attempt.method, headers: headersOf(attempt) });
  } catch (error) {
    throw asNoAnswer(error, false);
  }
}

function headersOf(attempt: Attempt): http.OutgoingHttpHeaders {
  if (attempt.body === undefined) return { ...attempt.headers } as http.OutgoingHttpHeaders;
  return { ...attempt.headers, 'content-length': Buffer.byteLength(attempt.body) } as http.OutgoingHttpHeaders;
}

/**
 * Calls back when what is written may reach the server: at once on a connection that is kept alive, else when it is
 * connected and, with TLS, the server has proven who it is. In doubt at once.
 */
function whenReady(socket: Socket, reused: boolean, ready: () => void): void {
  socket.setKeepAlive(true, 15_000);
  const handshaking =
    socket instanceof TLSSocket && (socket as { secureConnecting?: boolean }).secureConnecting === true;
  if (reused || !(socket.connecting || handshaking)) ready();
  else socket.once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', ready);
}
