import { readFileSync } from 'node:fs';
import { isIP, isIPv4 } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { type ChannelCredentials, type ChannelOptions, credentials } from '@grpc/grpc-js';
import type { AgentConfig } from '../agent-config.ts';

type Way = Pick<AgentConfig, 'broker' | 'tls'>;

/** Plain text only to this host itself, for the token travels with it; TLS everywhere else. Throws a sentence for people. */
export function channelCredentials({ broker, tls }: Way): ChannelCredentials {
  const host = hostOf(broker);
  if (tls) {
    const authority = tls.caFile === undefined ? null : readFileSync(tls.caFile);
    if (!isAddress({ broker, tls })) return credentials.createSsl(authority);
    return credentials.createSsl(authority, null, null, {
      checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
    });
  }
  if (isLoopback(host)) return credentials.createInsecure();
  throw new Error(
    `the broker ${broker} is not on this host: give tls.caFile with the certificate it is signed by (or 'tls: {}' for those of the system); plain text is for loopback alone`,
  );
}

/** Who the broker must prove to be. TLS can name no address (RFC 6066, 3), so a name that nobody has stands for one. */
export function channelIdentity({ broker, tls }: Way): ChannelOptions {
  const name = isAddress({ broker, tls }) ? 'broker.invalid' : tls?.serverName;
  return name === undefined ? {} : { 'grpc.ssl_target_name_override': name };
}

function isAddress({ broker, tls }: Way): boolean {
  return tls !== undefined && tls.serverName === undefined && isIP(hostOf(broker)) !== 0;
}

function hostOf(broker: string): string {
  return broker.slice(0, broker.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}

/** A name other than localhost is never trusted to be this host. */
function isLoopback(bare: string): boolean {
  return bare === 'localhost' || bare === '::1' || (isIPv4(bare) && bare.startsWith('127.'));
}
