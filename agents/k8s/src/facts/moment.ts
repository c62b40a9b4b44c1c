/** RFC 3339 text as milliseconds; 0 for none, for what cannot be read, and for the year 1 that stands for none in Go. */
export function momentMs(text: string | null | undefined): number {
  const ms = text ? Date.parse(text) : Number.NaN;
  return ms > 0 ? ms : 0;
}
