/** A duration as kubectl shows it: two units while the second one matters, then one (`95s`, `3m12s`, `45m`, `5h3m`, `2d`). */
export function age(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  // The limits are those of HumanDuration in k8s.io/apimachinery/pkg/util/duration.
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  if (days < 8) return two(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  return two(Math.floor(days / 365), 'y', days % 365, 'd');
}

/** The age of a moment; `-` for one that has not come. */
export function ageOf(moment: string | null | undefined, nowMs: number): string {
  if (!moment) return '-';
  const at = Date.parse(moment);
  return Number.isNaN(at) ? '-' : age(nowMs - at);
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}
