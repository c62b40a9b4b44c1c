import type { JobState, Outcome, Reason, RunState } from './vocabulary.ts';

/** What the words of a job's life mean, in one sentence each, for the documentation and for people who ask. */
export const RUN_STATE_MEANINGS: Readonly<Record<RunState, string>> = {
  offered: 'reserved for a cluster; its agent is asked to submit it until it answers',
  placed: "in the cluster's own queue, or claimed there by nobody yet",
  running: 'the payload of at least one task has started: its claim is taken',
  ended: 'every task has its end, and an end is final',
};

export const OUTCOME_MEANINGS: Readonly<Record<Outcome, string>> = {
  succeeded: 'the payload exited with 0, and nothing stronger says otherwise',
  failed: 'the payload, its limits or its cluster ended it; the reason says which',
  cancelled: 'somebody wanted it to end, and its end is confirmed',
  withdrawn: 'the broker took the claim first: it never started and never will',
  refused: 'the cluster would not or could not start it: it never started and never will',
};

export const REASON_MEANINGS: Readonly<Record<Reason, string>> = {
  exit_code: 'the payload exited with a code other than 0',
  signal: 'a signal killed the payload',
  walltime: 'its time limit was reached',
  out_of_memory: 'it used more memory than it asked for, whatever its exit code says',
  node_failure: 'its node failed and it left no record of its end; it may have gone on for a while',
  preempted: 'the cluster took its place away for another job',
  rejected: 'clusters refused it too often; the detail holds the last sentence',
  cluster_lost: 'its cluster was out of sight for longer than retry.lostAfterSeconds, or was declared dead',
  dependency: 'a job that it depends on ended otherwise than it must',
  deadline: 'it could not start, or not end, by its deadline',
  cancelled_by_user: 'cancelled through Switchyard by its owner',
  cancelled_by_admin: 'cancelled through Switchyard by an administrator',
  cancelled_natively: "cancelled with the cluster's own command",
  unknown_end: 'it is gone and left no evidence of its end; success is never guessed',
};

export const JOB_STATE_MEANINGS: Readonly<Record<JobState, string>> = {
  held: 'nothing is out, and it waits to be released',
  queued: 'nothing is out, and it waits at the broker',
  placing: 'a run is offered to a cluster',
  placed: "a run is in a cluster's own queue",
  running: 'a run has started',
  succeeded: 'every task succeeded',
  failed: 'every task has ended, and at least one failed',
  cancelled: 'every task has ended, none failed, and at least one was cancelled',
};
