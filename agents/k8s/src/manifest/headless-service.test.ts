import { expect, it } from 'vitest';
import { headlessService } from './headless-service.ts';
import { jobManifest } from './job-manifest.ts';
import { jobIn, makeConfig, makeOrder } from './testing/make-order.ts';

const order = makeOrder({ command: ['true'], resources: { nodes: 2 } });
const job = jobIn(jobManifest(order, makeConfig({ queue: 'main' }), { cluster: 'east' }));

it('names the nodes of a gang, belongs to its Job and selects by its UID', () => {
  const created = { ...job, metadata: { ...job.metadata, uid: 'uid-1' } };
  expect(headlessService(created)).toEqual({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: order.marker,
      namespace: 'default',
      labels: {
        'app.kubernetes.io/managed-by': 'switchyard',
        'switchyard.dev/federation': 'test',
        'switchyard.dev/run': order.runId,
        'switchyard.dev/job': '1042',
      },
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: order.marker, uid: 'uid-1' }],
    },
    spec: {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector: { 'batch.kubernetes.io/controller-uid': 'uid-1' },
    },
  });
});

it('needs a Job that exists', () => {
  expect(() => headlessService(job)).toThrow('no UID');
});
