import type { StartClaim } from '../start/start-claim.ts';
import type { WorkloadFacts } from './workload-facts.ts';

export type NativeState = { readonly state: string; readonly reason: string };

/**
 * What a person sees of a queued run that Kueue has not started, in Kueue's own words. Null when the pods say more: it is admitted
 * and its start is claimed, or it is over.
 *
 * @param workload null while Kueue has made none
 * @param place in its LocalQueue, 1 for the first; null where it is not known or far back
 */
export function queuedState(
  queue: string,
  workload: WorkloadFacts | null,
  claim: StartClaim,
  place: number | null,
): NativeState | null {
  if (!workload) return { state: 'Suspended', reason: `Kueue has not taken it into LocalQueue ${queue} yet` };
  if (workload.finished) return null;
  if (claim.kind === 'never') return { state: 'Withdrawn', reason: 'taken back before it started' };
  if (!workload.active) return { state: 'Deactivated', reason: deactivated(workload) };
  if (workload.admitted && !workload.evicted) return claim.kind === 'started' ? null : admitted(workload);
  if (workload.evicted) return { state: 'Evicted', reason: evicted(workload, place) };
  if (workload.quotaReserved) return { state: 'QuotaReserved', reason: reserved(workload) };
  return { state: 'Queued', reason: queued(workload, place) };
}

function queued(workload: WorkloadFacts, place: number | null): string {
  return joined(line(workload, place), workload.pendingMessage || 'Kueue has not looked at it yet');
}

function line({ queue }: WorkloadFacts, place: number | null): string {
  return place === null ? `in LocalQueue ${queue}` : `place ${place} in LocalQueue ${queue}`;
}

function reserved({ queue, clusterQueue, checksWaiting }: WorkloadFacts): string {
  const checks = checksWaiting.map(
    ({ name, state, message }) => `${name} is ${state}${message ? ` (${message})` : ''}`,
  );
  const waiting = checks.length > 0 ? checks.join(', ') : 'the admission is not complete yet';
  return joined(`has quota in ClusterQueue ${clusterQueue} by LocalQueue ${queue}`, waiting);
}

function admitted({ queue, clusterQueue }: WorkloadFacts): NativeState {
  return { state: 'Admitted', reason: `admitted by ClusterQueue ${clusterQueue} from LocalQueue ${queue}` };
}

/** Before its start: it loses nothing but its quota and is queued again. */
function evicted(workload: WorkloadFacts, place: number | null): string {
  const { reason = '', message = '' } = workload.evicted ?? {};
  const again = workload.requeueAtMs === null ? line(workload, place) : `queued again at ${utc(workload.requeueAtMs)}`;
  const now = workload.pendingMessage === message ? '' : workload.pendingMessage;
  return joined(`${reason}: ${message}`, again, now);
}

function deactivated({ evicted: last, queue }: WorkloadFacts): string {
  return joined(`switched off in LocalQueue ${queue} (spec.active is false)`, last?.message ?? '');
}

function utc(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}

function joined(...parts: readonly string[]): string {
  return parts.filter(Boolean).join('; ');
}
