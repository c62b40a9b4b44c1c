import { readSbatchDirectives } from '@switchyard/core/spec/sbatch-directives.ts';

/**
 * As sbatch has it: a script is called like its file and runs where it was submitted. What the script itself says (`#SBATCH`) is
 * read by the broker and must not be hidden by these, so each stands only where no directive gives it.
 */
export function scriptDefaults(
  script: string,
  fileName: string | null,
  cwd: string,
): { name?: string; workdir?: string } {
  const directives = readSbatchDirectives(script);
  // One that cannot be honoured is refused by the broker, in its own words.
  const { name, workdir } = directives.ok ? directives.partial : {};
  return {
    ...(fileName === null || name !== undefined ? {} : { name: fileName }),
    ...(workdir === undefined ? { workdir: cwd } : {}),
  };
}
