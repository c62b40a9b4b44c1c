/** Linux signal names by number, signal(7); without SIG. The payload's host decides, and all our clusters run Linux. */
const NAMES = [
  ...['', 'HUP', 'INT', 'QUIT', 'ILL', 'TRAP', 'ABRT', 'BUS', 'FPE', 'KILL', 'USR1', 'SEGV', 'USR2', 'PIPE', 'ALRM'],
  ...['TERM', 'STKFLT', 'CHLD', 'CONT', 'STOP', 'TSTP', 'TTIN', 'TTOU', 'URG', 'XCPU', 'XFSZ', 'VTALRM', 'PROF'],
  ...['WINCH', 'IO', 'PWR', 'SYS'],
];

/** `9` → `KILL`, `35` → `RTMIN+1`; null for a number that is no signal (32 and 33 belong to the C library). */
export function signalName(number: number): string | null {
  if (number >= 34 && number <= 64) return number === 34 ? 'RTMIN' : `RTMIN+${number - 34}`;
  return NAMES[number] || null;
}

/** The number of a name, with or without SIG; null for an unknown one. */
export function signalNumber(name: string): number | null {
  const plain = name.replace(/^SIG/, '');
  const realTime = /^RTMIN(?:\+(\d{1,2}))?$/.exec(plain);
  if (realTime) return 34 + Number(realTime[1] ?? 0);
  const number = NAMES.indexOf(plain);
  return number > 0 ? number : null;
}
