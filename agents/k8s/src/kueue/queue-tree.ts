import { milli, units } from '../capacity/quantity.ts';
import type { ClusterQueue, Cohort, FlavorUsage, ResourceGroup } from './kueue-types.ts';

/** Of one resource in one flavor: CPUs in thousandths, bytes, GPUs. */
type Quota = { readonly nominal: number; readonly borrowing: number | null; readonly lending: number | null };

type TreeNode = {
  readonly parent: string | null;
  /** By flavor. */
  readonly quotas: ReadonlyMap<string, Quota>;
  readonly subtree: Map<string, number>;
  readonly used: Map<string, number>;
};

export type FlavorQuota = { readonly flavor: string; readonly total: number; readonly free: number };

/**
 * What each ClusterQueue may use of one resource: its own quota and what its cohorts can lend it, all of it and what is left. The
 * same arithmetic as Kueue's own (v0.14, pkg/cache/scheduler/resource_node.go: available, potentialAvailable), so that a job said
 * to fit is admitted: what a node keeps for itself (nominal less lendingLimit) is never lent; borrowing ends at borrowingLimit; a
 * cohort has quota of its own beside that of its members, and may borrow from the cohort above it.
 */
export class QuotaTree {
  readonly #queues = new Map<string, TreeNode>();
  readonly #cohorts = new Map<string, TreeNode>();

  constructor(clusterQueues: Iterable<ClusterQueue>, cohorts: Iterable<Cohort>, resource: string) {
    for (const { metadata, spec } of cohorts) {
      this.#cohorts.set(metadata.name, treeNode(spec?.parentName, spec?.resourceGroups, resource));
    }
    for (const { metadata, spec, status } of clusterQueues) {
      const node = treeNode(spec.cohort ?? spec.cohortName, spec.resourceGroups, resource);
      for (const [flavor, { nominal }] of node.quotas) node.subtree.set(flavor, nominal);
      for (const [flavor, used] of usage(status?.flavorsReservation ?? [], resource)) node.used.set(flavor, used);
      this.#queues.set(metadata.name, node);
    }
    this.#addUp();
  }

  /** By flavor of that ClusterQueue; empty when it has no quota for this resource at all. */
  quotasOf(clusterQueue: string): readonly FlavorQuota[] {
    const node = this.#queues.get(clusterQueue);
    if (!node) return [];
    return [...node.quotas.keys()].map((flavor) => ({
      flavor,
      total: Math.max(0, this.#potential(node, flavor)),
      free: Math.max(0, this.#available(node, flavor)),
    }));
  }

  /** Members first: a cohort has what its members do not keep to themselves, and uses what they use beyond that. */
  #addUp(): void {
    const children = Map.groupBy(
      [...this.#queues.values(), ...this.#cohorts.values()].filter(({ parent }) => parent !== null),
      ({ parent }) => parent!,
    );
    for (const name of children.keys()) {
      // A cohort need not exist as an object: the name alone makes it.
      if (!this.#cohorts.has(name)) this.#cohorts.set(name, treeNode(undefined, [], ''));
    }
    const done = new Set<TreeNode>();
    const visit = (name: string): void => {
      const cohort = this.#cohorts.get(name)!;
      if (done.has(cohort)) return;
      done.add(cohort);
      for (const [flavor, { nominal }] of cohort.quotas) cohort.subtree.set(flavor, nominal);
      for (const child of children.get(name) ?? []) {
        for (const [childName, node] of this.#cohorts) if (node === child) visit(childName);
        addTo(cohort, child);
      }
    };
    for (const name of this.#cohorts.keys()) visit(name);
  }

  #available(node: TreeNode, flavor: string, seen: ReadonlySet<TreeNode> = new Set()): number {
    const parent = this.#parentOf(node, seen);
    const subtree = node.subtree.get(flavor) ?? 0;
    const used = node.used.get(flavor) ?? 0;
    if (!parent) return subtree - used;
    const kept = keptBack(node, flavor);
    const { borrowing = null } = node.quotas.get(flavor) ?? {};
    const fromParent = this.#available(parent, flavor, new Set([...seen, node]));
    const most = borrowing === null ? fromParent : subtree - kept - Math.max(0, used - kept) + borrowing;
    return Math.max(0, kept - used) + Math.min(most, fromParent);
  }

  #potential(node: TreeNode, flavor: string, seen: ReadonlySet<TreeNode> = new Set()): number {
    const parent = this.#parentOf(node, seen);
    const subtree = node.subtree.get(flavor) ?? 0;
    if (!parent) return subtree;
    const all = keptBack(node, flavor) + this.#potential(parent, flavor, new Set([...seen, node]));
    const { borrowing = null } = node.quotas.get(flavor) ?? {};
    return borrowing === null ? all : Math.min(subtree + borrowing, all);
  }

  /** Cohorts in a circle admit nothing and are reported as inactive; here the circle is only cut. */
  #parentOf(node: TreeNode, seen: ReadonlySet<TreeNode>): TreeNode | undefined {
    const parent = node.parent === null ? undefined : this.#cohorts.get(node.parent);
    return parent && !seen.has(parent) ? parent : undefined;
  }
}

function addTo(cohort: TreeNode, child: TreeNode): void {
  for (const [flavor, quota] of child.subtree) {
    cohort.subtree.set(flavor, (cohort.subtree.get(flavor) ?? 0) + quota - keptBack(child, flavor));
  }
  for (const [flavor, used] of child.used) {
    cohort.used.set(flavor, (cohort.used.get(flavor) ?? 0) + Math.max(0, used - keptBack(child, flavor)));
  }
}

/** What a node never lends to the one above it. */
function keptBack(node: TreeNode, flavor: string): number {
  const { lending = null } = node.quotas.get(flavor) ?? {};
  return lending === null ? 0 : Math.max(0, (node.subtree.get(flavor) ?? 0) - lending);
}

function treeNode(
  parent: string | undefined,
  groups: readonly ResourceGroup[] | undefined,
  resource: string,
): TreeNode {
  return { parent: parent || null, quotas: quotasIn(groups ?? [], resource), subtree: new Map(), used: new Map() };
}

function quotasIn(groups: readonly ResourceGroup[], resource: string): ReadonlyMap<string, Quota> {
  const quotas = new Map<string, Quota>();
  for (const { name, resources } of groups.flatMap(({ flavors = [] }) => flavors)) {
    const quota = resources?.find((each) => each.name === resource);
    if (!quota) continue;
    const limit = (value: string | number | null | undefined) => (value == null ? null : amount(value, resource));
    quotas.set(name, {
      nominal: amount(quota.nominalQuota ?? 0, resource),
      borrowing: limit(quota.borrowingLimit),
      lending: limit(quota.lendingLimit),
    });
  }
  return quotas;
}

function usage(flavors: readonly FlavorUsage[], resource: string): [string, number][] {
  return flavors.flatMap(({ name, resources }): [string, number][] => {
    const used = resources?.find((each) => each.name === resource);
    return used ? [[name, amount(used.total ?? 0, resource)]] : [];
  });
}

function amount(quantity: string | number, resource: string): number {
  return resource === 'cpu' ? milli(String(quantity), 'down') : units(String(quantity), 'down');
}
