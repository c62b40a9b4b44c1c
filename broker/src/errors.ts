/**
 * Everything that can go wrong here, as one closed set. Each code is translated once per boundary: to an HTTP status in http/problem.ts, to a gRPC
 * status in grpc/. `retryable` answers the one question that a caller has: can the same request succeed later without a change?
 */
export const errorCodes = {
  invalid_request: { retryable: false },
  invalid_spec: { retryable: false },
  unknown_job: { retryable: false },
  unknown_cluster: { retryable: false },
  unauthenticated: { retryable: false },
  forbidden: { retryable: false },
  conflict: { retryable: false },
  idempotency_conflict: { retryable: false },
  cluster_exists: { retryable: false },
  too_large: { retryable: false },
  too_many_requests: { retryable: true },
  unsatisfiable: { retryable: false },
  unavailable: { retryable: true },
  internal: { retryable: false },
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface SwitchyardErrorOptions {
  /** What to do next, as a sentence to a person. */
  hint?: string;
  /** Facts for programs; never a secret, never another group's data. */
  details?: Readonly<Record<string, unknown>>;
  cause?: unknown;
}

/** The only error that crosses a boundary of the broker: a code of the closed set, a sentence of what was wrong, and what to do next. */
export class SwitchyardError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: SwitchyardErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SwitchyardError';
    this.code = code;
    this.hint = options.hint;
    this.retryable = errorCodes[code].retryable;
    this.details = options.details;
  }
}
