/** Aligned lines on stdout for the person at the terminal; programs read the logs on stderr. */
export type Screen = {
  /** A word and what is to be said of it, in columns. */
  row(word: string, text: string): void;
  line(text?: string): void;
};

const COLUMN = 11;

export function createScreen(write: (text: string) => void): Screen {
  return {
    row: (word, text) => write(`  ${word.padEnd(COLUMN)}${text}\n`),
    line: (text = '') => write(`${text}\n`),
  };
}
