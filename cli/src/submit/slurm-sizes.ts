/** A size as sbatch takes it, or a sentence that quotes what cannot be read. */
export type Size = { readonly ok: true; readonly value: number } | { readonly ok: false; readonly message: string };

/** Seconds of `minutes`, `minutes:seconds`, `hours:minutes:seconds`, `days-hours`, `days-hours:minutes` and `days-hours:minutes:seconds` (sbatch(1), --time). */
export function parseTimeLimit(text: string): Size {
  const match = /^(?:(\d{1,5})-(\d{1,6})(?::(\d{1,6}))?(?::(\d{1,6}))?|(\d{1,8})(?::(\d{1,8}))?(?::(\d{1,8}))?)$/.exec(
    text,
  );
  if (!match) return bad(`'${text}' is not a time: 90 (minutes), 01:30:00 and 1-12:00:00 are`);
  const [days, dayHours, dayMinutes, daySeconds, first, second, third] = match
    .slice(1)
    .map((part) => Number(part ?? 0));
  const seconds =
    match[1] !== undefined
      ? days! * 86_400 + dayHours! * 3600 + dayMinutes! * 60 + daySeconds!
      : match[7] !== undefined
        ? first! * 3600 + second! * 60 + third!
        : first! * 60 + second!;
  return seconds > 0 ? { ok: true, value: seconds } : bad('a time limit of nothing would end the job at once');
}

/** MiB of `500`, `500M`, `4G`, `1T`; `K` is rounded up (sbatch(1), --mem). */
export function parseMemory(text: string): Size {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)([KMGT]?)B?$/i.exec(text);
  if (!match) return bad(`'${text}' is not an amount of memory: 500M, 4G and 1T are`);
  const value = Math.ceil(Number(match[1]) * MIB[match[2]!.toUpperCase()]!);
  return value > 0 ? { ok: true, value } : bad('memory must be given as an amount; all of a node is --exclusive');
}

/** `2` or `a100:2` (sbatch(1), --gpus). */
export function parseGpus(text: string): { readonly type?: string; readonly count: number } | null {
  const match = /^(?:([A-Za-z0-9][A-Za-z0-9._-]{0,62}):)?(\d{1,4})$/.exec(text);
  return match ? { ...(match[1] ? { type: match[1] } : {}), count: Number(match[2]) } : null;
}

const MIB: Readonly<Record<string, number>> = { K: 1 / 1024, '': 1, M: 1, G: 1024, T: 1_048_576 };

function bad(message: string): Size {
  return { ok: false, message };
}
