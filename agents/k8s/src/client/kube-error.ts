/** Everything a request to the API server can end with. */
export type KubeErrorKind =
  | 'unreachable'
  | 'timeout'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'already_exists'
  | 'gone'
  | 'invalid'
  | 'too_many_requests'
  | 'server_error';

/** Whether the same request, sent again as it is, can end differently. */
const retryHelps: Readonly<Record<KubeErrorKind, boolean>> = {
  unreachable: true,
  timeout: true,
  unauthorized: true, // credentials rotate, and a starting server does not know them yet
  forbidden: false,
  not_found: false,
  conflict: false, // look again first
  already_exists: false,
  gone: false, // list again instead
  invalid: false,
  too_many_requests: true,
  server_error: true,
};

export type KubeErrorFacts = {
  readonly kind: KubeErrorKind;
  /** HTTP status; 0 when no answer came. */
  readonly status?: number;
  /** What was asked: verb and path. */
  readonly asked: string;
  /** The server's own sentence, or what the connection said. */
  readonly sentence: string;
  /** `reason` of the server's Status object, like `AlreadyExists`. */
  readonly reason?: string;
  /** Names of fields and what is wrong with each, from the server. */
  readonly causes?: readonly string[];
  readonly retryable?: boolean;
  readonly unclear?: boolean;
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
};

/** Why a request has no good answer. The only error that leaves the client for a state of the world. */
export class KubeError extends Error {
  readonly kind: KubeErrorKind;
  readonly status: number;
  readonly asked: string;
  readonly sentence: string;
  readonly reason: string;
  readonly causes: readonly string[];
  readonly retryable: boolean;
  /** Some attempt of this request may have been carried out although no answer says so. */
  readonly unclear: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(facts: KubeErrorFacts) {
    const retryable = facts.retryable ?? retryHelps[facts.kind];
    const unclear = facts.unclear ?? false;
    super(fullSentence(facts, retryable, unclear), { cause: facts.cause });
    this.name = 'KubeError';
    this.kind = facts.kind;
    this.status = facts.status ?? 0;
    this.asked = facts.asked;
    this.sentence = facts.sentence;
    this.reason = facts.reason ?? '';
    this.causes = facts.causes ?? [];
    this.retryable = retryable;
    this.unclear = unclear;
    this.retryAfterMs = facts.retryAfterMs;
  }

  /** The same error of a request that had an unclear attempt before this one. */
  afterUnclear(): KubeError {
    return this.unclear ? this : new KubeError({ ...this, unclear: true, cause: this.cause });
  }
}

function fullSentence(facts: KubeErrorFacts, retryable: boolean, unclear: boolean): string {
  const answer = facts.status ? `${facts.status}${facts.reason ? ` ${facts.reason}` : ''}: ` : '';
  const advice = retryable ? 'Trying again may help.' : 'Trying again as it is does not help.';
  const doubt = unclear ? ' It may have been carried out all the same.' : '';
  const sentence = /[.!?]$/.test(facts.sentence) ? facts.sentence : `${facts.sentence}.`;
  return `${facts.asked}: ${answer}${sentence} ${advice}${doubt}`;
}
