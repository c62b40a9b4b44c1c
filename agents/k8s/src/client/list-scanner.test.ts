import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createListScanner } from './list-scanner.ts';

function scan(bytes: Buffer, cuts: readonly number[] = []) {
  const items: unknown[] = [];
  const scanner = createListScanner((item) => items.push(item));
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((one, other) => one - other);
  for (let index = 1; index < at.length; index += 1) scanner.push(bytes.subarray(at[index - 1], at[index]));
  return { items, metadata: scanner.metadata() };
}

it('finds what JSON.parse finds, however the bytes are cut and whatever the order and the spaces', () => {
  const object = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 2 }));
  const list = fc.tuple(
    fc.jsonValue({ maxDepth: 2 }),
    object,
    fc.array(object, { maxLength: 5 }),
    fc.constantFrom(0, 2),
    fc.boolean(),
  );
  fc.assert(
    fc.property(list, fc.array(fc.nat()), ([other, metadata, items, indent, itemsFirst], cuts) => {
      const value = itemsFirst
        ? { kind: 'PodList', items, other, metadata }
        : { 'a"b': other, metadata, items, nested: { items: [{ not: 1 }], metadata: {} } };
      const parsed = JSON.parse(JSON.stringify(value));
      const found = scan(Buffer.from(JSON.stringify(value, null, indent)), cuts);
      expect(found).toEqual({ items: parsed.items, metadata: parsed.metadata });
    }),
    { numRuns: 60 },
  );
});

it('takes an empty list, also as null', () => {
  expect(scan(Buffer.from('{"metadata":{"resourceVersion":"5"},"items":null}\n'))).toEqual({
    items: [],
    metadata: { resourceVersion: '5' },
  });
});

it('of a page that breaks off it gives what was whole, and no metadata', () => {
  const text = '{"metadata":{"resourceVersion":"5"},"items":[{"a":1},{"b":';
  expect(scan(Buffer.from(text))).toEqual({ items: [{ a: 1 }], metadata: undefined });
  expect(scan(Buffer.from('<html>Log in</html>')).metadata).toBeUndefined();
});
