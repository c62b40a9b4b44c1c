import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, openSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { outputPath } from '@switchyard/core/spec/output-path.ts';
import { type JobFacts, type Launch, nativeIdOf } from './job.ts';
import { type Process, readProcess } from './processes.ts';

export type Start =
  | { readonly kind: 'started'; readonly child: ChildProcess; readonly process: Pick<Process, 'pid' | 'startTicks'> }
  /** Nothing runs; as a sentence. */
  | { readonly kind: 'failed'; readonly sentence: string };

/** Starts the wrapper of one task in a session of its own, which outlives this process. */
export function startTask(facts: JobFacts, task: number, launch: Launch, script: string): Start {
  const opened: number[] = [];
  try {
    checkWorkdir(launch.workdir);
    const paths = [launch.stdoutPath, launch.stderrPath].map((path) => outputPath(path, task, hostname()));
    opened.push(openPlain(launch.stdinPath ?? '/dev/null', 'read'));
    opened.push(openPlain(paths[0]!, 'append'));
    opened.push(paths[1] === paths[0] ? opened[1]! : openPlain(paths[1]!, 'append'));
    const child = spawn('/bin/sh', [script], {
      cwd: launch.workdir,
      env: environmentOf(facts, task, launch),
      stdio: opened,
      detached: true,
    });
    return startOf(child);
  } catch (error) {
    return { kind: 'failed', sentence: (error as Error).message };
  } finally {
    for (const descriptor of new Set(opened)) closeSync(descriptor);
  }
}

/** The wrapper reads its task from the variable that Slurm would set. */
function environmentOf(facts: JobFacts, task: number, { environment }: Launch): NodeJS.ProcessEnv {
  return {
    ...environment,
    ...(facts.isArray ? { SLURM_ARRAY_TASK_ID: String(task) } : {}),
    YARD_NATIVE_ID: nativeIdOf(facts, task),
  };
}

/** The child cannot be reaped before this turn of the event loop ends: its start time can be read even if it is over. */
function startOf(child: ChildProcess): Start {
  // Too many processes or descriptors come as an event (child_process.spawn), without a pid.
  child.on('error', () => {});
  child.unref();
  try {
    const process = child.pid === undefined ? null : readProcess(child.pid, 'even a zombie');
    if (process) return { kind: 'started', child, process };
  } catch {
    // Nobody could end it later: it must not come as far as its claim.
    child.kill('SIGKILL');
  }
  return { kind: 'failed', sentence: 'this host has no room for another process' };
}

/** spawn would blame the shell for it. */
function checkWorkdir(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) throw new Error(`the working directory ${path} does not exist`);
  if (!found.isDirectory()) throw new Error(`the working directory ${path} is not a directory`);
}

/** A pipe would wait for its other end, and this process with it. */
function openPlain(path: string, mode: 'read' | 'append'): number {
  if (statSync(path, { throwIfNoEntry: false })?.isFIFO()) throw new Error(`${path} is a named pipe`);
  const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_NOCTTY } = constants;
  return openSync(path, O_NOCTTY | (mode === 'read' ? O_RDONLY : O_WRONLY | O_APPEND | O_CREAT), 0o666);
}
