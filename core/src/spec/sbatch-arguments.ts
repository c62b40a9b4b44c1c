import type { SpecProblem } from './spec-problem.ts';

export type SbatchArgument = { readonly text: string; readonly line: number };

/**
 * The words of a script's leading `#SBATCH` lines, as sbatch(1) splits them: it stops at the first line that is neither empty nor a
 * comment; quotes group, a backslash takes the next character as it is, `#` outside quotes begins a comment even within a word.
 */
export function sbatchArguments(script: string): { words: SbatchArgument[]; problems: SpecProblem[] } {
  const words: SbatchArgument[] = [];
  const problems: SpecProblem[] = [];
  for (const [at, text] of script.split('\n').entries()) {
    if (text.startsWith(MAGIC)) {
      const split = splitLine(text.slice(MAGIC.length));
      if (typeof split === 'string') problems.push({ path: '/script', message: `line ${at + 1}: ${split}` });
      else words.push(...split.map((word) => ({ text: word, line: at + 1 })));
    } else if (!/^\s*(#|$)/.test(text)) break;
  }
  return { words, problems };
}

const MAGIC = '#SBATCH';

/** The words of one line, or what is wrong with it. */
function splitLine(line: string): string[] | string {
  // Each component of a heterogeneous job is a job of its own in the cluster.
  if (/^\s+(hetjob|packjob)\b/.test(line)) return 'heterogeneous jobs (hetjob) cannot be placed as one job';
  const words: string[] = [];
  for (let at = 0; ; ) {
    while (/\s/.test(line[at] ?? '')) at += 1;
    if (at >= line.length || line[at] === '#') return words;
    if (line[at] === ':') return "unexpected ':', the separator of heterogeneous jobs";
    const word = readWord(line, at);
    if (typeof word === 'string') return word;
    words.push(word.text);
    at = word.end;
  }
}

function readWord(line: string, from: number): { text: string; end: number } | string {
  let text = '';
  let quote = '';
  let escaped = false;
  let end = from;
  for (; end < line.length; end += 1) {
    const character = line[end]!;
    // A space ends the word even behind a backslash; sbatch 22.05 does so.
    if (quote === '' && (/\s/.test(character) || (character === '#' && !escaped))) break;
    const plain = escaped;
    escaped = false;
    if (plain) text += character;
    else if (character === '\\') escaped = true;
    else if (character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else text += character;
  }
  return quote === '' ? { text, end } : `the quote ${quote} is never closed`;
}
