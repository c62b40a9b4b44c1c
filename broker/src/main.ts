import { join } from 'node:path';
import { createAdminToken } from './admin-token.ts';
import { agentFiles, createAgentProcesses } from './agent-processes.ts';
import { type Broker, startBroker } from './broker.ts';
import { writeCliContext } from './cli-context.ts';
import { announceClusters } from './cluster-announcer.ts';
import { type Config, loadConfig } from './config.ts';
import { addCluster } from './db/add-cluster.ts';
import { federationCode } from './db/federation-code.ts';
import { listClusters } from './db/list-clusters.ts';
import { hasTokens } from './db/tokens.ts';
import { findDefaultClusters, writeDefaultCluster } from './default-clusters.ts';
import { SwitchyardError } from './errors.ts';
import { tellHelloJob } from './first-start.ts';
import { createScreen } from './startup-screen.ts';
import { tokenHash } from './token.ts';
import { VERSION } from './version.ts';

const EVERYTHING = { seeAll: true, groups: [] };
/** npm hands the terminal's own Ctrl-C on once more. */
const SAME_SIGNAL_MS = 500;
const STOP_WITHIN_MS = 9000;

const screen = createScreen((text) => process.stdout.write(text));
const stopping = new AbortController();

try {
  const config = configOrExit();
  const stops: (() => Promise<void>)[] = [];
  endOnSignal(stops);
  const starting = startBroker(config, VERSION);
  // A signal that comes while it starts waits for it, so that nothing half started is left behind.
  stops.push(() => starting.then(({ stop }) => stop()));
  const broker = await starting;
  const warn = (sentence: string) => broker.app.log.warn(sentence);
  const agents = createAgentProcesses({ logDir: join(config.dataDir, 'agents'), warn });
  stops.push(agents.stop);

  const first = !(await hasTokens(broker.db));
  const token = first || process.argv.includes('--new-admin-token') ? await createAdminToken(broker.db, 'start') : null;
  const context = token !== null && writeCliContext(config.configHome, contextOf(config, broker.url, token));
  introduce(config, broker, token, context);

  const clusters = await addDefaultClusters(config, broker);
  for (const file of agentFiles(join(config.dataDir, 'agents'), broker.grpcAddress)) agents.start(file);
  const endAnnouncing = announceClusters(broker.db, (name, sentence) => screen.row(name, sentence));
  stopping.signal.addEventListener('abort', endAnnouncing, { once: true });

  if (first && token !== null && clusters > 0 && config.helloJob)
    await tellHelloJob(broker, token, (sentence) => screen.row('hello', sentence), stopping.signal);
  if (!stopping.signal.aborted) screen.row('next', nextCommand(clusters));
} catch (error) {
  if (!stopping.signal.aborted) fail(error);
}

function configOrExit(): Config {
  const loaded = loadConfig(process.env);
  if (loaded.ok) return loaded.config;
  for (const problem of loaded.problems) process.stderr.write(`switchyard: ${problem}\n`);
  process.exit(2);
}

function introduce(config: Config, broker: Broker, token: string | null, context: boolean): void {
  screen.line(`Switchyard ${VERSION}`);
  screen.line();
  screen.row('url', broker.url);
  screen.row('docs', `${broker.url}/docs`);
  screen.row('agents', `dial ${broker.grpcAddress}`);
  screen.row('database', broker.database);
  if (config.file !== null) screen.row('config', config.file);
  if (token !== null) screen.row('token', `${token}  (admin; shown this once, only its hash is kept)`);
  if (context) screen.row('yard', `uses it already, by ${join(config.configHome, 'config.yaml')}`);
  screen.line();
}

/** How many clusters there are, after a broker that had none has looked for some. */
async function addDefaultClusters(config: Config, { db, grpcAddress }: Broker): Promise<number> {
  const { items } = await listClusters(db, EVERYTHING);
  if (items.length > 0 || config.defaultClusters === 'none') return items.length;
  const found = await findDefaultClusters(process.env);
  const federation = await federationCode(db);
  for (const cluster of found)
    await writeDefaultCluster({
      ...{ cluster, dataDir: config.dataDir, broker: grpcAddress, federation },
      ...(config.grpc.tls && { tls: { caFile: config.grpc.tls.certFile } }),
      create: (name, token) => addCluster(db, { name, tokenHash: tokenHash(token), actor: 'start' }),
    });
  return found.length;
}

function contextOf(config: Config, url: string, token: string) {
  return { url, token, ...(config.http.tls && { caFile: config.http.tls.certFile }) };
}

function nextCommand(clusters: number): string {
  return clusters > 0 ? 'npx yard submit examples/hello.sh --wait' : 'npx yard cluster add NAME';
}

/** The first signal ends everything in order, the second at once. Jobs live on in either case. */
function endOnSignal(stops: readonly (() => Promise<void>)[]): void {
  let firstAt = 0;
  const onSignal = async () => {
    if (firstAt !== 0 && performance.now() - firstAt > SAME_SIGNAL_MS) process.exit(130);
    if (firstAt !== 0) return;
    firstAt = performance.now();
    stopping.abort();
    screen.row('stopping', 'jobs live on; once more to stop at once');
    setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref();
    await Promise.allSettled(stops.map((stop) => stop()));
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
}

function fail(error: unknown): never {
  const sentence = error instanceof Error ? error.message : String(error);
  const hint = error instanceof SwitchyardError && error.hint ? ` ${error.hint}` : '';
  process.stderr.write(`switchyard: ${sentence}${hint}\n`);
  if (process.env['SWITCHYARD_LOG_LEVEL'] === 'debug') process.stderr.write(`${(error as Error).stack}\n`);
  process.exit(1);
}
