import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { LogSlice } from './backend.ts';

/** The most that one answer carries. */
const MOST_BYTES = 1_048_576;
const LOOK_AGAIN_MS = 200;

/** A piece of an output file; waits up to `waitMs` for bytes that are not there yet, unless nothing more will come. */
export async function readOutput(request: {
  readonly path: string;
  readonly offset: number;
  readonly limitBytes: number;
  readonly waitMs: number;
  /** Asked anew after each look: the task may end while we wait. */
  readonly hasEnded: () => boolean;
}): Promise<LogSlice> {
  const until = performance.now() + request.waitMs;
  for (;;) {
    const ended = request.hasEnded();
    const slice = await readOnce(request, ended);
    if (slice.data.length > 0 || slice.end || slice.problem !== '' || performance.now() >= until) return slice;
    await delay(Math.min(LOOK_AGAIN_MS, Math.max(1, until - performance.now())));
  }
}

async function readOnce(
  { path, offset, limitBytes }: { path: string; offset: number; limitBytes: number },
  ended: boolean,
): Promise<LogSlice> {
  try {
    // A pipe or a device would block or never end; O_NONBLOCK keeps the open itself from waiting for a writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size } = await fileSize(file, path);
      const bytes = Buffer.alloc(Math.max(0, Math.min(limitBytes, MOST_BYTES, size - offset)));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, offset);
      return { data: bytes.subarray(0, bytesRead), end: ended && offset + bytesRead >= size, problem: '' };
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return nothing(ended, ended ? `there is no file ${path}` : '');
    return nothing(ended, message);
  }
}

async function fileSize(file: FileHandle, path: string): Promise<{ size: number }> {
  const facts = await file.stat();
  if (!facts.isFile()) throw new Error(`${path} is no regular file`);
  return facts;
}

function nothing(end: boolean, problem: string): LogSlice {
  return { data: new Uint8Array(), end, problem };
}
