import { type KubeState, type Tracked, touch } from './kube-state.ts';

const AGAIN_MS = 2000;
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
    .then(() => run.notBefore.set(name, Math.max(run.notBefore.get(name) ?? 0, state.now() + REST_MS)))
    .catch((error: Error) => {
      run.notBefore.set(name, state.now() + AGAIN_MS);
      if (!state.closed) state.warn(`run ${run.facts.order.runId} (${name}): ${error.message}`);
    })
    .finally(() => {
      run.busy.delete(name);
      touch(state, run);
    });
}
