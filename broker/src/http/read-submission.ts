import { applySubmission } from '@switchyard/core/spec/apply-submission.ts';
import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import { readSbatchDirectives } from '@switchyard/core/spec/sbatch-directives.ts';
import { type SpecProblem, validateJobSpec } from '@switchyard/core/spec/validate-job-spec.ts';
import { SwitchyardError } from '../errors.ts';

/** What stands under the one key that a submitting body has. */
export function envelope(body: unknown, key: 'spec' | 'jobs'): unknown {
  if (!isRecord(body)) throw new SwitchyardError('invalid_request', `The body must be an object {"${key}": …}.`);
  const strange = Object.keys(body).find((name) => name !== key);
  if (strange !== undefined)
    throw new SwitchyardError(
      'invalid_request',
      `There is no '${strange.slice(0, 80)}' in this body; its one key is '${key}'.`,
      { hint: `Send {"${key}": …} with what describes the job inside.` },
    );
  if (!(key in body)) throw new SwitchyardError('invalid_request', `The body has no '${key}'.`);
  return body[key];
}

/** One submission as the complete specification that is stored, or every problem in it. */
export function readSubmission(input: unknown): JobSpec {
  const [spec] = readAll([input], false);
  return spec!;
}

/** Many submissions; each problem names the one it is in by its index. */
export function readSubmissions(inputs: readonly unknown[]): JobSpec[] {
  return readAll(inputs, true);
}

/** Nobody reads more than this, and nobody is sent more. */
const MAX_PROBLEMS = 100;

function readAll(inputs: readonly unknown[], indexed: boolean): JobSpec[] {
  const specs: JobSpec[] = [];
  const problems: (SpecProblem & { index?: number })[] = [];
  for (const [index, input] of inputs.entries()) {
    const read = readOne(input);
    if (read.ok) specs.push(read.spec);
    else problems.push(...read.problems.map((problem) => (indexed ? { ...problem, index } : problem)));
  }
  if (problems.length === 0) return specs;
  throw invalidSpec(problems);
}

/** One error for everything that is wrong with one job, or with several that are told apart by their index. */
export function invalidSpec(problems: readonly (SpecProblem & { index?: number })[]): SwitchyardError {
  const [first] = problems;
  const where = `${first?.index === undefined ? '' : `job ${first.index}, `}${first?.path.slice(1) || 'the specification'}`;
  const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`;
  return new SwitchyardError('invalid_spec', `${where}: ${first?.message}${more}.`, {
    ...(first?.hint === undefined ? {} : { hint: first.hint }),
    details: { problems: problems.slice(0, MAX_PROBLEMS) },
  });
}

/** `#SBATCH` lines of the script give what the specification itself leaves open; what cannot be honoured is refused by name. */
function readOne(input: unknown): { ok: true; spec: JobSpec } | { ok: false; problems: readonly SpecProblem[] } {
  if (!isRecord(input) || typeof input['script'] !== 'string' || !input['script'].includes('#SBATCH'))
    return validateJobSpec(input);
  const directives = readSbatchDirectives(input['script']);
  if (!directives.ok) return directives;
  return validateJobSpec(applySubmission(directives.partial, input));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
