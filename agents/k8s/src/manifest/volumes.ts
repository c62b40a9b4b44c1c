import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import type { Volume, VolumeMount } from '../api-types.ts';
import type { KubernetesConfig } from '../config.ts';
import { GO_ANNOTATION, GO_PATH, SCRIPT_ANNOTATION, SCRIPT_PATH, YARD_PATH } from '../names.ts';

type Volumes = Pick<KubernetesConfig, 'volumes'>;
type Mounted = { readonly volume: Volume; readonly mount: VolumeMount };
type Needs = Pick<JobSpec, 'needs' | 'workdir'>;

/** The volumes as file systems that this cluster declares to the broker. */
export function volumeFilesystems({ volumes }: Volumes): { readonly id: string; readonly pathPrefix: string }[] {
  return Object.entries(volumes).map(([id, { mountPath }]) => ({ id, pathPrefix: mountPath }));
}

/** The first of the job's `needs` that no volume is, as a sentence. */
export function needsRefusal({ needs }: Needs, { volumes }: Volumes): string | null {
  const missing = needs.find((id) => !Object.hasOwn(volumes, id));
  return missing === undefined ? null : `needs: this cluster's agent has no volume '${missing}'`;
}

/** The volumes that the job needs or works in, in the order of the agent's file. */
export function claimedVolumes(spec: Needs, { volumes }: Volumes): Mounted[] {
  return Object.entries(volumes).flatMap(([id, { claim, mountPath, subPath, readOnly }], at) => {
    if (!spec.needs.includes(id) && !covers(mountPath, spec.workdir ?? '')) return [];
    // Names that jobs use may be longer than a volume's may be.
    const name = `volume-${at}`;
    return [
      {
        volume: { name, persistentVolumeClaim: { claimName: claim, ...(readOnly ? { readOnly } : {}) } },
        mount: { name, mountPath, ...(subPath === undefined ? {} : { subPath }), ...(readOnly ? { readOnly } : {}) },
      },
    ];
  });
}

/** A writable /tmp, whatever the image has there, on the node's disk. */
export function temporaryVolume(): Mounted {
  return { volume: { name: 'tmp', emptyDir: {} }, mount: { name: 'tmp', mountPath: '/tmp' } };
}

export function sharedMemoryVolume(sizeMiB: number): Mounted {
  return {
    volume: { name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: `${sizeMiB}Mi` } },
    mount: { name: 'shm', mountPath: '/dev/shm' },
  };
}

/** The script, and for a gang the word to go, as files from the pod's own annotations: no second object to create or to lose. */
export function yardVolume({ script, gang }: { readonly script: boolean; readonly gang: boolean }): Mounted[] {
  const items = [
    ...(script ? [item(SCRIPT_PATH, SCRIPT_ANNOTATION, 0o555)] : []),
    ...(gang ? [item(GO_PATH, GO_ANNOTATION, 0o444)] : []),
  ];
  if (items.length === 0) return [];
  return [
    {
      volume: { name: 'yard', downwardAPI: { items } },
      mount: { name: 'yard', mountPath: YARD_PATH, readOnly: true },
    },
  ];
}

function item(path: string, annotation: string, mode: number) {
  return {
    path: path.slice(YARD_PATH.length + 1),
    mode,
    fieldRef: { fieldPath: `metadata.annotations['${annotation}']` },
  };
}

/** `/scratch` covers `/scratch` and `/scratch/a`, not `/scratch2`. */
export function covers(mountPath: string, path: string): boolean {
  return path === mountPath || path.startsWith(`${mountPath}/`);
}
