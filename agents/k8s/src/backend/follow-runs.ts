import { difference } from '@switchyard/core/spec/range-set.ts';
import { firstBoundMs, isLetGo, isWhole } from '../facts/gang.ts';
import { GIVE_WAY_MS, givesWayTo, heldBackBy, isHalfBound } from '../facts/gang-turn.ts';
import { lostNodeDueMs } from '../facts/pod-end.ts';
import { isLeaving, isOver, type PodFacts } from '../facts/pod-facts.ts';
import { hasEnded, openTasks, type RunFacts, tasksOf } from '../facts/run-facts.ts';
import { settleRun } from '../facts/settle-run.ts';
import { inBackground, isRested } from './background.ts';
import { confirmRun } from './confirm-run.ts';
import { giveBackGang, letGangGo, nameNodes } from './gang-work.ts';
import { killRun } from './kill-run.ts';
import { type KubeState, noteChange, type Tracked } from './kube-state.ts';
import { rejectPods } from './reject-pods.ts';
import { hasPodsToStart, startPods } from './start-pods.ts';
import { takeBack } from './take-back.ts';

const KILL_AGAIN_MS = 15_000;
const TAKE_BACK_AGAIN_MS = 2000;
const OTHERS_AGAIN_MS = 1000;

/** Looks at every run of which something was heard or whose time has come, and starts what is to be done about it. */
export function followRuns(state: KubeState): void {
  const nowMs = state.now();
  for (const [runId, dueMs] of state.due) if (dueMs <= nowMs) state.dirty.add(runId);
  const runIds = [...state.dirty];
  state.dirty.clear();
  for (const runId of runIds) {
    state.due.delete(runId);
    const run = state.runs.get(runId);
    if (run) followOne(state, run, nowMs);
  }
}

/** One that holds something unheard of must not stop all others. */
function followOne(state: KubeState, run: Tracked, nowMs: number): void {
  try {
    follow(state, run, nowMs);
  } catch (error) {
    state.warn(`run ${run.facts.order.runId} cannot be followed: ${(error as Error).stack ?? error}`);
  }
}

function follow(state: KubeState, run: Tracked, nowMs: number): void {
  const { facts } = run;
  state.queues.look(run);
  facts.behind = heldBackBy(facts, allFacts(state))?.order.jobNumber ?? 0;
  settleRun(facts, { nowMs, lostNodeMs: state.config.lostNodeSeconds * 1000 });
  noteChange(state, run);
  if (state.closed) return;
  state.queues.follow(run);
  const wanted = hasEnded(facts) ? [] : work(state, run, nowMs);
  for (const { name, doIt } of wanted) if (isRested(run, name, nowMs)) inBackground(state, run, name, doIt);
  const next = nextDueMs(state, run, nowMs);
  if (next > 0) state.due.set(facts.order.runId, next);
}

type Work = { readonly name: string; readonly doIt: () => Promise<unknown> };

function work(state: KubeState, run: Tracked, nowMs: number): Work[] {
  const { facts } = run;
  const wanted: Work[] = [];
  const want = (name: string, doIt: Work['doIt']) => wanted.push({ name, doIt });
  if (run.missing || run.lost || isSilent(facts)) want('confirm', () => confirmRun(state, run));
  if (!facts.placed || facts.jobGone) return wanted;
  // Of an array with many pods this is the dearest question.
  if (isRested(run, 'start', nowMs) && hasPodsToStart(run)) want('start', () => startPods(state, run));
  if (facts.gang > 0 && !facts.asked && !facts.cancelWanted) {
    if (!run.hasService) want('service', () => nameNodes(state, run));
    if (isLetGo(facts) ? hasUntold(facts) : isWhole(facts)) want('go', () => letGangGo(state, run));
    else if (!isLetGo(facts) && nowMs >= gangDueMs(state, facts))
      want('give back', () => giveBackGang(state, run, givesWayTo(facts, allFacts(state))));
  }
  if (isHalfTakenBack(facts)) want('take back', () => takeRestBack(state, run));
  if (inTrouble(state, facts, nowMs).length > 0)
    want('reject', () => rejectPods(state, run, () => inTrouble(state, facts, state.now())));
  if (mustEnd(facts) && nowMs - run.killedAtMs >= KILL_AGAIN_MS) want('kill', () => killRun(state, run));
  return wanted;
}

/** An agent that starts again finds the wish on the Job: whoever had it may have been told already that it came true. */
function isHalfTakenBack(facts: RunFacts): boolean {
  if (facts.asked === null || facts.gang > 0 || !facts.job?.gated || facts.job.finished) return false;
  return difference(openTasks(facts), facts.job.lost).length > 0;
}

async function takeRestBack(state: KubeState, run: Tracked): Promise<void> {
  const { asked } = run.facts;
  if (asked) await takeBack(state, run, asked);
  run.notBefore.set('take back', state.now() + TAKE_BACK_AGAIN_MS);
}

function mustEnd({ cancelWanted, lostPart }: RunFacts): boolean {
  return cancelWanted || lostPart;
}

/** Some pods of a gang have heard the word to go and this one has not. */
function hasUntold(facts: RunFacts): boolean {
  return [...facts.pods.values()].some((pod) => pod.goAtMs === 0 && !pod.gated && !isLeaving(pod));
}

/** The Job is over, or gone, and of some tasks no pod is there that could say how they ended. */
function isSilent(facts: RunFacts): boolean {
  if (facts.podsConfirmed || !facts.placed) return false;
  if (!facts.jobGone && !facts.job?.finished) return false;
  const pods = [...facts.pods.values()];
  if (!facts.isArray) return pods.length === 0;
  return (
    difference(openTasks(facts), tasksOf(facts, [...pods].map(({ index }) => [index, index] as const).sort(byFirst)))
      .length > 0
  );
}

function byFirst([left]: readonly [number, number], [right]: readonly [number, number]): number {
  return left - right;
}

/** Pods whose container cannot be made, for longer than the configuration allows. */
function inTrouble(state: KubeState, facts: RunFacts, nowMs: number): PodFacts[] {
  return [...facts.pods.values()].filter(
    (pod) => pod.deletedAtMs === 0 && !pod.gone && troubleDueMs(state, pod) > 0 && nowMs >= troubleDueMs(state, pod),
  );
}

function troubleDueMs(state: KubeState, { troubleSinceMs }: PodFacts): number {
  return troubleSinceMs === 0 ? 0 : troubleSinceMs + state.config.imagePullSeconds * 1000;
}

/** Never, while none of the gang has a node: then it waits as any other job does. */
function gangDueMs(state: KubeState, facts: RunFacts): number {
  const sinceMs = firstBoundMs(facts);
  if (sinceMs === 0) return Number.POSITIVE_INFINITY;
  const dueMs = sinceMs + state.config.gangSeconds * 1000;
  const first = givesWayTo(facts, allFacts(state));
  return first === null ? dueMs : Math.min(dueMs, Math.max(sinceMs, firstBoundMs(first)) + GIVE_WAY_MS);
}

function* allFacts({ runs }: KubeState): Iterable<RunFacts> {
  for (const { facts } of runs.values()) yield facts;
}

/** When the run is to be looked at again although nothing is heard of it; 0: it is not. */
function nextDueMs(state: KubeState, run: Tracked, nowMs: number): number {
  const { facts } = run;
  if (hasEnded(facts)) return 0;
  const times: number[] = [];
  for (const [name, ms] of run.notBefore) {
    if (ms > nowMs) times.push(ms);
    else run.notBefore.delete(name);
  }
  if (run.lost) times.push(nowMs + state.patience.secondLookMs);
  if (mustEnd(facts) && facts.placed) times.push(run.killedAtMs + KILL_AGAIN_MS);
  if (facts.gang > 0 && !isLetGo(facts)) times.push(gangDueMs(state, facts));
  // What becomes of the others of its pool is no news of this run.
  if (facts.behind > 0 || isHalfBound(facts)) times.push(nowMs + OTHERS_AGAIN_MS);
  for (const pod of facts.pods.values()) {
    if (isOver(pod) || pod.gone) continue;
    times.push(troubleDueMs(state, pod), lostNodeDueMs(pod, state.config.lostNodeSeconds * 1000));
  }
  // What is past was looked at just now, and is looked at again when it changes or when a failed work may be repeated.
  const coming = times.filter((ms) => ms > nowMs && Number.isFinite(ms));
  return coming.length === 0 ? 0 : Math.max(nowMs + 200, Math.min(...coming));
}
