import { expect, it } from 'vitest';
import { readOrderNote, writeOrderNote } from './order-annotation.ts';
import { makeOrder } from './testing/make-order.ts';

const { spec: _, ...order } = makeOrder({ command: ['true'] });
const note = { ...order, gang: 0, isArray: false };

it('reads what it wrote', () => {
  expect(readOrderNote(writeOrderNote(note))).toEqual(note);
});

it.each([
  undefined,
  '',
  '{',
  'null',
  '[]',
  '{}',
  JSON.stringify({ ...note, runId: 'x' }),
  JSON.stringify({ ...note, gang: -1 }),
])('takes %j for none of ours', (text) => {
  expect(readOrderNote(text)).toBeNull();
});
