import type { IncomingHttpHeaders } from 'node:http';
import { KubeError, type KubeErrorKind } from './kube-error.ts';

/** meta/v1 Status, as far as it is read here. */
type StatusObject = {
  readonly kind?: unknown;
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly details?: {
    readonly retryAfterSeconds?: unknown;
    readonly causes?: readonly { readonly field?: unknown; readonly message?: unknown }[];
  };
};

const LONGEST_SENTENCE = 2_000;

/** What an answer other than 2xx says, as the closed set. The only place that knows HTTP statuses. */
export function answerError(
  asked: { readonly verb: string; readonly path: string },
  answer: { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string },
): KubeError {
  const told = statusObject(answer.body);
  const reason = textOf(told.reason);
  const kind = kindOf(answer.status, reason);
  // A create meets 409 Conflict when two creates charge one ResourceQuota at the same time: nothing was made.
  const quotaRace = kind === 'conflict' && asked.verb === 'POST';
  return new KubeError({
    kind,
    status: answer.status,
    asked: `${asked.verb} ${asked.path}`,
    sentence: (textOf(told.message) || plainBody(answer.body) || 'no reason given').slice(0, LONGEST_SENTENCE),
    reason,
    causes: causesOf(told),
    ...(quotaRace ? { retryable: true } : {}),
    // A gateway's or the server's own failure does not say how far the request got; reading changes nothing.
    unclear: asked.verb !== 'GET' && (answer.status >= 500 || answer.status === 408),
    retryAfterMs: retryAfterMs(answer.headers, told),
  });
}

/** The error inside a watch: an event of type ERROR carries a Status. */
export function eventError(path: string, status: unknown): KubeError {
  const code = Number((status as { code?: unknown } | null)?.code) || 500;
  return answerError({ verb: 'GET', path }, { status: code, headers: {}, body: JSON.stringify(status ?? {}) });
}

function kindOf(status: number, reason: string): KubeErrorKind {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not_found';
  if (status === 408) return 'timeout';
  if (status === 409) return reason === 'AlreadyExists' ? 'already_exists' : 'conflict';
  if (status === 410) return 'gone';
  if (status === 429) return 'too_many_requests';
  return status >= 500 ? 'server_error' : 'invalid';
}

function statusObject(body: string): StatusObject {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? (parsed as StatusObject) : {};
  } catch {
    return {};
  }
}

/** Gateways answer with pages: their text is no sentence. */
function plainBody(body: string): string {
  const text = body.trim();
  return text.startsWith('<') || text.startsWith('{') ? '' : text;
}

function causesOf(told: StatusObject): string[] {
  const causes = told.details?.causes;
  if (!Array.isArray(causes)) return [];
  return causes.map((cause) => [textOf(cause?.field), textOf(cause?.message)].filter(Boolean).join(': '));
}

/** Seconds or a date (RFC 9110, 10.2.3), else what the Status says. */
function retryAfterMs(headers: IncomingHttpHeaders, told: StatusObject): number | undefined {
  const header = headers['retry-after'];
  const seconds = Number(header ?? told.details?.retryAfterSeconds);
  if (Number.isFinite(seconds) && seconds > 0) return seconds * 1000;
  const date = header === undefined ? Number.NaN : Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
