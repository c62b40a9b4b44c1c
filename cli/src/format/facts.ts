import { plainText } from './plain-text.ts';
import { paint, type Styled } from './styled.ts';

/** Label, value, and what stands beside the value. A fact that is null or empty is left out. */
export type Facts = readonly (readonly [label: string, value: string | Styled | null, beside?: string])[];

/** One fact a line, the values under each other. */
export function renderFacts(facts: Facts, colours: boolean): string {
  const known = facts.flatMap(([label, value, beside]) => {
    const styled = typeof value === 'string' ? { text: value } : value;
    return styled?.text ? [{ label, value: { ...styled, text: plainText(styled.text) }, beside }] : [];
  });
  const width = Math.max(0, ...known.map(({ label }) => label.length)) + 2;
  return known
    .map(({ label, value, beside }) => {
      const rest = beside ? `  ${plainText(beside)}` : '';
      return `${label.padEnd(width)}${paint(value, colours)}${rest}\n`;
    })
    .join('');
}
