import { readFileSync } from 'node:fs';
import Fastify, { type FastifyInstance, type FastifyServerOptions, LogController } from 'fastify';
import { createAcceptQueue } from '../accept-queue.ts';
import type { Config } from '../config.ts';
import { type Acceptance, acceptJobs, type JobToAccept } from '../db/accept-jobs.ts';
import { countJobs } from '../db/count-jobs.ts';
import type { Database } from '../db/database.ts';
import { listClusters } from '../db/list-clusters.ts';
import { loadSnapshot } from '../db/load-snapshot.ts';
import { findToken } from '../db/tokens.ts';
import { createMetrics } from '../metrics.ts';
import { createAuthenticate, type Principal } from './auth.ts';
import { createClusterViews } from './cluster-views.ts';
import { createEventStreams } from './event-streams.ts';
import { zodCompiler } from './input.ts';
import { parseJsonBody } from './json-body.ts';
import { createNotifications } from './notifications.ts';
import { registerOpenApi } from './openapi.ts';
import type { Parts } from './parts.ts';
import { sendNotFound, sendProblem } from './problem.ts';
import { cancelJobRoute } from './routes/cancel-job.ts';
import { clusterRoutes } from './routes/clusters.ts';
import { getJobRoute } from './routes/get-job.ts';
import { healthRoutes } from './routes/health.ts';
import { jobEventsRoute } from './routes/job-events.ts';
import { jobLogsRoute } from './routes/job-logs.ts';
import { listJobsRoute } from './routes/list-jobs.ts';
import { releaseJobRoute } from './routes/release-job.ts';
import { submitBatchRoute } from './routes/submit-batch.ts';
import { submitJobRoute } from './routes/submit-job.ts';
import { withdrawRunRoute } from './routes/withdraw-run.ts';
import { wantsStream } from './wants-stream.ts';

export type AppOptions = {
  readonly db: Database;
  readonly placement: Parts['placement'];
  readonly version: string;
  readonly grpcAddress?: () => string | null;
  readonly tls?: Config['http']['tls'];
  readonly logger?: FastifyServerOptions['logger'];
  /** Open event and log streams of this process. */
  readonly maxStreams?: number;
};

/** Counting a million jobs takes a tenth of a second: scrapers may not make it happen more often than this. */
const COUNT_MS = 10_000;
const EVERYONE = { viewer: { seeAll: true, groups: [] } };

/** The HTTP interface, ready to listen or to be asked by `inject`. Closing it answers what it took and ends every stream. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { tls, logger = false } = options;
  const app = Fastify({
    logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1_048_576,
    routerOptions: { maxParamLength: 256 },
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply),
    requestTimeout: 60_000,
    // A stream has no head worth asking for, and a broker that stops says so in its own words.
    exposeHeadRoutes: false,
    return503OnClosing: false,
    ...(tls ? { https: { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) } } : {}),
  }) as FastifyInstance;
  const parts = createParts(options, app);
  app.decorate('parts', parts);
  // Set for every request of /v1 before any handler runs.
  app.decorateRequest('principal', null as unknown as Principal);
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  app.setNotFoundHandler((request, reply) => sendNotFound(request, reply));
  app.setValidatorCompiler(zodCompiler);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (_request: unknown, body: string | Buffer) => parseJsonBody(String(body)),
  );
  app.addHook('onResponse', async (request, reply) => {
    // How long a reader followed says nothing about us.
    if (wantsStream(request)) return;
    const route = request.routeOptions.url ?? 'none';
    parts.metrics.request(route, request.method, reply.statusCode, reply.elapsedTime / 1000);
  });

  await registerOpenApi(app, options.version);
  await app.register(healthRoutes);
  await app.register(authenticatedRoutes);
  return app;
}

/** Everything below /v1 knows who asks. */
async function authenticatedRoutes(app: FastifyInstance): Promise<void> {
  const authenticate = createAuthenticate((hash) => findToken(app.parts.db, hash));
  app.addHook('onRequest', async (request) => {
    request.principal = await authenticate(request.headers.authorization);
  });
  await app.register(submitJobRoute);
  await app.register(submitBatchRoute);
  await app.register(listJobsRoute);
  await app.register(getJobRoute);
  await app.register(cancelJobRoute);
  await app.register(releaseJobRoute);
  await app.register(jobEventsRoute);
  await app.register(jobLogsRoute);
  await app.register(clusterRoutes);
  await app.register(withdrawRunRoute);
}

function createParts(
  { db, placement, grpcAddress = () => null, maxStreams = 1000 }: AppOptions,
  app: FastifyInstance,
): Parts {
  const accepts = createAcceptQueue<JobToAccept, Acceptance>({
    flush: (jobs) => acceptJobs(db, jobs),
    onFlush: (jobs, seconds) => metrics.flush(jobs, seconds),
  });
  const streams = createEventStreams(maxStreams);
  const notifications = createNotifications();
  const stopListening = db.listen(notifications.publish, () => notifications.publish({ t: '*' }));
  const metrics = createMetrics({
    jobsByState: atMostEvery(COUNT_MS, () => countJobs(db)),
    clusters: async () =>
      (await listClusters(db, EVERYONE.viewer)).items.map(({ name, state, reportAgeMs }) => ({
        name,
        connected: state === 'connected',
        reportAgeSeconds: reportAgeMs === null ? null : reportAgeMs / 1000,
      })),
    acceptsWaiting: accepts.waiting,
    openStreams: streams.count,
  });
  const clusterViews = createClusterViews({ ...placement, load: () => loadSnapshot(db, { maxJobs: 0 }) });
  let stopping = false;
  app.addHook('preClose', async () => {
    stopping = true;
    streams.closeAll();
    await accepts.close();
  });
  app.addHook('onClose', async () => stopListening());
  return {
    ...{ db, placement, accepts, clusterViews, notifications, streams, metrics, grpcAddress },
    isStopping: () => stopping,
  };
}

/** The same answer for everybody who asks within the time. */
function atMostEvery<Answer>(ms: number, ask: () => Promise<Answer>): () => Promise<Answer> {
  let last: { at: number; answer: Promise<Answer> } | null = null;
  return () => {
    if (last === null || performance.now() - last.at > ms) {
      const answer = ask();
      last = { at: performance.now(), answer };
      answer.catch(() => {
        last = null;
      });
    }
    return last.answer;
  };
}
