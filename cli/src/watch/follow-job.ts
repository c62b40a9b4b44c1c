import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient } from '../api/api-client.ts';
import { ApiFailure, NoAnswer } from '../api/api-failure.ts';
import type { Job } from '../api/api-types.ts';
import { ENDED } from '../format/job-words.ts';
import { type Bell, createBell } from './bell.ts';

export type Follow = {
  readonly signal: AbortSignal;
  readonly onState: (job: Job) => void;
  /** The broker does not answer; the wait goes on. */
  readonly onSilence: (problem: Error) => void;
  /** False: no events, only a look now and then, for many jobs at once. */
  readonly live?: boolean;
  readonly lookEveryMs?: number;
  readonly patienceMs?: number;
};

/**
 * Follows a job to its end. The job itself is read each time and the events only say when to look, so that nothing depends on
 * an event that got lost; a broker that restarts is waited for.
 */
export async function followJob(client: ApiClient, id: string, follow: Follow): Promise<Job> {
  const bell = createBell();
  const finished = new AbortController();
  const signal = AbortSignal.any([follow.signal, finished.signal]);
  const listening = follow.live === false ? undefined : listen(client, id, bell, signal);
  try {
    for (;;) {
      const job = await readPatiently(client, id, follow);
      follow.onState(job);
      if (ENDED.has(job.state)) return job;
      await bell.heard(follow.lookEveryMs ?? LOOK_EVERY_MS, follow.signal);
    }
  } finally {
    finished.abort();
    await listening;
  }
}

/** What no event tells (a cluster out of sight, a native state) is seen this late. */
export const LOOK_EVERY_MS = 5_000;
/** Longer than the restart of any broker. */
const PATIENCE_MS = 600_000;
const PAUSE_MS = 1_000;

async function readPatiently(client: ApiClient, id: string, follow: Follow): Promise<Job> {
  const { signal, onSilence, patienceMs = PATIENCE_MS } = follow;
  const givesUpAt = performance.now() + patienceMs;
  for (;;) {
    try {
      return await client.get<Job>(`/v1/jobs/${id}`, undefined, signal);
    } catch (error) {
      if (!passes(error) || performance.now() > givesUpAt) throw error;
      onSilence(error as Error);
      await delay(PAUSE_MS, undefined, { signal });
    }
  }
}

function passes(error: unknown): boolean {
  return error instanceof NoAnswer || (error instanceof ApiFailure && (error.status >= 500 || error.status === 429));
}

/** Rings at every event, and when the stream ends; opens it again until the wait is over. */
async function listen(client: ApiClient, id: string, bell: Bell, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const _ of client.events(`/v1/jobs/${id}/events`, { follow: true }, signal)) bell.ring();
      bell.ring();
    } catch (error) {
      if (!passes(error)) return;
    }
    await delay(PAUSE_MS, undefined, { signal }).catch(() => {});
  }
}
