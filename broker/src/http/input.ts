import type { FastifySchemaCompiler } from 'fastify';
import { z } from 'zod';
import { SwitchyardError } from '../errors.ts';
import { unknownKeyProblem } from '../unknown-key-problem.ts';

/** Validates parameters, queries and bodies with zod; every problem is named at once, unknown names with the nearest known one. */
export const zodCompiler: FastifySchemaCompiler<unknown> =
  ({ schema }) =>
  (value: unknown) => {
    if (!(schema instanceof z.ZodType)) throw new TypeError('input is described with zod');
    const parsed = schema.safeParse(value);
    return parsed.success ? { value: parsed.data } : { error: inputError(parsed.error, schema) };
  };

/** For bodies that the handler validates by itself, with better words; their schema is then for the documentation alone. */
export const bodyByHandler: FastifySchemaCompiler<unknown> = (part) =>
  part.httpPart === 'body' ? (value: unknown) => ({ value }) : zodCompiler(part);

function inputError(error: z.ZodError, schema: z.ZodType): SwitchyardError {
  const problems = error.issues.flatMap((issue) => {
    const path = issue.path.map((part) => `/${String(part)}`).join('');
    if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
    return issue.keys.map((key) => ({
      path: `${path}/${key.slice(0, 80)}`,
      message: unknownKeyProblem(key, issue.path, schema),
    }));
  });
  const [first] = problems;
  const sentence = first ? `${first.path.slice(1) || 'the request'}: ${first.message}` : 'The request is not valid.';
  return new SwitchyardError('invalid_request', sentence, { details: { problems } });
}

/** A job by UUID or number, as it stands in an address. */
export const jobParams = z.strictObject({ id: z.string().max(64).meta({ description: 'UUID or number of the job' }) });

/** A name that a cluster can have: it becomes a file name and a word in tables. */
export const clusterName = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'must be lower-case letters, digits and inner hyphens, at most 63');

export const clusterParams = z.strictObject({ name: clusterName });
