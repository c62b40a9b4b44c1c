/**
 * JSON in the one form of RFC 8785: members sorted by UTF-16 code units, no white space, numbers and strings as ECMAScript
 * writes them. Members that are `undefined` are left out, as JSON.stringify does; what JSON cannot say throws.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return number(value);
  if (typeof value === 'string') return string(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object') return object(value as Record<string, unknown>);
  throw new TypeError(`JSON has no ${typeof value}`);
}

function number(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`JSON has no ${value}`);
  return JSON.stringify(value);
}

/** RFC 8785 section 3.2.2.2: a lone surrogate is an error, for two parties would hash different bytes. */
function string(value: string): string {
  if (!value.isWellFormed()) throw new TypeError('the text contains half of a surrogate pair');
  return JSON.stringify(value);
}

function object(value: Record<string, unknown>): string {
  const members = Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .sort()
    .map((key) => `${string(key)}:${canonicalJson(value[key])}`);
  return `{${members.join(',')}}`;
}
