/** One request to the API server, without where it is and who asks. */
export type KubeRequest = {
  readonly verb: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Absolute path below the server's address: `/apis/batch/v1/namespaces/x/jobs`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Default `application/json`; for PATCH `application/merge-patch+json`. */
  readonly contentType?: string | undefined;
  /** Of one attempt, until its last byte. */
  readonly timeoutMs?: number | undefined;
  /** How long after the first attempt another may begin; 0: one attempt only. */
  readonly giveUpMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** With whom it waits for its turn; without one with all of its verb. */
  readonly lane?: Lane | undefined;
};

/** For lists of an object, which are changed by what is added and what is taken away. */
export const STRATEGIC_MERGE = 'application/strategic-merge-patch+json';

/** What a crowd is made of: runs that are handed over, pods that are let go, and what ended runs leave behind. */
export type Lane = 'submit' | 'start' | 'tidy';

/**
 * Whether sending it again does no harm when the first may have been carried out: reading; creating under a fixed
 * name (the second meets AlreadyExists); deleting one object by its UID; merging; replacing (it carries its
 * resourceVersion). Not: a create under a generated name, a delete by name alone (it may meet a successor), JSON Patch.
 */
export function repeatIsHarmless(what: KubeRequest): boolean {
  if (what.verb === 'GET' || what.verb === 'PUT') return true;
  if (what.verb === 'POST') return textAt(what.body, 'metadata', 'name') || isReview(what.path);
  if (what.verb === 'DELETE') return textAt(what.body, 'preconditions', 'uid');
  return what.contentType !== 'application/json-patch+json';
}

/** Access reviews are questions, though they are asked by POST. */
function isReview(path: string): boolean {
  return /^\/apis\/(authorization|authentication)\.k8s\.io\//.test(path);
}

function textAt(body: unknown, ...keys: readonly string[]): boolean {
  let value = body;
  for (const key of keys) value = (value as Record<string, unknown> | null | undefined)?.[key];
  return typeof value === 'string' && value !== '';
}
