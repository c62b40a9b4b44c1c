import type { RunStatus } from './backend.ts';

/** An Offer that is repeated while the first is under way waits for the same answer. */
export async function oneAtATime(
  underWay: Map<string, Promise<RunStatus>>,
  runId: string,
  work: () => Promise<RunStatus>,
): Promise<RunStatus> {
  const before = underWay.get(runId);
  if (before) return before;
  const mine = work().finally(() => underWay.delete(runId));
  underWay.set(runId, mine);
  return mine;
}
