import type { KubeObject } from '../api-types.ts';
import type { Sink } from '../client/informer.ts';

/**
 * A sink that keeps a small record of each object (`keep`; null: nothing) and tells when one comes and goes; at a change the
 * new one comes before the old one goes. Every object counts once, in whatever order and however often it is told.
 */
export class KeptSink<T extends KubeObject, Record> implements Sink<T> {
  /** By UID: an object that was made again under the same name is another one. */
  readonly #kept = new Map<string, { readonly record: Record; readonly list: number }>();
  readonly #on: {
    readonly keep: (object: T) => Record | null;
    readonly come: (record: Record) => void;
    readonly gone: (record: Record) => void;
  };
  #list = 0;

  constructor(on: {
    keep: (object: T) => Record | null;
    come: (record: Record) => void;
    gone: (record: Record) => void;
  }) {
    this.#on = on;
  }

  begin(): void {
    this.#list += 1;
  }

  put(object: T): void {
    const key = keyOf(object);
    const record = this.#on.keep(object);
    const before = this.#kept.get(key);
    if (record === null) this.#kept.delete(key);
    else {
      this.#kept.set(key, { record, list: this.#list });
      this.#on.come(record);
    }
    if (before) this.#on.gone(before.record);
  }

  remove(object: T): void {
    this.#drop(keyOf(object));
  }

  synced(): void {
    for (const [key, { list }] of this.#kept) if (list !== this.#list) this.#drop(key);
  }

  *records(): Iterable<Record> {
    for (const { record } of this.#kept.values()) yield record;
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    if (!kept) return;
    this.#kept.delete(key);
    this.#on.gone(kept.record);
  }
}

function keyOf({ metadata: { uid, namespace = '', name } }: KubeObject): string {
  return uid ?? `${namespace}/${name}`;
}
