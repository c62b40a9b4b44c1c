import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import { z } from 'zod';

/** What a Job says of the run that it is, for an agent that starts again and knows nothing: the order without its spec. */
export type OrderNote = Omit<RunOrder, 'spec'> & {
  /** The number of nodes of a gang; 0: none. */
  readonly gang: number;
  readonly isArray: boolean;
};

const noteSchema = z.object({
  runId: z.uuid(),
  placementNumber: z.number(),
  jobId: z.string(),
  jobNumber: z.number(),
  attempt: z.number(),
  tasks: z.string(),
  specHash: z.string(),
  pool: z.string(),
  groupPath: z.string(),
  owner: z.string(),
  marker: z.string(),
  gang: z.int().min(0),
  isArray: z.boolean(),
});

export function writeOrderNote(note: OrderNote): string {
  return JSON.stringify(noteSchema.parse(note));
}

/** Null for every text that is not whole: an object that somebody else wrote. */
export function readOrderNote(text: string | undefined): OrderNote | null {
  try {
    return noteSchema.safeParse(JSON.parse(text ?? '')).data ?? null;
  } catch {
    return null;
  }
}
