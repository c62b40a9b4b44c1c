import type { Condition } from './api-types.ts';

/** The condition of that type, if the object has one. */
export function conditionOf(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** The same, if it says that it is so. */
export function whenTrue(conditions: readonly Condition[] | undefined, type: string): Condition | null {
  const found = conditionOf(conditions, type);
  return found?.status === 'True' ? found : null;
}
