import { status } from '@grpc/grpc-js';
import { clusterHello, type HelloAnswer } from '../db/cluster-hello.ts';
import type { Database } from '../db/database.ts';
import type { Session } from '../db/session.ts';
import { closeSession } from '../db/touch-session.ts';
import type { Log } from '../log.ts';
import { tokenHash } from '../token.ts';
import type { AgentStream, FromAgent, StatusCode } from './agent-stream.ts';
import { helloFromWire, PROTOCOL_VERSION } from './hello-from-wire.ts';
import { receiver } from './receiver.ts';
import { startSender } from './sender.ts';

export type LiveSession = Session & {
  /** Something changed that this agent may have to hear of. */
  wake(): void;
  close(code: StatusCode, details: string): void;
};

/** An agent that connects says hello at once; a stream that does not is no agent. */
const HELLO_WITHIN_MS = 10_000;

export const REPLACED = 'a newer session has replaced this one';

/** Serves one agent from its hello to the end of its stream. Never throws: whatever goes wrong ends this stream with a status. */
export async function serveSession(options: {
  readonly db: Database;
  readonly holder: string;
  readonly log: Log;
  readonly token: string | null;
  readonly stream: AgentStream;
  readonly onLive: (session: LiveSession) => void;
}): Promise<void> {
  const { stream, log } = options;
  try {
    const begun = await begin(options);
    if (begun) await serve(begun.session, begun.rest, options);
  } catch (error) {
    log.error({ err: error }, 'an agent session failed');
    stream.close(status.UNAVAILABLE, 'the broker could not serve this session; connect again');
  }
}

type Options = Parameters<typeof serveSession>[0];

async function begin({
  db,
  holder,
  token,
  stream,
}: Options): Promise<{ session: Session; rest: readonly FromAgent[] } | null> {
  if (token === null)
    return refuse(stream, status.UNAUTHENTICATED, 'send the metadata "authorization: Bearer <token>"');
  const [first, ...rest] = await firstMessages(stream);
  if (first?.$case !== 'hello') return refuse(stream, status.FAILED_PRECONDITION, 'the first message must be Hello');
  const read = helloFromWire(first.value);
  if (!read.ok) return refuse(stream, status.FAILED_PRECONDITION, read.sentence);
  const answer = await clusterHello(db, { tokenHash: tokenHash(token), hello: read.hello, holder });
  if (!answer.ok) return refuse(stream, refusalStatus[answer.code], answer.sentence);
  const { sessionEpoch, federation, placementNumber } = answer;
  await stream.write({
    $case: 'welcome',
    value: { protocolVersion: PROTOCOL_VERSION, sessionEpoch, federation, placementNumber },
  });
  return { session: { cluster: read.hello.cluster, sessionEpoch }, rest };
}

const refusalStatus: Record<Extract<HelloAnswer, { ok: false }>['code'], StatusCode> = {
  unauthenticated: status.UNAUTHENTICATED,
  wrong_cluster: status.PERMISSION_DENIED,
  fingerprint_taken: status.FAILED_PRECONDITION,
  fingerprint_changed: status.FAILED_PRECONDITION,
};

function refuse(stream: AgentStream, code: StatusCode, sentence: string): null {
  stream.close(code, sentence);
  return null;
}

async function firstMessages(stream: AgentStream): Promise<readonly FromAgent[]> {
  const timer = setTimeout(() => stream.close(status.DEADLINE_EXCEEDED, 'no Hello arrived'), HELLO_WITHIN_MS);
  try {
    return (await stream.read()) ?? [];
  } finally {
    clearTimeout(timer);
  }
}

async function serve(session: Session, rest: readonly FromAgent[], options: Options): Promise<void> {
  const { db, stream } = options;
  const log = options.log;
  const fenced = () => stream.close(status.FAILED_PRECONDITION, REPLACED);
  const failed = (error: unknown) => {
    log.error({ err: error, cluster: session.cluster }, 'an agent session failed');
    stream.close(status.UNAVAILABLE, 'the broker could not serve this session; connect again');
  };
  const sender = startSender({ db, session, stream, fenced, failed });
  const receive = receiver({ db, session, stream, log, fenced, failed, wakeSender: sender.wake, open: sender.open });
  options.onLive({ ...session, wake: sender.wake, close: stream.close });
  log.info({ cluster: session.cluster, sessionEpoch: session.sessionEpoch }, 'an agent is connected');
  try {
    if (rest.length > 0) await receive.handle(rest);
    for (let messages = await stream.read(); messages !== null; messages = await stream.read())
      await receive.handle(messages);
  } catch (error) {
    failed(error);
  } finally {
    receive.stop();
    await sender.stop();
    // A database that is away says the same by its silence: the session's last sign of life grows old.
    await closeSession(db, session).catch(() => {});
    log.info({ cluster: session.cluster, sessionEpoch: session.sessionEpoch }, 'an agent is gone');
  }
}
