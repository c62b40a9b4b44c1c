import { Option } from 'commander';
import { type Cli, look } from '../cli.ts';
import { type Column, renderTable } from './table.ts';

export const FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type Format = (typeof FORMATS)[number];

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'how to print it').choices(FORMATS).default('table');
}

export type Listing<Row> = {
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
  readonly wideColumns: readonly Column<Row>[];
  readonly nameOf: (row: Row) => string;
  /** The document for json and yaml, as the broker sent it. */
  readonly document: unknown;
};

/** Prints a list in the asked format; an empty table prints nothing at all. */
export async function printListing<Row>(cli: Cli, format: Format, listing: Listing<Row>): Promise<void> {
  const { rows, columns, wideColumns, nameOf, document } = listing;
  if (format === 'json' || format === 'yaml') return printDocument(cli, format, document);
  if (format === 'name') cli.io.stdout.write(rows.map((row) => `${nameOf(row)}\n`).join(''));
  else if (rows.length > 0)
    cli.io.stdout.write(
      format === 'wide'
        ? renderTable(wideColumns, rows, { colours: look(cli).colours })
        : renderTable(columns, rows, look(cli)),
    );
}

/** Prints what the broker sent; control characters are escaped in it, as both formats allow. */
export async function printDocument(cli: Cli, format: 'json' | 'yaml', document: unknown): Promise<void> {
  cli.io.stdout.write(format === 'json' ? toJson(document) : await toYaml(document));
}

function toJson(document: unknown): string {
  return `${escapeControls(JSON.stringify(document, null, 2))}\n`;
}

async function toYaml(document: unknown): Promise<string> {
  const { Document, visit } = await import('yaml');
  const yaml = new Document(document);
  visit(yaml, {
    Scalar: (_, scalar) => {
      if (typeof scalar.value === 'string' && escapeControls(scalar.value) !== scalar.value)
        scalar.type = 'QUOTE_DOUBLE';
    },
  });
  return escapeControls(yaml.toString({ lineWidth: 0 }));
}

/** DEL, C1 and bidi marks, which JSON leaves as they are; inside double quotes `\u009b` means the same in JSON and in YAML. */
function escapeControls(text: string): string {
  return text.replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
