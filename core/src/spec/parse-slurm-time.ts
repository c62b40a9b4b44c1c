/** A time limit of Slurm in seconds: `minutes`, `minutes:seconds`, `h:m:s`, `days-h`, `days-h:m`, `days-h:m:s`; null for anything else. */
export function parseSlurmTime(text: string): number | null {
  const match = /^(?:(\d{1,5})-)?(\d{1,8})(?::(\d{1,8}))?(?::(\d{1,8}))?$/.exec(text);
  if (!match) return null;
  const [days, first, second, third] = match.slice(1).map((part) => (part === undefined ? null : Number(part)));
  if (days !== null && days !== undefined) return days * 86_400 + first! * 3600 + (second ?? 0) * 60 + (third ?? 0);
  if (third !== null && third !== undefined) return first! * 3600 + second! * 60 + third;
  return first! * 60 + (second ?? 0);
}
