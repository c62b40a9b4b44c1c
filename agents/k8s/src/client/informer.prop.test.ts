import fc from 'fast-check';
import { expect, it } from 'vitest';
import { startInformer } from './informer.ts';
import { openKubeClient } from './kube-client.ts';
import { startFaultyCollection } from './testing/faulty-collection.ts';
import { kubeconfigText, testFolder } from './testing/kubeconfig-file.ts';
import { type Thing, thingSink } from './testing/thing-sink.ts';

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const step = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...names).map((name) => ({ kind: 'put' as const, name })) },
  { weight: 4, arbitrary: fc.constantFrom(...names).map((name) => ({ kind: 'remove' as const, name })) },
  { weight: 1, arbitrary: fc.constant({ kind: 'compact' as const, name: '' }) },
  { weight: 2, arbitrary: fc.constantFrom(...names).map((name) => ({ kind: 'vanish' as const, name })) },
  { weight: 3, arbitrary: fc.constant({ kind: 'breathe' as const, name: '' }) },
);

/** The same numbers for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

it('whatever breaks, in the end a sink has what the server has', { timeout: 120_000 }, async () => {
  const folder = testFolder();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), fc.integer(), async (steps, seed) => {
      const collection = await startFaultyCollection(seeded(seed));
      const client = await openKubeClient({ kubeconfig: folder.file('config', kubeconfigText(collection.url)) });
      const sink = thingSink();
      const log = { info: () => {}, warn: () => {} };
      const informer = startInformer<Thing>({ client, path: '/things', sink, log, pageSize: 2 });
      for (const { kind, name } of steps) {
        if (kind === 'put') collection.put(name);
        if (kind === 'remove') collection.remove(name);
        if (kind === 'compact') collection.compact();
        if (kind === 'vanish') {
          // Deleted while nobody looks, and no watch will ever tell.
          collection.cutWatches();
          collection.remove(name);
          collection.compact();
        }
        if (kind === 'breathe') for (let times = 0; times < 3; times += 1) await collection.ping();
      }
      collection.heal();
      collection.put('last');
      await sink.until('put last');
      await informer.synced();
      expect(sink.versions()).toEqual(collection.versions());
      await informer.close();
      await client.close();
      await collection.close();
    }),
    { numRuns: 25 },
  );
  folder.remove();
});
