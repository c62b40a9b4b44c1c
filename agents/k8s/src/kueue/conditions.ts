import type { Condition } from '../api-types.ts';

/** The condition of that type, if the object has one. */
export function conditionOf(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}
