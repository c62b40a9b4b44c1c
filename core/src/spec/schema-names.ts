import type { z } from 'zod';

/** The names that an object of the schema may have at `path`; empty where it takes any. */
export function knownNames(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  let at: z.core.$ZodType | undefined = unwrap(schema);
  for (const part of path) at = at && unwrap(child(at, part));
  return at ? Object.keys(shapeOf(at) ?? {}) : [];
}

function child(schema: z.core.$ZodType, part: PropertyKey): z.core.$ZodType | undefined {
  const def = schema._zod.def as { element?: z.core.$ZodType };
  return typeof part === 'number' ? def.element : shapeOf(schema)?.[String(part)];
}

function shapeOf(schema: z.core.$ZodType): Record<string, z.core.$ZodType> | undefined {
  return (schema._zod.def as { shape?: Record<string, z.core.$ZodType> }).shape;
}

/** Below optional, default and prefault. */
function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let at = schema;
  for (let inner = innerOf(at); inner; inner = innerOf(at)) at = inner;
  return at;
}

function innerOf(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  return (schema?._zod.def as { innerType?: z.core.$ZodType } | undefined)?.innerType;
}
