import type { PolicyName } from '@switchyard/core/placement/snapshot.ts';
import type { AcceptQueue } from '../accept-queue.ts';
import type { Acceptance, JobToAccept } from '../db/accept-jobs.ts';
import type { Database } from '../db/database.ts';
import type { Metrics } from '../metrics.ts';
import type { Principal } from './auth.ts';
import type { ClusterViews } from './cluster-views.ts';
import type { EventStreams } from './event-streams.ts';
import type { Notifications } from './notifications.ts';

/** What the routes share; made once per application. */
export type Parts = {
  readonly db: Database;
  readonly accepts: AcceptQueue<JobToAccept, Acceptance>;
  readonly clusterViews: ClusterViews;
  readonly notifications: Notifications;
  readonly streams: EventStreams;
  readonly metrics: Metrics;
  /** Where agents dial: `host:port`, known once the gRPC server listens. */
  readonly grpcAddress: () => string | null;
  readonly placement: { readonly policy: PolicyName; readonly staleAfterMs: number };
  readonly isStopping: () => boolean;
};

declare module 'fastify' {
  interface FastifyInstance {
    parts: Parts;
  }
  interface FastifyRequest {
    principal: Principal;
  }
}
