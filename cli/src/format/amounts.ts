const UNITS = ['Mi', 'Gi', 'Ti', 'Pi'];

/** Memory with the unit that leaves one to four digits: `512Mi`, `15.6Gi`, `128Gi`. */
export function memory(mebibytes: number): string {
  const unit = unitOf(mebibytes);
  return `${scaled(mebibytes, unit)}${UNITS[unit]}`;
}

export function memoryOfBytes(bytes: number): string {
  return bytes < 1_048_576 ? `${Math.ceil(bytes / 1024)}Ki` : memory(bytes / 1_048_576);
}

/** `free/total` in the unit of the total: `3.5/62.8Gi`. */
export function memoryShare(freeMiB: number, totalMiB: number): string {
  const unit = unitOf(totalMiB);
  return `${scaled(freeMiB, unit)}/${scaled(totalMiB, unit)}${UNITS[unit]}`;
}

export function share(free: number, total: number): string {
  return total === 0 ? '-' : `${free}/${total}`;
}

function unitOf(mebibytes: number): number {
  let unit = 0;
  for (let value = mebibytes; value >= 1024 && unit < UNITS.length - 1; value /= 1024) unit += 1;
  return unit;
}

function scaled(mebibytes: number, unit: number): string {
  const value = mebibytes / 1024 ** unit;
  return value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : String(Number(value.toFixed(1)));
}
