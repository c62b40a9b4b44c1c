import { readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import type { AgentConfig } from '../agent-config.ts';

/** Plain text only to this host itself, for the token travels with it; TLS everywhere else. Throws a sentence for people. */
export function channelCredentials({ broker, tls }: Pick<AgentConfig, 'broker' | 'tls'>): ChannelCredentials {
  if (tls) return credentials.createSsl(tls.caFile === undefined ? null : readFileSync(tls.caFile));
  if (isLoopback(broker.slice(0, broker.lastIndexOf(':')))) return credentials.createInsecure();
  throw new Error(
    `the broker ${broker} is not on this host: give tls.caFile with the certificate it is signed by (or 'tls: {}' for those of the system); plain text is for loopback alone`,
  );
}

/** A name other than localhost is never trusted to be this host. */
function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return bare === 'localhost' || bare === '::1' || (isIPv4(bare) && bare.startsWith('127.'));
}
