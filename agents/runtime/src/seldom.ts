const AGAIN_MS = 600_000;

/** The same trouble comes back with every look: a sentence is said again only after a while. */
export function seldom(warn: (sentence: string) => void, now: () => number): (sentence: string) => void {
  const said = new Map<string, number>();
  return (sentence) => {
    for (const [other, atMs] of said) if (now() - atMs > AGAIN_MS) said.delete(other);
    if (said.has(sentence)) return;
    said.set(sentence, now());
    warn(sentence);
  };
}
