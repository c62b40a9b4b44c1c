/** `1-02:03:04` or `02:03:04`, as Slurm writes time limits. */
export function formatSeconds(seconds: number): string {
  const pad = (value: number) => String(value).padStart(2, '0');
  const days = Math.floor(seconds / 86_400);
  const rest = seconds % 86_400;
  const clock = `${pad(Math.floor(rest / 3600))}:${pad(Math.floor((rest % 3600) / 60))}:${pad(Math.floor(rest % 60))}`;
  return days > 0 ? `${days}-${clock}` : clock;
}
