import type { KubeAccess } from './kube-access.ts';
import { KubeError } from './kube-error.ts';
import type { KubeRequest } from './kube-request.ts';
import { type Answer, type NoAnswer, readBody } from './transport.ts';

export function urlOf(access: KubeAccess, what: KubeRequest): URL {
  // A server behind a path (Rancher and the like) keeps it.
  const url = new URL(access.server.href.replace(/\/$/, '') + what.path);
  for (const [name, value] of Object.entries(what.query ?? {})) url.searchParams.set(name, value);
  return url;
}

export function headersOf(access: KubeAccess, what: KubeRequest): Record<string, string | readonly string[]> {
  const merge = what.verb === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  return {
    ...access.headers,
    accept: 'application/json, */*',
    'user-agent': 'switchyard-agent',
    ...(what.body === undefined ? {} : { 'content-type': what.contentType ?? merge }),
  };
}

/** JSON, or text where the server says so (`/readyz`). A page of some gateway is no answer of the API server. */
export async function parsedBody<Value>(what: KubeRequest, { status, headers, message }: Answer): Promise<Value> {
  const text = await readBody(message);
  if (headers['content-type']?.startsWith('text/plain')) return text as Value;
  try {
    return (text === '' ? null : JSON.parse(text)) as Value;
  } catch (cause) {
    const asked = `${what.verb} ${what.path}`;
    const sentence = `The answer (${headers['content-type'] ?? 'without content type'}) is no JSON: is this the API server?`;
    throw new KubeError({ kind: 'server_error', status, asked, sentence, unclear: what.verb !== 'GET', cause });
  }
}

/** What a request without a whole answer means: unclear as soon as bytes may have arrived, unless it only reads. */
export function noAnswerError(what: KubeRequest, failure: NoAnswer): KubeError {
  return new KubeError({
    kind: failure.why === 'unreachable' ? 'unreachable' : 'timeout',
    asked: `${what.verb} ${what.path}`,
    sentence: failure.message,
    unclear: failure.sent && what.verb !== 'GET',
    cause: failure.cause ?? failure,
  });
}
