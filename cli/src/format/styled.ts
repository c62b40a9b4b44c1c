export type Styled = { readonly text: string; readonly colour?: Colour };

type Colour = keyof typeof codes | 'plain';

/** The text with its colour, or as it is where colours are not wanted. */
export function paint({ text, colour }: Styled, colours: boolean): string {
  if (!colours || colour === undefined || colour === 'plain') return text;
  return `\u001b[${codes[colour]}m${text}\u001b[0m`;
}

/** Colours only on a terminal that has them, and never with NO_COLOR (no-color.org: set and not empty). */
export function wantsColour(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}

const codes = { red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36, grey: 90, bold: 1 };
