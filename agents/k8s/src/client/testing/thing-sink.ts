import type { Sink } from '../informer.ts';

export type Thing = { readonly metadata: { readonly name: string; readonly resourceVersion: string } };

export type ThingSink = Sink<Thing> & {
  /** What is there, by name. */
  names(): string[];
  versions(): Record<string, string>;
  /** Every call, as `put a`. */
  readonly told: readonly string[];
  /** Resolves when that was told, before or from now. */
  until(word: string): Promise<void>;
  /** From now on it cannot take this one. */
  fail(name: string): void;
};

/** Keeps what an informer says as any sink should: marks at `begin`, drops the unmarked at `synced`. */
export function thingSink(): ThingSink {
  const things = new Map<string, Thing>();
  const told: string[] = [];
  const waiting: { readonly word: string; readonly resolve: () => void }[] = [];
  let unseen = new Set<string>();
  let refused: string | undefined;

  const tell = (word: string) => {
    told.push(word);
    for (const waiter of waiting) if (waiter.word === word) waiter.resolve();
  };
  return {
    begin: () => {
      unseen = new Set(things.keys());
      tell('begin');
    },
    put: (thing) => {
      const { name } = thing.metadata;
      if (name === refused) throw new Error(`cannot take ${name}`);
      things.set(name, thing);
      unseen.delete(name);
      tell(`put ${name}`);
    },
    remove: (thing) => {
      things.delete(thing.metadata.name);
      tell(`remove ${thing.metadata.name}`);
    },
    synced: () => {
      for (const name of unseen) things.delete(name);
      tell('synced');
    },
    names: () => [...things.keys()].sort(),
    versions: () =>
      Object.fromEntries([...things].sort().map(([name, thing]) => [name, thing.metadata.resourceVersion])),
    told,
    until: (word) =>
      told.includes(word) ? Promise.resolve() : new Promise((resolve) => waiting.push({ word, resolve })),
    fail: (name) => {
      refused = name;
    },
  };
}
