import { EXIT } from './exit-code.ts';

/** Ends a command: one sentence for people, what to do next, and the exit code. */
export class Failure extends Error {
  readonly hint: string | undefined;
  readonly exitCode: number;
  /** Further lines, one fact each: the problems of a job spec, the refusals of clusters. */
  readonly lines: readonly string[];

  constructor(
    message: string,
    options: { hint?: string | undefined; exitCode?: number; lines?: readonly string[]; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Failure';
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? EXIT.error;
    this.lines = options.lines ?? [];
  }
}

/** A command line that cannot be meant. */
export function usage(message: string, hint?: string): Failure {
  return new Failure(message, { hint, exitCode: EXIT.usage });
}
