/** UTF-8 length without an encoder, for this folder is pure. */
export function utf8Bytes(text: string): number {
  let total = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    // Half of a surrogate pair: two of them make four bytes.
    total += code < 0x80 ? 1 : code < 0x800 || (code & 0xf800) === 0xd800 ? 2 : 3;
  }
  return total;
}
