import { displayWidth, truncateToWidth } from './display-width.ts';
import { plainCell, plainText } from './plain-text.ts';
import { paint, type Styled } from './styled.ts';

export type Column<Row> = {
  readonly header: string;
  readonly cell: (row: Row) => string | Styled;
  /** May be cut on a narrow terminal, down to so many columns. Numbers and states never are. */
  readonly shrinksTo?: number;
  /** Holds a sentence: only the last column may, because its blanks stay. */
  readonly sentence?: boolean;
};

/**
 * The rules of kubectl: no borders, two blanks between columns, none inside a cell. `width` is the terminal's; without one
 * (a pipe, a file) nothing is cut, so that a program reads the whole of every value.
 */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  options: { width?: number | undefined; colours?: boolean } = {},
): string {
  const lines = [columns.map(({ header }): Styled => ({ text: header })), ...rows.map((row) => cellsOf(columns, row))];
  const natural = columns.map((_, at) => Math.max(...lines.map((line) => displayWidth(line[at]!.text))));
  const widths = options.width === undefined ? natural : shrink(columns, natural, options.width);
  return lines.map((line) => `${renderLine(line, widths, options.colours ?? false)}\n`).join('');
}

const GAP = 2;

function cellsOf<Row>(columns: readonly Column<Row>[], row: Row): Styled[] {
  return columns.map((column) => {
    const value = column.cell(row);
    const { text, colour = 'plain' } = typeof value === 'string' ? { text: value } : value;
    const safe = column.sentence || typeof value !== 'string' ? plainText(text) : plainCell(text);
    return { text: safe === '' ? '-' : safe, colour };
  });
}

/** Takes from the widest column that may still give, until the line fits or nothing gives any more. */
function shrink<Row>(columns: readonly Column<Row>[], natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  const excess = () => widths.reduce((sum, value) => sum + value, GAP * (widths.length - 1)) - width;
  while (excess() > 0) {
    let widest = -1;
    for (const [at, column] of columns.entries()) {
      const floor = Math.max(column.shrinksTo ?? Number.POSITIVE_INFINITY, column.header.length);
      if (widths[at]! > floor && (widest < 0 || widths[at]! > widths[widest]!)) widest = at;
    }
    if (widest < 0) break;
    widths[widest]! -= 1;
  }
  return widths;
}

function renderLine(line: readonly Styled[], widths: readonly number[], colours: boolean): string {
  const cells = line.map(({ text, colour = 'plain' }, at) => {
    const shown = truncateToWidth(text, widths[at]!);
    const padding = at === line.length - 1 ? 0 : widths[at]! - displayWidth(shown) + GAP;
    return paint({ text: shown, colour }, colours) + ' '.repeat(padding);
  });
  return cells.join('').trimEnd();
}
