import { isIPv4 } from 'node:net';

/** True for an address that only this machine can reach; a name other than localhost is never trusted to be one. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return bare === 'localhost' || bare === '::1' || (isIPv4(bare) && bare.startsWith('127.'));
}
