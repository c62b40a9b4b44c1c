import { setTimeout as delay } from 'node:timers/promises';
import type { LogRequest, LogSlice } from '@switchyard/agent-runtime/backend.ts';
import type { KubeClient } from '../client/kube-client.ts';
import { KubeError } from '../client/kube-error.ts';
import { createLogCursors, type LogCursor } from './log-cursor.ts';
import { LogNoise } from './log-lines.ts';
import { openPodLog, PlaceLost, type PodAddress, type PodLog, type Way } from './pod-log.ts';

/** The pod whose container wrote, or will write, what is asked for. */
export type PodToRead = PodAddress & {
  /** Pods of the same name one after another are different outputs. */
  readonly uid: string;
  /** Asked again and again: the container may start or end while a reader waits. */
  readonly hasStarted: () => boolean;
  readonly hasEnded: () => boolean;
};

export type LogReader = {
  /** The bytes of a pod's output from an offset on; never throws. */
  read(pod: PodToRead, request: Pick<LogRequest, 'offset' | 'limitBytes' | 'waitMs'>): Promise<LogSlice>;
  close(): void;
};

/** Streams that stay open for the next piece; each holds at most one chunk, and the rest waits at the server. */
const MOST_OPEN = 32;
const IDLE_MS = 15_000;
/** A stream that says nothing for so long may be dead without knowing it. */
const SILENT_MS = 30_000;
const LOOK_AGAIN_MS = 250;
/** How long a reader that does not want to wait waits for an API server that does not answer. */
const PATIENCE_MS = 3_000;
/** One after another; twice the last, because a node that stops in the middle of an answer looks as if it had lost something. */
const WAYS: readonly Way[] = ['since', 'beginning', 'line', 'line'];
const SKIP_BYTES = 1_048_576;
const THROWN_AWAY =
  'the node has thrown a part of the output away before it was read; what follows that part can be read';

/** `isFinal`: opened after the container had ended. */
type Stream = { readonly key: string; readonly log: PodLog; readonly isFinal: boolean };
type Idle = Stream & { readonly timer: NodeJS.Timeout };

/**
 * Reads outputs through the API server by byte offset. Following costs what is new: the stream stays open between the pieces,
 * and where it was cut it goes on from the last second. A cursor that is not known means reading from the beginning.
 */
export function createLogReader(
  client: Pick<KubeClient, 'stream'>,
  { lookAgainMs = LOOK_AGAIN_MS }: { readonly lookAgainMs?: number } = {},
): LogReader {
  const cursors = createLogCursors();
  /** Not in use; the one that waits longest first. */
  const idle: Idle[] = [];

  const shut = ({ key, log }: Stream) => {
    cursors.put(key, log.cursor());
    log.close();
  };
  const take = (stream: Idle) => {
    idle.splice(idle.indexOf(stream), 1);
    clearTimeout(stream.timer);
  };
  const drop = (stream: Idle) => {
    take(stream);
    shut(stream);
  };
  const keep = (stream: Stream) => {
    cursors.put(stream.key, stream.log.cursor());
    const kept: Idle = { ...stream, timer: setTimeout(() => drop(kept), IDLE_MS) };
    kept.timer.unref();
    idle.push(kept);
    if (idle.length > MOST_OPEN) drop(idle[0]!);
  };
  /** A stream that stands where reading goes on and still serves its purpose. */
  const reuse = (key: string, offset: number, wanted: { follow: boolean; isFinal: boolean }): Stream | null => {
    const found = idle.find((stream) => stream.key === key && stream.log.cursor().offset === offset);
    if (!found) return null;
    take(found);
    const isRight = found.log.isFollowing === wanted.follow && found.isFinal === wanted.isFinal;
    if (isRight && found.log.silentMs() < SILENT_MS) return found;
    shut(found);
    return null;
  };

  return {
    read: async (pod, request) => {
      const key = pod.uid;
      const reading = createReading(pod, request, lookAgainMs);
      let ways = WAYS;
      while (!reading.isDone()) {
        const isFinal = pod.hasEnded();
        if (!isFinal && !pod.hasStarted()) {
          if (await reading.pause()) continue;
          break;
        }
        const follow = request.waitMs > 0 && !isFinal;
        const offset = reading.offset();
        let stream: Stream | null = null;
        try {
          stream = reuse(key, offset, { follow, isFinal });
          const how = { from: cursors.find(key, offset), way: ways[0]!, follow, giveUpMs: reading.patienceMs() };
          stream ??= { key, isFinal, log: await openPodLog(client, pod, how) };
          const isOver = await reading.takeFrom(stream.log, isFinal);
          ways = WAYS;
          if (isOver) shut(stream);
          else keep(stream);
          if (isOver && !isFinal && !(await reading.pause())) break;
        } catch (error) {
          if (stream) shut(stream);
          if (error instanceof PlaceLost && ways.length > 1) ways = ways.slice(1);
          else if (error instanceof PlaceLost) {
            cursors.drop(key);
            cursors.put(key, afterTheGap(offset));
            reading.fail(THROWN_AWAY, false);
          } else if (!(await reading.overcome(error, isFinal))) break;
        }
      }
      return reading.slice();
    },
    close: () => {
      for (const stream of [...idle]) drop(stream);
    },
  };
}

/** Everything that the node has is newer than what was read. */
function afterTheGap(offset: number): LogCursor {
  return { offset, since: null, bytes: 0, line: null };
}

/** One request, on its way to an answer. */
function createReading(
  pod: PodToRead,
  request: Pick<LogRequest, 'offset' | 'limitBytes' | 'waitMs'>,
  lookAgainMs: number,
) {
  const until = performance.now() + request.waitMs;
  const patientUntil = performance.now() + Math.max(request.waitMs, PATIENCE_MS);
  const parts: Buffer[] = [];
  let { offset } = request;
  let left = request.limitBytes;
  let end = false;
  let done = false;
  let problem = '';
  let endSeenAt = -1;

  /**
   * Whether two streams that were opened after the container's end came to theirs at the same place: an answer that breaks off
   * between node and API server looks like one that is complete.
   */
  const isEndAgain = (log: PodLog): boolean => {
    const at = log.cursor().offset;
    const isAgain = endSeenAt === at && log.given() === 0;
    endSeenAt = at;
    return isAgain;
  };
  const finish = (changes: { end?: boolean; problem?: string } = {}) => {
    done = true;
    end = changes.end ?? false;
    problem = changes.problem ?? '';
  };
  /** What has been read is the answer; a problem can wait for the next question. */
  const fail = (sentence: string, isEnd: boolean) =>
    offset > request.offset ? finish() : finish({ problem: sentence, end: isEnd });
  const waitFor = async (ms: number, limit: number) => {
    if (offset > request.offset || performance.now() + ms > limit) return false;
    await delay(ms);
    return true;
  };

  return {
    isDone: () => done || left <= 0,
    offset: () => offset,
    patienceMs: () => Math.max(1, patientUntil - performance.now()),
    fail,
    /** Before another look; false: the time is over, or there is something to answer with. */
    pause: () => waitFor(lookAgainMs, until),
    /** True when the stream is over. */
    takeFrom: async (log: PodLog, hasEnded: boolean): Promise<boolean> => {
      while (log.cursor().offset < offset) {
        const { data, isOver } = await log.read(Math.min(SKIP_BYTES, offset - log.cursor().offset), PATIENCE_MS);
        if (isOver && hasEnded && isEndAgain(log))
          finish({ end: true, problem: `the node has only ${log.cursor().offset} bytes of this output` });
        else if (isOver ? !hasEnded : data.length === 0) finish();
        if (isOver || data.length === 0) return isOver;
      }
      const waitMs = log.isFollowing ? Math.max(0, until - performance.now()) : PATIENCE_MS;
      const { data, isOver } = await log.read(left, parts.length > 0 && log.isFollowing ? 0 : waitMs);
      parts.push(data);
      offset += data.length;
      left -= data.length;
      if (isOver && hasEnded && isEndAgain(log)) finish({ end: true });
      else if (!isOver) finish();
      else if (!hasEnded && !log.isFollowing) finish();
      return isOver;
    },
    /** True: it is worth another try. */
    overcome: async (error: unknown, hasEnded: boolean): Promise<boolean> => {
      if (error instanceof LogNoise) {
        if (await waitFor(lookAgainMs, patientUntil)) return true;
        fail(`the node answers with '${error.message}'`, hasEnded);
      } else if (!(error instanceof KubeError)) throw error;
      else if (error.kind === 'not_found') fail(`the pod ${pod.name} is gone, and its output with it`, hasEnded);
      else if (error.kind === 'forbidden') fail(`this agent may not read it: ${error.sentence}`, hasEnded);
      // 400: the container is not created yet, or not there any more.
      else if (error.kind === 'invalid' && !hasEnded) {
        if (await waitFor(lookAgainMs, until)) return true;
        finish();
      } else if (error.kind === 'invalid') fail(error.sentence, true);
      else {
        if (await waitFor(lookAgainMs, patientUntil)) return true;
        fail(`the API server does not answer: ${error.sentence}`, false);
      }
      return false;
    },
    slice: (): LogSlice => ({ data: Buffer.concat(parts), end, problem }),
  };
}
