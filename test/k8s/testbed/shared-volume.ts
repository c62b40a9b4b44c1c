import { mkdirSync } from 'node:fs';
import { until } from '../../support/until.ts';
import type { ApiClient } from './api-client.ts';

/** A claim bound to a folder of the host: the pods of every node and the test see the same files. */
export async function sharedVolume(
  client: ApiClient,
  namespace: string,
  claim: string,
  hostPath: string,
): Promise<void> {
  mkdirSync(hostPath, { recursive: true });
  const volume = `${namespace}-${claim}`;
  const storage = '1Gi';
  const shared = { accessModes: ['ReadWriteMany'], storageClassName: '' };
  await client.apply([
    {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: volume },
      spec: {
        ...shared,
        capacity: { storage },
        persistentVolumeReclaimPolicy: 'Retain',
        claimRef: { namespace, name: claim },
        hostPath: { path: hostPath, type: 'Directory' },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { namespace, name: claim },
      spec: { ...shared, volumeName: volume, resources: { requests: { storage } } },
    },
  ]);
  await until(`the claim ${claim} is bound`, async () => {
    const path = `/api/v1/namespaces/${namespace}/persistentvolumeclaims/${claim}`;
    return (await client.call<{ status: { phase: string } }>('GET', path)).body.status.phase === 'Bound';
  });
}
