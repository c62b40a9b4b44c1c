import { nearestName } from '@switchyard/core/spec/nearest-name.ts';
import { knownNames } from '@switchyard/core/spec/schema-names.ts';
import type { z } from 'zod';

/** `there is no 'prot' in http; did you mean 'port'?` for a key that a strict schema does not have. */
export function unknownKeyProblem(key: string, path: readonly PropertyKey[], schema: z.core.$ZodType): string {
  const known = knownNames(schema, path);
  const meant = nearestName(key, known);
  const where = path.length === 0 ? 'here' : `in ${path.map(String).join('.')}`;
  const shown = key.length > 80 ? `${key.slice(0, 77)}…` : key;
  return `there is no '${shown}' ${where}; ${meant === null ? `known are ${known.join(', ')}` : `did you mean '${meant}'?`}`;
}
