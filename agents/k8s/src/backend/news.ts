import { deleteDoomed } from './doomed-jobs.ts';
import { followRuns } from './follow-runs.ts';
import { releaseHeld } from './held-pods.ts';
import type { KubeState } from './kube-state.ts';

/** Events come in bursts: what they change is looked at, and told, together. */
const TOGETHER_MS = 20;
const TICK_MS = 1000;

/** Looks at what has changed a moment after it has, and when something is due; tells whoever listens. */
export function watchForNews(state: KubeState) {
  let listener: (() => void) | null = null;
  let timer: NodeJS.Timeout | null = null;
  let strays = 0;
  const look = () => {
    timer = null;
    if (state.closed) return;
    followRuns(state);
    releaseHeld(state);
    const isNews = state.changed.size > 0 || state.strays.size !== strays;
    strays = state.strays.size;
    if (isNews) listener?.();
  };
  state.wake = () => {
    timer ??= setTimeout(look, TOGETHER_MS);
  };
  const tick = setInterval(() => {
    deleteDoomed(state);
    look();
  }, TICK_MS);
  return {
    listen: (told: () => void) => {
      listener = told;
    },
    close: () => {
      clearInterval(tick);
      if (timer) clearTimeout(timer);
    },
  };
}
