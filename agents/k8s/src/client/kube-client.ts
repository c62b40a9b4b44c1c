import { setTimeout as pause } from 'node:timers/promises';
import { answerError } from './answer-error.ts';
import { confirmRefusal } from './confirm-refusal.ts';
import { type Credentials, openCredentials } from './credentials.ts';
import type { KubeAccess } from './kube-access.ts';
import { createKubeAgents } from './kube-agent.ts';
import { KubeError } from './kube-error.ts';
import { type KubeRequest, type Lane, repeatIsHarmless } from './kube-request.ts';
import { type KubeStream, openedStream } from './kube-stream.ts';
import type { AccessOptions } from './load-access.ts';
import { createRateLimiter } from './rate-limiter.ts';
import { retryDelayMs } from './retry.ts';
import { type Answer, asNoAnswer, NoAnswer, readBody, send } from './transport.ts';
import { headersOf, noAnswerError, parsedBody, urlOf } from './wire-request.ts';

export type KubeClientOptions = AccessOptions & {
  readonly requestsPerSecond?: number | undefined;
  readonly burst?: number | undefined;
  /** Requests under way at the same time; watches and log follows count only while they are opened. */
  readonly concurrency?: number | undefined;
  readonly requestTimeoutMs?: number | undefined;
  readonly log?: { warn(sentence: string): void } | undefined;
};

/** Requests to one API server. Everything that goes wrong is a KubeError. */
export type KubeClient = {
  /**
   * The parsed JSON of a 2xx answer (text for `text/plain`). What may help is tried again until `giveUpMs` after the
   * first attempt began (default 30 s, 0: never): 429 as the server says, refused connections, and, if a repeat is
   * harmless (kube-request.ts), also 5xx, resets and timeouts.
   */
  request<Value>(what: KubeRequest): Promise<Value>;
  /** The same, and whether an earlier attempt may have been carried out: a 201 then follows a possible first create. */
  requestWithHistory<Value>(what: KubeRequest): Promise<{ readonly value: Value; readonly unclearBefore: boolean }>;
  /** The body as it comes; the limits hold for opening it. */
  stream(what: KubeRequest): Promise<KubeStream>;
  /** Ends what is under way. */
  close(): Promise<void>;
};

export type OpenedKubeClient = KubeClient & {
  readonly server: string;
  readonly context: string;
  /** Namespace that the context or the service account names. */
  readonly namespace: string | undefined;
  /** Attempts sent so far, by verb; the price of a job is read here. */
  requestCounts(): Readonly<Record<string, number>>;
};

const GIVE_UP_MS = 30_000;
/**
 * In a crowd runs are handed over first, so that the cluster has them all; what frees or stops something keeps its turns beside
 * them. A start makes ten requests of the cluster's own, and what ended runs leave behind can wait (decision 10).
 */
const WEIGHTS: Readonly<Record<Lane | KubeRequest['verb'], number>> = {
  ...{ submit: 32, start: 1, tidy: 1 },
  ...{ GET: 4, POST: 4, PUT: 4, PATCH: 4, DELETE: 4 },
};
/** What a 429 without Retry-After asks for. */
const PAUSE_MS = 1_000;

/** Throws a sentence when the configuration does not lead to a server; does not speak to it yet. */
export async function openKubeClient(options: KubeClientOptions): Promise<OpenedKubeClient> {
  const credentials = await openCredentials(options, options.log ?? { warn: () => {} });
  const { server, context, namespace } = await credentials.current();
  return { ...createKubeClient(credentials, options), server: server.href, context, namespace };
}

function createKubeClient(credentials: Credentials, options: KubeClientOptions) {
  const concurrency = options.concurrency ?? 16;
  const limiter = createRateLimiter({
    requestsPerSecond: options.requestsPerSecond ?? 200,
    burst: options.burst ?? 400,
    concurrency,
    weights: WEIGHTS,
  });
  const agents = createKubeAgents({ keepAlive: concurrency });
  const closing = new AbortController();
  const counts: Record<string, number> = {};

  /** One attempt; after 401 another under credentials that are read again, after 403 another once the server is ready. */
  const attempt = async <Result>(
    what: KubeRequest,
    limits: 'whole' | 'opening',
    use: (answer: Answer) => Promise<Result>,
  ) => {
    const access = await credentials.current();
    const ready: KubeRequest = { verb: 'GET', path: '/readyz', timeoutMs: 5_000, signal: what.signal };
    try {
      return await attemptAs(access, what, limits, use);
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      const again = (as: KubeAccess) => attemptAs(as, what, limits, use);
      if (error.kind === 'forbidden') {
        return confirmRefusal(
          error,
          () => attemptAs(access, ready, 'whole', async () => {}),
          () => again(access),
        );
      }
      const renewed = error.kind === 'unauthorized' ? await credentials.afterRefusal(access) : access;
      if (renewed === access) throw error;
      return again(renewed);
    }
  };

  const attemptAs = async <Result>(
    access: KubeAccess,
    what: KubeRequest,
    limits: 'whole' | 'opening',
    use: (answer: Answer) => Promise<Result>,
  ): Promise<Result> => {
    counts[what.verb] = (counts[what.verb] ?? 0) + 1;
    try {
      const answer = await send(agents.for(access), {
        url: urlOf(access, what),
        method: what.verb,
        headers: headersOf(access, what),
        body: what.body === undefined ? undefined : JSON.stringify(what.body),
        timeoutMs: what.timeoutMs ?? options.requestTimeoutMs ?? 15_000,
        limits,
        signal: what.signal,
      });
      if (answer.status >= 200 && answer.status < 300) return await use(answer);
      throw answerError(what, { ...answer, body: await readBody(answer.message) });
    } catch (error) {
      if (error instanceof KubeError) throw error;
      throw noAnswerError(what, asNoAnswer(error, true));
    }
  };

  const insideLimits = async <Result>(what: KubeRequest, work: () => Promise<Result>): Promise<Result> => {
    const leave = await limiter.enter(what.lane ?? what.verb, what.signal).catch((error: unknown) => {
      throw noAnswerError(what, new NoAnswer('stopped', false, (error as Error).message, error));
    });
    try {
      return await work();
    } catch (error) {
      if (error instanceof KubeError && error.kind === 'too_many_requests')
        limiter.slowDown(error.retryAfterMs ?? PAUSE_MS);
      throw error;
    } finally {
      leave();
    }
  };

  const withRetries = async <Result>(what: KubeRequest, once: () => Promise<Result>) => {
    let startedAtMs: number | undefined;
    let unclearBefore = false;
    for (let failures = 0; ; failures += 1) {
      try {
        const value = await insideLimits(what, () => {
          // The time spent in our own queue is not the server's.
          startedAtMs ??= performance.now();
          return once();
        });
        return { value, unclearBefore };
      } catch (error) {
        if (!(error instanceof KubeError)) throw error;
        const delayMs =
          closing.signal.aborted || what.signal?.aborted
            ? undefined
            : retryDelayMs(error, {
                failures,
                elapsedMs: performance.now() - (startedAtMs ?? performance.now()),
                giveUpMs: what.giveUpMs ?? GIVE_UP_MS,
                repeatIsHarmless: repeatIsHarmless(what),
              });
        if (delayMs === undefined) throw unclearBefore ? error.afterUnclear() : error;
        unclearBefore ||= error.unclear;
        await pause(delayMs, undefined, {
          signal: AbortSignal.any([closing.signal, ...(what.signal ? [what.signal] : [])]),
        }).catch(() => {
          throw unclearBefore ? error.afterUnclear() : error;
        });
      }
    }
  };

  const requestWithHistory = <Value>(what: KubeRequest) =>
    withRetries(what, () => attempt(what, 'whole', (answer) => parsedBody<Value>(what, answer)));

  return {
    requestWithHistory,
    request: async <Value>(what: KubeRequest) => (await requestWithHistory<Value>(what)).value,
    stream: async (what: KubeRequest) =>
      (await withRetries(what, () => attempt(what, 'opening', async ({ message }) => openedStream(what, message))))
        .value,
    requestCounts: () => ({ ...counts }),
    close: async () => {
      closing.abort(new Error('The client is closed.'));
      limiter.close();
      agents.close();
    },
  };
}
