import { difference, rangeSet } from '@switchyard/core/spec/range-set.ts';
import type { JobEvent, JobFacts, LocalJob } from './job.ts';

/** A job as it was accepted, before any of its tasks started. */
export function newJob(facts: JobFacts): LocalJob {
  return { facts, waiting: rangeSet(facts.tasks), running: new Map(), ended: [] };
}

/** Applies one line of the job's history. */
export function replay(job: LocalJob, event: JobEvent): void {
  switch (event.type) {
    case 'started': {
      const { task, process, atMs } = event;
      job.waiting = difference(job.waiting, [[task, task]]);
      job.running.set(task, {
        task,
        process,
        startedAtMs: atMs,
        ending: null,
        signalled: false,
        payloadKilledAtMs: null,
      });
      return;
    }
    case 'ending': {
      const { end, reason, atMs } = event;
      const running = job.running.get(event.task);
      if (running) running.ending = { end, reason, atMs };
      return;
    }
    case 'signalled': {
      const running = job.running.get(event.task);
      if (running) running.signalled = true;
      return;
    }
    case 'ended':
      noteEnd(job, event);
  }
}

function noteEnd(job: LocalJob, event: Extract<JobEvent, { type: 'ended' }>): void {
  const { end, exitCode, signal, reason, atMs } = event;
  const tasks = rangeSet(event.tasks);
  const [first] = tasks;
  const startedAtMs = (first && job.running.get(first[0])?.startedAtMs) ?? null;
  for (const task of job.running.keys())
    if (tasks.some(([low, high]) => task >= low && task <= high)) job.running.delete(task);
  job.waiting = difference(job.waiting, tasks);
  job.ended.push({ tasks, end, exitCode, signal, reason, startedAtMs, endedAtMs: atMs });
}
