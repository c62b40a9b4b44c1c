/**
 * As sbatch has it: a script is called like its file and runs where it was submitted. Options in the script itself are read by
 * the broker and must not be hidden by these, so each stands only where no directive gives it.
 */
export function scriptDefaults(
  script: string,
  fileName: string | null,
  cwd: string,
): { name?: string; workdir?: string } {
  const directives = script.split('\n').filter((line) => /^#SBATCH\s/.test(line));
  const says = (option: RegExp) => directives.some((line) => option.test(line));
  return {
    ...(fileName !== null && !says(/\s(-J|--job-name\b)/) ? { name: fileName } : {}),
    ...(says(/\s(-D|--chdir\b)/) ? {} : { workdir: cwd }),
  };
}
