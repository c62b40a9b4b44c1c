const UNIT_SECONDS: Readonly<Record<string, number>> = {
  second: 1,
  minute: 60,
  hour: 3600,
  day: 86_400,
  week: 604_800,
};

/**
 * A moment as `--begin` and `--deadline` take it, of those forms that mean the same everywhere: `YYYY-MM-DD[THH:MM[:SS]]`, taken as UTC
 * unless it names a zone, and `now[+count[units]]`. Null for anything else, and for `now` where the caller has no clock.
 */
export function parseSlurmMoment(text: string, nowMs: number | null): number | null {
  const relative = /^now(?:\+(\d{1,9})(?:(second|minute|hour|day|week)s?)?)?$/.exec(text);
  if (relative)
    return nowMs === null ? null : nowMs + Number(relative[1] ?? 0) * UNIT_SECONDS[relative[2] ?? 'second']! * 1000;
  const iso = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(:\d{2})?)?(Z|[+-]\d{2}:\d{2})?$/.exec(text);
  if (!iso) return null;
  const ms = Date.parse(`${iso[1]}T${iso[2] ?? '00:00'}${iso[3] ?? ':00'}${iso[4] ?? 'Z'}`);
  return Number.isNaN(ms) ? null : ms;
}
