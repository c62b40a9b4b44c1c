import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { onPath } from '../../support/on-path.ts';
import { built, PROGRAMS } from './cache.ts';

/** Debian's place of the network plugins; containerd's own default is another. */
export const CNI_PLUGINS = '/usr/lib/cni';
/** The Debian packages busybox-static and busybox have the same place; a container has no libraries for the latter. */
export const BUSYBOX = '/bin/busybox';

const FROM_DEBIAN = ['containerd', 'ctr', 'runc', 'ip', 'unshare', 'nsenter', 'setpriv', 'openssl', 'tar'];

/** Whether this machine can run real Kubernetes clusters, and if not the sentence that says why. */
export function kubernetesAvailable(): { ok: boolean; why: string } {
  const missing = [
    ...FROM_DEBIAN.filter((program) => !onPath(program)),
    ...['ptp', 'host-local', 'loopback'].map((plugin) => join(CNI_PLUGINS, plugin)).filter((file) => !existsSync(file)),
    ...(isStatic(BUSYBOX) ? [] : [`a statically linked ${BUSYBOX}`]),
  ];
  if (missing.length > 0) {
    const packages =
      'Debian packages containerd, runc, containernetworking-plugins, busybox-static, iproute2 and openssl';
    return { ok: false, why: `not found: ${missing.join(', ')} (${packages})` };
  }
  if (process.getuid?.() !== 0) return { ok: false, why: 'kubelets need root' };
  if (!PROGRAMS.every((program) => existsSync(built(program)))) {
    return { ok: false, why: 'not built: npx node test/k8s/testbed/build.ts' };
  }
  return { ok: true, why: 'containerd, runc and the built Kubernetes' };
}

/** elf(5): only what is linked dynamically names a loader. */
function isStatic(file: string): boolean {
  return existsSync(file) && !readFileSync(file).includes('/ld-linux');
}
