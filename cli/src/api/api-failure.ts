import { EXIT } from '../exit-code.ts';
import { Failure } from '../failure.ts';
import { plainText } from '../format/plain-text.ts';

/** What the broker answered instead of a result, as the sentence and the exit code it means. */
export class ApiFailure extends Failure {
  readonly status: number;
  readonly code: string;

  constructor(status: number, problem: Problem) {
    const code = text(problem.code) ?? '';
    const message = sentence(status, problem);
    super(message, {
      hint: hints[code] ?? text(problem.hint),
      exitCode: exitCodes[code] ?? exitCodeOfStatus(status),
      // The sentence of an unsatisfiable job names its refusals already.
      lines: lines(problem).filter((line) => !message.includes(line)),
    });
    this.name = 'ApiFailure';
    this.status = status;
    this.code = code;
  }
}

/** No answer at all, after every allowed repetition. */
export class NoAnswer extends Failure {}

/** RFC 9457 with our members; from a proxy in between it may be anything. */
export type Problem = {
  readonly title?: unknown;
  readonly detail?: unknown;
  readonly code?: unknown;
  readonly hint?: unknown;
  readonly details?: unknown;
};

const exitCodes: Readonly<Record<string, number>> = {
  unsatisfiable: EXIT.unsatisfiable,
  invalid_spec: EXIT.usage,
  invalid_request: EXIT.usage,
  unknown_job: EXIT.notFound,
  unknown_cluster: EXIT.notFound,
  unauthenticated: EXIT.refused,
  forbidden: EXIT.refused,
  quota_exceeded: EXIT.refused,
};

/** The broker's hints speak of the interface; here they name commands. */
const hints: Readonly<Record<string, string>> = {
  unknown_job: '`yard ps --all` lists the jobs that you may see.',
  unknown_cluster: '`yard clusters` lists them.',
  unauthenticated: '`yard login` stores a valid token.',
  unsatisfiable: 'Ask for less, or relax the constraints; `yard clusters` shows what each cluster has.',
};

function exitCodeOfStatus(status: number): number {
  if (status === 401 || status === 403) return EXIT.refused;
  if (status === 404) return EXIT.notFound;
  return EXIT.error;
}

function sentence(status: number, problem: Problem): string {
  return text(problem.detail) ?? text(problem.title) ?? `The broker answered with HTTP status ${status}.`;
}

/** `details.problems` of a spec ({path, message, hint?}) and `details.refusals` of a placement ({cluster, sentence}). */
function lines(problem: Problem): string[] {
  const details = record(problem.details);
  const all = list(details['problems']);
  // One alone is the sentence itself.
  const problems = (all.length > 1 ? all : []).map((each) => {
    const { path, message, hint } = record(each);
    const where = text(path) ? `${text(path)}: ` : '';
    return `${where}${text(message) ?? ''}${text(hint) ? ` (${text(hint)})` : ''}`;
  });
  const refusals = list(details['refusals']).map((each) => {
    const { cluster, sentence } = record(each);
    return `${text(cluster) ?? ''}: ${text(sentence) ?? ''}`;
  });
  return [...problems, ...refusals];
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? plainText(value) : undefined;
}
