/** `UNLIMITED`, `1-02:03:04`, `2:03:04`, `3:04`, `INVALID`, `NOT_SET` → seconds; null: no limit or none known. */
export function parseDuration(text: string): number | null {
  const match = /^(?:(\d+)-)?(?:(?:(\d+):)?(\d+):)?(\d+)$/.exec(text);
  if (!match) return null;
  const [, days = '0', hours = '0', minutes = '0', seconds = '0'] = match;
  return Number(days) * 86_400 + Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}

/** Epoch seconds (SLURM_TIME_FORMAT=%s) → milliseconds; `N/A`, `NONE`, `Unknown`, `0` → null. */
export function parseEpoch(text: string): number | null {
  return /^[1-9]\d{0,11}$/.test(text) ? Number(text) * 1000 : null;
}

/** A whole number, or null for every other text. */
export function parseWhole(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** `gpu:a100:2(IDX:0-1),gpu:1`, `gres/gpu:2`, `gres:gpu:a100:1`, `(null)` → GPUs by type; '' for a type that is not named. */
export function parseGpus(text: string): ReadonlyMap<string, number> {
  const gpus = new Map<string, number>();
  for (const entry of text.replaceAll(/\([^)]*\)?/g, '').split(',')) {
    const match = /^(?:gres[:/])?gpu(?:[:/]([^:=]+))??(?:[:=](\d{1,6})([KM]?))?$/.exec(entry.trim());
    if (!match) continue;
    const [, type = '', amount = '1', unit = ''] = match;
    gpus.set(type, (gpus.get(type) ?? 0) + Number(amount) * { '': 1, K: 1024, M: 1_048_576 }[unit]!);
  }
  return gpus;
}

export function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
