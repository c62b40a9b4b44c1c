import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { Failure } from '../failure.ts';

export type Context = {
  readonly url: string;
  readonly token: string;
  /** Whom to trust beside the authorities of the system, for a broker with a certificate of its own. */
  readonly caFile?: string;
};
export type ConfigFile = { readonly current: string | null; readonly contexts: Readonly<Record<string, Context>> };

export function configPath(env: NodeJS.ProcessEnv): string {
  const home = env['XDG_CONFIG_HOME'];
  // XDG Base Directory Specification: relative values are invalid and ignored.
  const base = home && isAbsolute(home) ? home : join(env['HOME'] || homedir(), '.config');
  return join(base, 'switchyard', 'config.yaml');
}

/** The contexts of this user; none when there is no file yet. */
export function readConfig(path: string): ConfigFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { current: null, contexts: {} };
    throw new Failure(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code}.`, { cause: error });
  }
  return checked(parsed(text, path), path);
}

/** Replaces the file in one step, readable by its owner alone: it holds tokens. */
export function writeConfig(path: string, config: ConfigFile): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const fresh = `${path}.${randomUUID()}`;
  try {
    writeFileSync(fresh, stringify(config), { mode: 0o600, flag: 'wx' });
    // The umask may have taken the owner's rights away.
    chmodSync(fresh, 0o600);
    renameSync(fresh, path);
  } finally {
    rmSync(fresh, { force: true });
  }
}

function parsed(text: string, path: string): unknown {
  try {
    return parse(text) ?? {};
  } catch (error) {
    // The parser's message quotes the line, which may hold a token.
    const at = (error as { linePos?: { line: number }[] }).linePos?.[0];
    throw new Failure(`${path} is not valid YAML${at ? ` (line ${at.line})` : ''}.`, {
      hint: 'Mend it, or remove it and `yard login`.',
    });
  }
}

function checked(value: unknown, path: string): ConfigFile {
  const { current = null, contexts = {} } = isTree(value) ? value : {};
  const wellFormed =
    isTree(value) &&
    (current === null || typeof current === 'string') &&
    isTree(contexts) &&
    Object.values(contexts).every(isContext);
  if (!wellFormed)
    throw new Failure(`${path} does not hold {current, contexts: {name: {url, token, caFile?}}}.`, {
      hint: 'Mend it, or remove it and `yard login`.',
    });
  return { current: current as string | null, contexts: contexts as Record<string, Context> };
}

function isContext(value: unknown): boolean {
  if (!isTree(value)) return false;
  const { url, token, caFile = '' } = value;
  return [url, token, caFile].every((each) => typeof each === 'string');
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
