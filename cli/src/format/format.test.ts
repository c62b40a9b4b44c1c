import { expect, test } from 'vitest';
import { age } from './age.ts';
import { memory, memoryShare } from './amounts.ts';
import { displayWidth, truncateToWidth } from './display-width.ts';
import { plainCell, plainText } from './plain-text.ts';
import { stateText } from './state.ts';
import { paint, wantsColour } from './styled.ts';
import { type Column, renderTable } from './table.ts';

test.each([
  [-5_000, '0s'],
  [0, '0s'],
  [119_999, '119s'],
  [120_000, '2m'],
  [192_000, '3m12s'],
  [600_000, '10m'],
  [10_799_000, '179m'],
  [10_800_000, '3h'],
  [18_180_000, '5h3m'],
  [28_800_000, '8h'],
  [172_800_000, '2d'],
  [180_000_000, '2d2h'],
  [691_200_000, '8d'],
  [63_072_000_000, '2y'],
])('the age of %d ms is %s', (milliseconds, text) => expect(age(milliseconds)).toBe(text));

test.each([
  [0, '0Mi'],
  [512, '512Mi'],
  [1024, '1Gi'],
  [16_000, '15.6Gi'],
  [131_072, '128Gi'],
  [1_500_000, '1.4Ti'],
])('%d MiB are %s', (mebibytes, text) => expect(memory(mebibytes)).toBe(text));

test('a share is in the unit of its total', () => expect(memoryShare(512, 64_307)).toBe('0.5/62.8Gi'));

test.each([
  ['abc', 3],
  ['日本語', 6],
  ['한국어', 6],
  ['ｆｕｌｌ', 8],
  ['e\u0301', 1],
  ['👍', 2],
  ['👩‍👩‍👧‍👦', 2],
  ['🇫🇮', 2],
  ['❤️', 2],
  ['naïve', 5],
  ['● ✔ ✖ ⊘ ◌ ◔ ◑ ◫', 15],
])('%s takes %d columns', (text, columns) => expect(displayWidth(text)).toBe(columns));

test('a cut never goes through a wide character', () => {
  expect(truncateToWidth('日本語', 4)).toBe('日…');
  expect(truncateToWidth('日本語', 6)).toBe('日本語');
  expect(truncateToWidth('abc', 0)).toBe('');
});

test('nothing in a text moves the cursor, rings or hides', () => {
  expect(plainText('a\u001b[2Jb\u0007\r\n\u009b31m')).toBe('a\\x1b[2Jb\\x07\\x0d\\n\\x9b31m');
  expect(plainText('exe\u202egpj')).toBe('exe\\u202egpj');
  expect(plainText('\ud800')).toBe('\ufffd');
  expect(plainCell('a b\tc\u00a0d')).toBe('a_b\\tc_d');
  expect(plainText('Größe 日本')).toBe('Größe 日本');
});

type Row = { number: string; name: string; why: string };
const columns: Column<Row>[] = [
  { header: 'NUMBER', cell: (row) => row.number },
  { header: 'NAME', cell: (row) => row.name, shrinksTo: 6 },
  { header: 'STATE', cell: () => stateText('running') },
  { header: 'WHY', cell: (row) => row.why, shrinksTo: 10, sentence: true },
];
const rows = [
  { number: '1', name: '計算 one', why: '' },
  {
    number: '20000',
    name: 'a-rather-long-name-of-a-job-that-somebody-gave',
    why: 'it waits for a node with four GPUs',
  },
];

test('a table in a pipe is whole: no borders, no blanks in cells, wide characters counted', () => {
  expect(renderTable(columns, rows)).toBe(
    [
      'NUMBER  NAME                                            STATE      WHY',
      '1       計算_one                                        ●\u00a0running  -',
      '20000   a-rather-long-name-of-a-job-that-somebody-gave  ●\u00a0running  it waits for a node with four GPUs',
      '',
    ].join('\n'),
  );
});

test('on a terminal it fits, and numbers and states are never cut', () => {
  const lines = renderTable(columns, rows, { width: 60 }).trimEnd().split('\n');
  for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(60);
  expect(lines[2]).toMatch(/^20000 {3}a-.*… +●\u00a0running {2}it .*…$/);
});

test('a terminal too narrow for anything still gets every column', () => {
  const lines = renderTable(columns, rows, { width: 10 }).trimEnd().split('\n');
  expect(lines[2]).toBe('20000   a-rat…  ●\u00a0running  it waits …');
});

test('an escape in a cell is harmless also where colours are on', () => {
  const text = renderTable(columns, [{ number: '1', name: '\u001b[31mred', why: 'a\nb' }], { colours: true });
  expect(text).toContain('\\x1b[31mred');
  expect(text).toContain('a\\nb');
  expect(text).toContain('\u001b[34m●\u00a0running\u001b[0m');
});

test('states are icon and word, and colour only when wanted', () => {
  expect(paint(stateText('failed'), true)).toBe('\u001b[31m✖\u00a0failed\u001b[0m');
  expect(paint(stateText('failed'), false)).toBe('✖\u00a0failed');
  expect(stateText('running', { unreachable: true }).text).toBe('?\u00a0running');
  expect(stateText('strange').text).toBe('·\u00a0strange');
});

test('colour only on a terminal that has it, and never with NO_COLOR', () => {
  expect(wantsColour({ isTTY: true }, {})).toBe(true);
  expect(wantsColour({}, {})).toBe(false);
  expect(wantsColour({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
  expect(wantsColour({ isTTY: true }, { NO_COLOR: '' })).toBe(true);
  expect(wantsColour({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
});
