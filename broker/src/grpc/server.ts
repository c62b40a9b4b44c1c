import { type Metadata, Server, status } from '@grpc/grpc-js';
import { AgentServiceService } from '@switchyard/proto/switchyard/v1/agent.ts';
import type { Database, Notification } from '../db/database.ts';
import type { Log } from '../log.ts';
import { type AgentCall, type AgentStream, agentStream } from './agent-stream.ts';
import { type GrpcEndpoint, serverCredentials } from './server-credentials.ts';
import { type LiveSession, REPLACED, serveSession } from './session.ts';

export type GrpcServer = {
  readonly port: number;
  /** Ends every session of this process; the agents connect again. */
  closeSessions(reason: string): void;
  stop(): Promise<void>;
};

/** A script of 1 MiB, its environment and its JSON escapes fit; more is no message of ours. */
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;
/** A dead connection is noticed within half a minute, before its cluster counts as out of sight. */
const KEEPALIVE_TIME_MS = 15_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
/** Streams of this process, those without a hello included. */
const MAX_SESSIONS = 512;

/** Serves the agents. One stream is one session; one notification connection of the process wakes them all. */
export async function startGrpc(options: {
  readonly db: Database;
  /** Unique to this process. */
  readonly holder: string;
  readonly config: GrpcEndpoint;
  readonly log: Log;
}): Promise<GrpcServer> {
  const { db, holder, config, log } = options;
  const streams = new Set<AgentStream>();
  const served = new Set<Promise<void>>();
  const live = new Map<string, LiveSession>();

  const open = (call: AgentCall) => {
    const stream = agentStream(call);
    // A hello must come after the connection that placement relies on, or it says nothing about that database.
    if (db.connectedSinceMs() === null)
      return stream.close(status.UNAVAILABLE, 'the broker has no database at the moment; connect again');
    if (streams.size >= MAX_SESSIONS)
      return stream.close(status.RESOURCE_EXHAUSTED, 'this broker has too many sessions');
    streams.add(stream);
    const done = serve(stream, bearerToken(call.metadata)).finally(() => {
      streams.delete(stream);
      served.delete(done);
    });
    served.add(done);
  };
  const serve = async (stream: AgentStream, token: string | null) => {
    let own: LiveSession | undefined;
    const onLive = (session: LiveSession) => {
      live.get(session.cluster)?.close(status.FAILED_PRECONDITION, REPLACED);
      live.set(session.cluster, session);
      own = session;
    };
    await serveSession({ db, holder, log, token, stream, onLive });
    if (own && live.get(own.cluster) === own) live.delete(own.cluster);
  };
  const closeSessions = (reason: string) => {
    for (const stream of streams) stream.close(status.UNAVAILABLE, reason);
  };

  const server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  });
  server.addService(AgentServiceService, { session: open });
  const port = await bind(server, config);

  const endListening = db.listen(
    (notification) => wake(live, notification),
    () => wakeAll(live),
  );
  // Whoever answers now may be a database that went back in time: the hellos of the agents will tell.
  const endWatching = db.onConnectionLost(() => closeSessions('the broker lost its database; connect again'));

  return {
    port,
    closeSessions,
    async stop() {
      endListening();
      endWatching();
      closeSessions('the broker is stopping');
      await shutdown(server);
      await Promise.all(served);
    },
  };
}

function bearerToken(metadata: Metadata): string | null {
  const [header] = metadata.get('authorization');
  return typeof header === 'string' ? (/^Bearer ([!-~]{1,512})$/i.exec(header)?.[1] ?? null) : null;
}

function bind(server: Server, config: GrpcEndpoint): Promise<number> {
  const host = config.host.includes(':') && !config.host.startsWith('[') ? `[${config.host}]` : config.host;
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${config.port}`, serverCredentials(config), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}

function wake(live: ReadonlyMap<string, LiveSession>, notification: Notification): void {
  if (notification.t === 'runs') live.get(notification.c)?.wake();
}

function wakeAll(live: ReadonlyMap<string, LiveSession>): void {
  for (const session of live.values()) session.wake();
}

/** Streams that were told to end get a moment for it. */
function shutdown(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.forceShutdown(), 1000);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
