import type { AgentConfig } from './agent-config.ts';
import type { AgentKind } from './agent-kind.ts';
import { type BrokerLink, startBrokerLink } from './broker-link/broker-link.ts';
import { channelCredentials } from './broker-link/credentials.ts';
import { startHealthServer } from './health-server.ts';
import { openHighestPlacement } from './highest-placement.ts';
import { allowedOptions } from './local-policy.ts';
import { type Log, lineLog } from './log.ts';
import { takeStateLock } from './state-lock.ts';

const AGENT_VERSION = '0.1.0';

export type RunningAgent = {
  /** Jobs live on; the next agent with the same state directory goes on with them. */
  stop(): Promise<void>;
};

/** Runs the agent of one cluster: what `yard agent run FILE` and the bundle do. */
export async function runAgent(config: AgentConfig, kind: AgentKind, log: Log = lineLog()): Promise<RunningAgent> {
  for (const warning of config.warnings) log.warn(warning);
  // Before anything is touched: a configuration that can never connect should say so at once.
  channelCredentials(config);
  const opened = new AsyncDisposableStack();
  try {
    const { cluster, stateDir, healthPort } = config;
    const lock = await takeStateLock(stateDir);
    opened.defer(() => lock.release());
    // Before the link too: an agent that gives up its lock must not have taken any work.
    let link: BrokerLink | null = null;
    if (healthPort !== undefined) {
      const health = await startHealthServer(healthPort, () => (link ? link.problem() : 'the agent is starting'));
      opened.defer(() => health.close());
    }
    const backend = await kind.openBackend(config, log.warn);
    opened.defer(() => backend.close());
    const highest = await openHighestPlacement(stateDir);
    link = startBrokerLink({
      config: { ...config, filesystems: kind.filesystems(config) },
      backend,
      nativeOptions: allowedOptions(config.policy, kind.nativeOptions),
      version: AGENT_VERSION,
      highest,
      log,
    });
    opened.defer(link.stop);
    log.info(`agent of ${cluster} (${kind.kind}), state in ${stateDir}`);
    return { stop: () => opened.disposeAsync() };
  } catch (error) {
    await opened.disposeAsync().catch((failure: Error) => log.warn(failure.message));
    throw error;
  }
}
