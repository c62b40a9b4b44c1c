import type { AgentConfig } from './agent-config.ts';
import type { AgentKind } from './agent-kind.ts';
import { startBrokerLink } from './broker-link/broker-link.ts';
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
  const lock = await takeStateLock(config.stateDir);
  try {
    const { cluster, stateDir } = config;
    const backend = await kind.openBackend(config, log.warn);
    const link = startBrokerLink({
      config: { ...config, filesystems: kind.filesystems(config) },
      backend,
      nativeOptions: allowedOptions(config.policy, kind.nativeOptions),
      version: AGENT_VERSION,
      highest: await openHighestPlacement(stateDir),
      log,
    });
    const health = config.healthPort === undefined ? null : await startHealthServer(config.healthPort, link.problem);
    log.info(`agent of ${cluster} (${kind.kind}), state in ${stateDir}`);
    return {
      stop: async () => {
        await health?.close();
        await link.stop();
        await backend.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}
