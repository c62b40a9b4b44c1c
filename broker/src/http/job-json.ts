/** JSON schemas of what lists and replies carry: fast-json-stringify writes a page of 1,000 jobs in a third of the time that zod takes. */

const text = { type: 'string' } as const;
const maybeText = { type: ['string', 'null'] } as const;
const integer = { type: 'integer' } as const;
const maybeInteger = { type: ['integer', 'null'] } as const;
const flag = { type: 'boolean' } as const;
const anything = {} as const;

/** Every member is always there. */
function whole<Properties extends object>(properties: Properties) {
  return { type: 'object', properties, required: Object.keys(properties) } as const;
}

const sets = ['queued', 'out', 'succeeded', 'failed', 'cancelled'];
const counts = ['queued', 'out', 'running', 'succeeded', 'failed', 'cancelled'];
const each = <Schema>(names: readonly string[], schema: Schema) =>
  Object.fromEntries(names.map((name) => [name, schema]));

const summary = {
  id: text,
  number: integer,
  name: text,
  group: text,
  owner: text,
  state: text,
  reason: maybeText,
  detail: maybeText,
  exitCode: maybeInteger,
  signal: maybeText,
  priority: integer,
  taskCount: integer,
  tasks: whole({ ...each(sets, text), counts: whole(each(counts, integer)) }),
  isArray: flag,
  cluster: maybeText,
  nativeId: maybeText,
  nativeState: maybeText,
  nativeReason: maybeText,
  unreachable: flag,
  waitReason: maybeText,
  createdAt: text,
  stateSince: text,
  startedAt: maybeText,
  endedAt: maybeText,
  labels: { type: 'object', additionalProperties: text },
  stdoutPath: maybeText,
  stderrPath: maybeText,
} as const;

const run = whole({
  id: text,
  cluster: text,
  pool: text,
  attempt: integer,
  placementNumber: integer,
  tasks: text,
  state: text,
  outcome: maybeText,
  reason: maybeText,
  nativeId: maybeText,
  nativeState: maybeText,
  nativeReason: maybeText,
  started: text,
  ends: { type: 'array', items: anything },
  stdoutPath: maybeText,
  stderrPath: maybeText,
  offeredAt: text,
  placedAt: maybeText,
  startedAt: maybeText,
  endedAt: maybeText,
  explanation: anything,
});

const page = (item: object) => whole({ items: { type: 'array', items: item }, nextCursor: maybeText });

export const acceptedJobJson = whole({ ...summary, runs: { type: 'array', items: run } });
export const jobJson = whole({ ...summary, spec: anything, runs: { type: 'array', items: run } });
export const jobPageJson = page(whole(summary));
export const eventPageJson = page(
  whole({ jobId: text, sequence: integer, at: text, kind: text, data: { type: 'object', additionalProperties: true } }),
);
export const batchJson = whole({ items: { type: 'array', items: whole({ id: text, number: integer, state: text }) } });
