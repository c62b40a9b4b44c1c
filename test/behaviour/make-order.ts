import { createHash, randomBytes } from 'node:crypto';
import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import { canonicalJson } from '@switchyard/core/spec/canonical-json.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { markerOf } from '@switchyard/core/spec/marker.ts';
import { formatRangeSet } from '@switchyard/core/spec/range-set.ts';
import { taskSet } from '@switchyard/core/spec/task-set.ts';
import { validateJobSpec } from '@switchyard/core/spec/validate-job-spec.ts';

let lastNumber = 1000;

/** A run as the broker link would hand it to a backend: spec validated, hash and marker right, everything else plausible. */
export function makeOrder(input: JobSpecInput, changes: Partial<RunOrder> & { federation?: string } = {}): RunOrder {
  const validation = validateJobSpec(input);
  if (!validation.ok) throw new Error(JSON.stringify(validation.problems));
  const { spec } = validation;
  const { federation = 'test', ...rest } = changes;
  lastNumber += 1;
  const runId = rest.runId ?? uuidV7();
  return {
    runId,
    placementNumber: lastNumber,
    jobId: uuidV7(),
    jobNumber: lastNumber,
    attempt: 1,
    tasks: formatRangeSet(taskSet(spec)),
    spec,
    specHash: createHash('sha256').update(canonicalJson(spec)).digest('hex'),
    pool: '',
    groupPath: 'default',
    owner: 'ada',
    marker: markerOf(federation, runId),
    ...rest,
  };
}

/** RFC 9562 section 5.7, as the broker makes them. */
export function uuidV7(nowMs = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
