import { AgentServiceClient } from '@switchyard/proto/switchyard/v1/agent.ts';
import type { AgentConfig } from '../agent-config.ts';
import { channelCredentials, channelIdentity } from './credentials.ts';

const WITHIN_MS = 5000;

/** Whether the broker can be reached and proves who it is; nothing is said to it, so a live session is left alone. */
export function checkBroker(config: AgentConfig): Promise<string> {
  const client = new AgentServiceClient(config.broker, channelCredentials(config), channelIdentity(config));
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + WITHIN_MS, (error) => {
      client.close();
      if (error) reject(new Error(`${config.broker} does not answer: ${error.message}`));
      else resolve(`${config.broker} answers${config.tls ? ' by TLS' : ''}`);
    });
  });
}
