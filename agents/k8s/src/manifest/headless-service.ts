import type { Job, Service } from '../api-types.ts';
import { CONTROLLER_UID_LABEL, FEDERATION_LABEL, JOB_LABEL, MANAGED_BY_LABEL, RUN_LABEL } from '../names.ts';

/** Not the one that Kueue reads. */
const OURS = [MANAGED_BY_LABEL, FEDERATION_LABEL, RUN_LABEL, JOB_LABEL];

/**
 * The Service that gives the nodes of a gang their names, from the Job as the API server answered it. It belongs to the Job, so that
 * one delete takes both, and selects by the Job's UID, which nobody else's pods carry.
 */
export function headlessService({ metadata }: Job): Service {
  const { name, namespace, uid, labels = {} } = metadata;
  if (namespace === undefined || uid === undefined)
    throw new TypeError(`the Job '${name}' has no namespace or no UID yet`);
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace,
      labels: Object.fromEntries(
        OURS.flatMap((label) => (Object.hasOwn(labels, label) ? [[label, labels[label]!]] : [])),
      ),
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid }],
    },
    // Its nodes find each other before any of them is ready.
    spec: { clusterIP: 'None', publishNotReadyAddresses: true, selector: { [CONTROLLER_UID_LABEL]: uid } },
  };
}
