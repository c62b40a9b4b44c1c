import type { Toleration as ApiToleration, Taint } from '../api-types.ts';

/** As the API and as the configuration write it. */
export type Toleration = { readonly [Key in keyof ApiToleration]?: ApiToleration[Key] | undefined };

/** Taints that keep new pods away; PreferNoSchedule only asks. */
export function barring(taints: readonly Taint[]): Taint[] {
  return taints.filter(({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute');
}

export function tolerated(taints: readonly Taint[], tolerations: readonly Toleration[]): boolean {
  return taints.every((taint) => tolerations.some((toleration) => tolerates(toleration, taint)));
}

/** Set and taken away by Kubernetes itself as nodes come and go, so they say nothing about what a node is for. */
export function isPassing({ key }: Taint): boolean {
  return key.startsWith('node.kubernetes.io/') || key.startsWith('node.cloudprovider.kubernetes.io/');
}

/** No effect: every effect; no key: every taint (with Exists); no operator: Equal. */
function tolerates({ key = '', operator = 'Equal', value = '', effect }: Toleration, taint: Taint): boolean {
  if (effect && effect !== taint.effect) return false;
  if (operator === 'Exists') return key === '' || key === taint.key;
  return operator === 'Equal' && key === taint.key && value === (taint.value ?? '');
}
