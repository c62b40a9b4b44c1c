import type { DryRun } from '../api/api-types.ts';
import { type Cli, look, say } from '../cli.ts';
import { plainText } from '../format/plain-text.ts';
import type { Styled } from '../format/styled.ts';
import { type Column, renderTable } from '../format/table.ts';

type Line = { readonly cluster: string; readonly pool: string; readonly verdict: Styled; readonly why: string };

/** Every cluster that was considered, the chosen one first, and why not the others. */
export function printDryRun(cli: Cli, { placements, refusals, wait }: DryRun): void {
  const lines: Line[] = [
    ...placements.map(({ cluster, pool, why }, at) => ({
      cluster,
      pool,
      verdict: at === 0 ? chosen : possible,
      why,
    })),
    ...refusals.map(({ cluster, sentence, permanent }) => ({
      cluster,
      pool: '-',
      verdict: permanent ? never : notNow,
      why: sentence,
    })),
  ];
  const { colours } = look(cli);
  // Sentences are worth more than a narrow table: nothing is cut.
  if (lines.length > 0) cli.io.stdout.write(renderTable(columns, lines, { colours }));
  const [first] = placements;
  if (first) say(cli, plainText(`It would go to ${first.cluster} now; nothing was submitted.`));
  else say(cli, plainText(`It would wait${wait ? `: ${wait}` : ''}; nothing was submitted.`));
}

const chosen: Styled = { text: '✔\u00a0chosen', colour: 'green' };
const possible: Styled = { text: '◌\u00a0possible', colour: 'plain' };
const notNow: Styled = { text: '◔\u00a0not-now', colour: 'yellow' };
const never: Styled = { text: '✖\u00a0never', colour: 'red' };

const columns: Column<Line>[] = [
  { header: 'CLUSTER', cell: ({ cluster }) => cluster },
  { header: 'POOL', cell: ({ pool }) => pool },
  { header: 'VERDICT', cell: ({ verdict }) => verdict },
  { header: 'WHY', cell: ({ why }) => why, sentence: true },
];
