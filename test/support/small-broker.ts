import { acceptJobs } from '@switchyard/broker/db/accept-jobs.ts';
import { addCluster } from '@switchyard/broker/db/add-cluster.ts';
import type { Database } from '@switchyard/broker/db/database.ts';
import { jobToAccept } from '@switchyard/broker/db/testing/job-to-accept.ts';
import { type GrpcServer, startGrpc } from '@switchyard/broker/grpc/server.ts';
import { silentLog } from '@switchyard/broker/log.ts';
import { type Scheduler, startScheduler } from '@switchyard/broker/scheduler/leader.ts';
import type { SchedulerSettings } from '@switchyard/broker/scheduler/settings.ts';
import { newToken, tokenHash } from '@switchyard/broker/token.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { connectFakeAgent, type FakeAgent, type FakeAgentOptions } from './fake-agent.ts';
import { type FreshDatabase, freshDatabase } from './postgres.ts';
import { until } from './until.ts';

/** Scheduler and agent server of one broker process, on a database of their own, without HTTP. */
export type SmallBroker = {
  readonly db: Database;
  /** One statement past every wall: what no code of ours may do. */
  asSuperuser: FreshDatabase['asSuperuser'];
  readonly grpc: GrpcServer;
  readonly scheduler: Scheduler;
  /** Another scheduler on the same database, as a second replica would have. */
  addScheduler(holder: string, settings?: Partial<SchedulerSettings>): Scheduler;
  addCluster(name: string): Promise<void>;
  connect(cluster: string, options?: Partial<FakeAgentOptions>): FakeAgent;
  /** A connected agent whose cluster placement may use. */
  ready(cluster: string, options?: Partial<FakeAgentOptions>): Promise<FakeAgent>;
  submit(input?: Partial<JobSpecInput>): Promise<string>;
  job(id: string): Promise<JobRow>;
  runs(jobId: string): Promise<RunRow[]>;
  reaches(jobId: string, state: string): Promise<JobRow>;
  close(): Promise<void>;
};

type JobRow = {
  state: string;
  reason: string | null;
  queued: string;
  succeeded: string;
  failed: string;
  cancelled: string;
  attempts: number;
};
type RunRow = {
  id: string;
  cluster: string;
  state: string;
  outcome: string | null;
  reason: string | null;
  wanted: string | null;
  placement_number: number;
  attempt: number;
  native_id: string | null;
};

export async function startSmallBroker(settings: Partial<SchedulerSettings> = {}): Promise<SmallBroker> {
  const { db, close, asSuperuser } = await freshDatabase({ maxConnections: 10 });
  const grpc = await startGrpc({ db, holder: 'one', config: { host: '127.0.0.1', port: 0 }, log: silentLog });
  const schedulers: Scheduler[] = [];
  const agents: FakeAgent[] = [];
  const tokens = new Map<string, string>();

  const addScheduler = (holder: string, own: Partial<SchedulerSettings> = {}) => {
    const scheduler = startScheduler({ db, holder, settings: { ...settings, ...own }, log: silentLog });
    schedulers.push(scheduler);
    return scheduler;
  };
  const connect: SmallBroker['connect'] = (cluster, options) => {
    const agent = connectFakeAgent({ port: grpc.port, token: tokens.get(cluster) ?? '', cluster, ...options });
    agents.push(agent);
    return agent;
  };
  const job = async (id: string) => {
    const { rows } = await db.system.query<JobRow>('SELECT * FROM jobs WHERE id = $1', [id]);
    return rows[0]!;
  };

  const broker: SmallBroker = {
    db,
    asSuperuser,
    grpc,
    scheduler: addScheduler('one'),
    addScheduler,
    async addCluster(name) {
      const token = newToken('yc_');
      await addCluster(db, { name, tokenHash: tokenHash(token), actor: 'test' });
      tokens.set(name, token);
    },
    connect,
    async ready(cluster, options) {
      if (!tokens.has(cluster)) await broker.addCluster(cluster);
      const agent = connect(cluster, options);
      const { sessionEpoch } = await agent.welcome;
      await until(`${cluster} is reconciled and has reported`, async () => {
        const { rows } = await db.system.query(
          'SELECT 1 FROM clusters JOIN capacity_reports ON cluster = name WHERE name = $1 AND session_epoch = $2 AND reconciled_at >= hello_at',
          [cluster, sessionEpoch],
        );
        return rows.length === 1;
      });
      return agent;
    },
    async submit(input) {
      const job = jobToAccept(input);
      await acceptJobs(db, [job]);
      return job.id;
    },
    job,
    async runs(jobId) {
      const text = 'SELECT * FROM runs WHERE job_id = $1 ORDER BY placement_number';
      return (await db.system.query<RunRow>(text, [jobId])).rows;
    },
    reaches: (jobId, state) =>
      until(`job is ${state}`, async () => {
        const row = await job(jobId);
        return row.state === state && row;
      }),
    async close() {
      for (const agent of agents) agent.close();
      await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
      await grpc.stop();
      await close();
    },
  };
  return broker;
}
