import { isKube } from './kube-objects.ts';
import { type KubeState, type Tracked, touch } from './kube-state.ts';

const AGAIN_MS = 2000;
/** A namespace that is deleted, and the rights in it with it, may never come back: its runs must not keep the server busy. */
const REFUSED_AGAIN_MS = 60_000;
/** What was done shows in the facts a moment later: until then the same would be done again. */
const REST_MS = 100;

/** Not under way, and not failed a moment ago. */
export function isRested(run: Tracked, name: string, nowMs: number): boolean {
  return !run.busy.has(name) && nowMs >= (run.notBefore.get(name) ?? 0);
}

/** Work that nobody waits for: what it changed is seen by looking at the run again, and so is that it failed. */
export function inBackground(state: KubeState, run: Tracked, name: string, work: () => Promise<unknown>): void {
  run.busy.add(name);
  run.notBefore.delete(name);
  void work()
    .then(() => {
      run.refusals.delete(name);
      run.notBefore.set(name, Math.max(run.notBefore.get(name) ?? 0, state.now() + REST_MS));
    })
    .catch((error: Error) => {
      run.notBefore.set(name, state.now() + againMs(run, name, error));
      if (!state.closed) state.warn(sentence(run, name, error));
    })
    .finally(() => {
      run.busy.delete(name);
      touch(state, run);
    });
}

function againMs(run: Tracked, name: string, error: Error): number {
  if (!isRefused(error)) return AGAIN_MS;
  const before = run.refusals.get(name) ?? 0;
  run.refusals.set(name, before + 1);
  return Math.min(REFUSED_AGAIN_MS, AGAIN_MS * 2 ** before);
}

/** The same for all runs that one refusal concerns, so that it is said once. */
function sentence({ facts }: Tracked, name: string, error: Error): string {
  if (!isRefused(error)) return `run ${facts.order.runId} (${name}): ${error.message}`;
  const why = error.kind === 'forbidden' ? error.sentence.replace(/^.* is forbidden: /, '') : 'it is not there';
  return `the cluster refuses what runs in namespace '${facts.namespace}' need (${name}): ${why}`;
}

function isRefused(error: Error) {
  return isKube(error, 'forbidden') || isKube(error, 'not_found');
}
