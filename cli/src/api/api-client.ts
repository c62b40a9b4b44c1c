import { setTimeout as delay } from 'node:timers/promises';
import { plainText } from '../format/plain-text.ts';
import { ApiFailure, NoAnswer, type Problem } from './api-failure.ts';
import { readServerEvents, type ServerEvent } from './server-events.ts';

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

type Call = {
  readonly method?: 'GET' | 'POST';
  readonly query?: Query | undefined;
  readonly body?: unknown;
  readonly idempotencyKey?: string;
  /** Whether asking twice does the same as asking once. Only then is a lost answer asked for again. */
  readonly repeatable: boolean;
  readonly signal?: AbortSignal | undefined;
};

/** The broker's REST interface, over one connection's address and token. */
export class ApiClient {
  readonly url: string;
  readonly #token: string;
  readonly #timeoutMs: number;
  readonly #firstPauseMs: number;

  constructor(options: { url: string; token: string; timeoutMs?: number; firstPauseMs?: number }) {
    this.url = options.url.replace(/\/+$/, '');
    this.#token = options.token;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#firstPauseMs = options.firstPauseMs ?? 200;
  }

  get<Answer>(path: string, query?: Query, signal?: AbortSignal): Promise<Answer> {
    return this.#json<Answer>(path, { query, repeatable: true, signal });
  }

  /** A change that may be asked for again, because asking for it twice does no more than once. */
  put<Answer>(path: string, body?: unknown, query?: Query): Promise<Answer> {
    return this.#json<Answer>(path, { method: 'POST', body, query, repeatable: true });
  }

  /** A change that is asked for once: when the answer is lost, nobody knows whether it happened. */
  once<Answer>(path: string, body?: unknown): Promise<Answer> {
    return this.#json<Answer>(path, { method: 'POST', body, repeatable: false });
  }

  /** Submits under a key, so that the repetition after a lost answer finds the first one's job. */
  submit<Answer>(path: string, body: unknown, query?: Query): Promise<Answer> {
    return this.#json<Answer>(path, {
      method: 'POST',
      body,
      query,
      idempotencyKey: crypto.randomUUID(),
      repeatable: true,
    });
  }

  bytes(path: string, query: Query, signal?: AbortSignal): Promise<{ data: Uint8Array; headers: Headers }> {
    return this.#repeated({ query, repeatable: true, signal }, path, async (response) => ({
      data: await response.bytes(),
      headers: response.headers,
    }));
  }

  /** Server-sent events until the broker or the signal ends them; throws NoAnswer when the connection breaks. */
  async *events(path: string, query: Query, signal: AbortSignal): AsyncGenerator<ServerEvent> {
    try {
      const response = await fetch(this.#address(path, query), {
        headers: { ...this.#headers({ repeatable: true }), accept: 'text/event-stream' },
        signal,
      });
      if (!response.ok) throw await failureOf(response);
      if (response.body) yield* readServerEvents(response.body);
    } catch (error) {
      if (error instanceof ApiFailure || signal.aborted) throw error;
      throw this.#noAnswer(error);
    }
  }

  #json<Answer>(path: string, call: Call): Promise<Answer> {
    return this.#repeated(call, path, async (response) => parse<Answer>(await response.text(), this.url));
  }

  /** Four times at most, with growing pauses: long enough for a broker that restarts, short enough for a person. */
  async #repeated<Answer>(call: Call, path: string, read: (response: Response) => Promise<Answer>): Promise<Answer> {
    for (let attempt = 0; ; attempt += 1) {
      const last = attempt === 3 || !call.repeatable;
      let pauseMs = this.#firstPauseMs * 2 ** attempt * (0.75 + Math.random() / 2);
      try {
        const response = await fetch(this.#address(path, call.query), this.#request(call));
        if (response.ok) return await read(response);
        const failure = await failureOf(response);
        if (last || !PASSING.has(response.status)) throw failure;
        pauseMs = Math.max(pauseMs, retryAfterMs(response));
      } catch (error) {
        if (error instanceof ApiFailure || error instanceof NoAnswer || call.signal?.aborted) throw error;
        if (last) throw this.#noAnswer(error, call);
      }
      await delay(pauseMs, undefined, { signal: call.signal });
    }
  }

  #request(call: Call): RequestInit {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    return {
      method: call.method ?? 'GET',
      headers: this.#headers(call),
      // A redirect could lead the token elsewhere.
      redirect: 'error',
      signal: call.signal ? AbortSignal.any([call.signal, timeout]) : timeout,
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    };
  }

  #headers({ body, idempotencyKey }: Call): Record<string, string> {
    return {
      authorization: `Bearer ${this.#token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    };
  }

  #address(path: string, query: Query = {}): URL {
    const address = new URL(`${this.url}${path}`);
    for (const [name, value] of Object.entries(query))
      for (const each of [value].flat()) if (each !== undefined) address.searchParams.append(name, String(each));
    return address;
  }

  #noAnswer(error: unknown, call?: Call): NoAnswer {
    const unclear =
      call?.method === 'POST' && !call.repeatable && !neverSent(error)
        ? ' Whether it was done is not known: look before you repeat it.'
        : '';
    return new NoAnswer(`No answer from the broker at ${plainText(this.url)}: ${cause(error)}.${unclear}`, {
      hint: 'Is it running (`npm start`)? `yard login --url URL`, --context and YARD_URL choose another.',
      cause: error,
    });
  }
}

/** Statuses that pass by themselves. */
const PASSING = new Set([429, 502, 503, 504]);

function retryAfterMs(response: Response): number {
  const seconds = Number(response.headers.get('retry-after') ?? 0);
  return Number.isFinite(seconds) ? Math.min(seconds, 10) * 1000 : 0;
}

async function failureOf(response: Response): Promise<ApiFailure> {
  const body = await response.text().catch(() => '');
  try {
    const problem: unknown = JSON.parse(body);
    return new ApiFailure(response.status, typeof problem === 'object' && problem !== null ? (problem as Problem) : {});
  } catch {
    return new ApiFailure(response.status, {});
  }
}

function parse<Answer>(body: string, url: string): Answer {
  try {
    return JSON.parse(body) as Answer;
  } catch {
    throw new NoAnswer(`What answers at ${plainText(url)} is not a Switchyard broker: its reply is not JSON.`);
  }
}

/** The connection was refused or never found, so nothing can have been done. */
function neverSent(error: unknown): boolean {
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'].includes(codeOf(error) ?? '');
}

function cause(error: unknown): string {
  if ((error as Error)?.name === 'TimeoutError') return 'it took too long';
  const code = codeOf(error);
  if (code !== undefined && code in causes) return causes[code]!;
  const { message } = ((error as Error)?.cause ?? error) as Error;
  return plainText(code ?? message ?? String(error));
}

const causes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'its host name is not known',
  EAI_AGAIN: 'its host name cannot be looked up now',
  ECONNRESET: 'the connection broke',
  UND_ERR_SOCKET: 'the connection broke',
};

/** fetch hides the system's error in `cause`, and several attempts on one name in an AggregateError there. */
function codeOf(error: unknown): string | undefined {
  const inner = (error as { cause?: { code?: string; errors?: { code?: string }[] } })?.cause;
  return inner?.code ?? inner?.errors?.[0]?.code;
}
