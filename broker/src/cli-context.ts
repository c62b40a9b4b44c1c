import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';

/**
 * Writes the context `local` that the command line uses without another word. A file with anything else in it is the
 * person's own and stays as it is. True when it was written.
 */
export function writeCliContext(configHome: string, local: { url: string; token: string; caFile?: string }): boolean {
  const file = join(configHome, 'config.yaml');
  if (!isOurs(file)) return false;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, stringify({ current: 'local', contexts: { local } }), { mode: 0o600 });
  renameSync(draft, file);
  return true;
}

function isOurs(file: string): boolean {
  if (!existsSync(file)) return true;
  try {
    const { contexts } = parse(readFileSync(file, 'utf8')) ?? {};
    return contexts === undefined || Object.keys(contexts).every((name) => name === 'local');
  } catch {
    return false;
  }
}
