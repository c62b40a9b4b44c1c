/**
 * Text from others as it may stand on a terminal: control characters (C0, DEL, C1), line separators and the marks that reorder
 * what is read (bidi, Unicode TR36 section 2.5) are written as escapes, so that no name can move the cursor or hide another.
 */
export function plainText(text: string): string {
  return text.toWellFormed().replace(UNSAFE, escaped);
}

/** The same for one cell of a table: no spaces either, so that every row splits into its columns. */
export function plainCell(text: string): string {
  return plainText(text).replace(/\s/gu, '_');
}

const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this finds
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
}
