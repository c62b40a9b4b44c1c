/**
 * Whether a list is from before what was already seen. Versions are opaque in general; where both are decimal numbers,
 * as from every etcd, a smaller one is older (and Kubernetes promises so from 1.35 on).
 */
export function isOlder(version: string, seen: string): boolean {
  if (!/^\d+$/.test(version) || !/^\d+$/.test(seen)) return false;
  return BigInt(version) < BigInt(seen);
}
