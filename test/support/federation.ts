import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { stringify } from 'yaml';
import { Api } from './api.ts';
import { freePort, type PostgresServer, startPostgresServer } from './postgres-server.ts';
import { type Program, startProgram } from './process.ts';
import { until } from './until.ts';

/** What an agent's YAML says beyond what the federation fills in (cluster, broker, token, stateDir). */
type AgentSettings = {
  kind: 'slurm' | 'local' | 'kubernetes';
  backlog?: number;
  slurm?: { conf: string };
  local?: { cpus: number; memoryMiB: number };
  kubernetes?: Record<string, unknown>;
  faults?: Record<string, unknown>;
  [more: string]: unknown;
};

/**
 * A broker and its agents as real processes on a real PostgreSQL, each of which a test may kill and start again.
 * Everything lies below one temporary folder and is gone after `close`.
 */
export type Federation = {
  readonly dir: string;
  readonly api: Api;
  /** Of the administrator that the first start made. */
  readonly token: string;
  readonly postgres: PostgresServer;
  broker: Program;
  readonly agents: Map<string, Program>;
  startBroker(): Promise<void>;
  startAgent(name: string): void;
  addCluster(name: string, settings: AgentSettings): Promise<void>;
  /** Waits until every agent that runs now has a session with the broker and the database that run now, and has reported in it. */
  connected(): Promise<void>;
  /** What runs, and the last that each program said, for the message of a failure. */
  describe(): unknown;
  /** A question to the broker's database, as its superuser. */
  query(sql: string): Promise<pg.QueryResult>;
  close(): Promise<void>;
};

const ROOT = join(import.meta.dirname, '../..');
const NODE = process.execPath;

/** `programs` runs bundles instead of the sources. */
export type FederationOptions = { env?: NodeJS.ProcessEnv; programs?: { broker: string; agent: string[] } };

export async function startFederation(options: FederationOptions = {}): Promise<Federation> {
  const programs = options.programs ?? {
    broker: join(ROOT, 'broker/src/main.ts'),
    agent: [join(ROOT, 'cli/src/main.ts'), 'agent', 'run'],
  };
  const dir = mkdtempSync(join(tmpdir(), 'switchyard-world-'));
  // An unprivileged PostgreSQL must be able to pass.
  chmodSync(dir, 0o711);
  const postgres = await startPostgresServer(join(dir, 'postgres'));
  await postgres.query('CREATE DATABASE switchyard');
  const [httpPort, grpcPort] = [await freePort(), await freePort()];
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    DATABASE_URL: postgres.url.replace(/postgres$/, 'switchyard'),
    SWITCHYARD_DATA_DIR: join(dir, 'data'),
    SWITCHYARD_HTTP_PORT: String(httpPort),
    SWITCHYARD_GRPC_PORT: String(grpcPort),
    SWITCHYARD_DEFAULT_CLUSTERS: 'none',
    SWITCHYARD_HELLO_JOB: 'false',
    XDG_CONFIG_HOME: join(dir, 'config'),
    NODE_COMPILE_CACHE: join(tmpdir(), 'switchyard-compile-cache'),
    ...options.env,
  };
  /** When the program that runs now was started: what it had said of itself before is of the one that was killed. */
  const startedMs = { broker: 0, agents: new Map<string, number>() };
  const startBroker = async () => {
    startedMs.broker = Date.now();
    federation.broker = startProgram('broker', [NODE, programs.broker], env);
    await until(
      'the broker is ready',
      async () => {
        if (!federation.broker.running()) throw new Error(`the broker ended:\n${federation.broker.output()}`);
        return (await fetch(`http://127.0.0.1:${httpPort}/readyz`)).ok;
      },
      { timeoutMs: 60_000, describe: () => federation.broker.output() },
    );
  };
  const agentFile = (name: string) => join(dir, `${name}.yaml`);

  const federation = {
    dir,
    postgres,
    agents: new Map(),
    startBroker,
    startAgent: (name) => {
      const argv = [NODE, ...programs.agent, agentFile(name)];
      startedMs.agents.set(name, Date.now());
      federation.agents.set(name, startProgram(`agent ${name}`, argv, env));
    },
    addCluster: async (name, settings) => {
      const answer = await federation.api.call<{ token: string; federation: string }>('POST', '/v1/clusters', { name });
      if (answer.status !== 201)
        throw new Error(`cluster add answered ${answer.status}: ${JSON.stringify(answer.body)}`);
      const stateDir = join(dir, 'state', name);
      const work = join(dir, 'work');
      mkdirSync(stateDir, { recursive: true });
      mkdirSync(work, { recursive: true });
      const yaml = {
        cluster: name,
        federation: answer.body.federation,
        broker: `127.0.0.1:${grpcPort}`,
        token: answer.body.token,
        stateDir,
        defaultWorkdir: work,
        ...settings,
      };
      writeFileSync(agentFile(name), stringify(yaml), { mode: 0o600 });
      federation.startAgent(name);
    },
    connected: async () => {
      const ended = await until(
        'every cluster is connected and has reported',
        async () => {
          const gone = [...federation.agents.values(), federation.broker].filter((program) => !program.running());
          if (gone.length > 0) return gone;
          const live = await federation.query(
            `SELECT c.name, c.hello_at FROM clusters c JOIN capacity_reports p ON p.cluster = c.name
             WHERE c.session_holder IS NOT NULL AND c.hello_at > pg_postmaster_start_time()
               AND c.reconciled_at >= c.hello_at AND p.reported_at >= c.hello_at`,
          );
          const helloMs = new Map(live.rows.map((row) => [row.name, row.hello_at.getTime()]));
          const isNew = (name: string) =>
            (helloMs.get(name) ?? 0) >= Math.max(startedMs.broker, startedMs.agents.get(name)!);
          return [...federation.agents.keys()].every(isNew) && [];
        },
        { timeoutMs: 60_000, everyMs: 200, describe: () => federation.describe() },
      );
      if (ended.length > 0) throw new Error(`ended by itself: ${JSON.stringify(federation.describe(), null, 1)}`);
    },
    describe: () =>
      [...federation.agents.values(), federation.broker].map((program) => ({
        [program.running() ? program.name : `${program.name}, which has ended,`]: program
          .output()
          .slice(program.running() ? -700 : -2000),
      })),
    query: (sql) => postgres.query(sql, 'switchyard'),
    close: async () => {
      for (const agent of federation.agents.values()) await agent.end('SIGTERM');
      await federation.broker?.end('SIGTERM');
      await postgres.close();
      rmSync(dir, { recursive: true, force: true });
    },
  } as Federation;

  try {
    await startBroker();
    // The broker answers a moment before it writes the context of the command line.
    const token = await until('the admin token is in the context file', () => {
      const context = readFileSync(join(dir, 'config/switchyard/config.yaml'), 'utf8');
      return /yt_[A-Za-z0-9_-]+/.exec(context)?.[0];
    });
    Object.assign(federation, { token, api: new Api(`http://127.0.0.1:${httpPort}`, token) });
  } catch (error) {
    await federation.close();
    throw error;
  }
  return federation;
}
