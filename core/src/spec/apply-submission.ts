import type { JobSpecInput } from './job-spec.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * What directives say, completed and overruled by what was said explicitly: objects are merged field by field, everything else is
 * replaced. Naming one kind of memory overrules every other kind.
 */
export function applySubmission<Explicit extends object>(
  directives: Partial<JobSpecInput>,
  explicit: Explicit,
): Partial<JobSpecInput> & Explicit {
  const own = resourcesOf(explicit);
  const namesMemory = Object.keys(own).some(isMemory);
  const inherited = Object.entries(resourcesOf(directives)).filter(([name]) => !namesMemory || !isMemory(name));
  const base =
    directives.resources === undefined ? directives : { ...directives, resources: Object.fromEntries(inherited) };
  return merge(base as Fields, explicit as Fields) as Partial<JobSpecInput> & Explicit;
}

function merge(base: Fields, over: Fields): Fields {
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const below = Object.hasOwn(result, key) ? result[key] : undefined;
    // Defined and not assigned: a field named __proto__ is only a field, for the schema to refuse.
    const merged = isFields(below) && isFields(value) ? merge(below, value) : value;
    Object.defineProperty(result, key, { value: merged, enumerable: true, writable: true, configurable: true });
  }
  return result;
}

function resourcesOf(spec: object): Fields {
  const resources = (spec as Fields)['resources'];
  return isFields(resources) ? resources : {};
}

function isMemory(name: string): boolean {
  return name.startsWith('memoryMiB');
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
