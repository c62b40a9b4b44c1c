/** One line of `scontrol -o`: `Key=value Key=value …`. Values with spaces are cut at the first, which no key read here has. */
export type ScontrolRecord = { get(key: string): string };

/**
 * The first occurrence of a key counts: free text (Reason, Comment, Extra) stands at the end and may look like any key.
 * `(null)` and `N/A` are absent, as is a key the release does not have.
 */
export function scontrolRecord(line: string): ScontrolRecord {
  const values = new Map<string, string>();
  for (const [, key, value] of line.matchAll(/(?:^|\s)([A-Za-z][\w:/]*)=(\S*)/g))
    if (!values.has(key!)) values.set(key!, value === '(null)' || value === 'N/A' ? '' : value!);
  return { get: (key) => values.get(key) ?? '' };
}

/** Records of `scontrol -o show …`, one in each line that starts with this key. */
export function scontrolRecords(text: string, firstKey: string): ScontrolRecord[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${firstKey}=`))
    .map(scontrolRecord);
}
