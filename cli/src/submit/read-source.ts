import { readFileSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import type { Cli } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { Failure, usage } from '../failure.ts';
import { readAll } from '../io.ts';

/** What is to run, as it was given on the command line. */
export type Source =
  | { readonly kind: 'script'; readonly text: string; readonly fileName: string | null }
  | { readonly kind: 'command'; readonly argv: readonly string[] }
  | { readonly kind: 'document'; readonly document: Readonly<Record<string, unknown>> };

/** Reads a script, a document (by its extension), stdin (`-`), or the words after `--`. */
export async function readSource(cli: Cli, files: readonly string[]): Promise<Source> {
  const [file, ...more] = files;
  if (cli.afterDashes !== null) {
    if (file !== undefined) throw usage(`Give either the script '${file}' or a command after --, not both.`);
    if (cli.afterDashes.length === 0) throw usage('There is no command after --.', 'yard submit -- hostname');
    return { kind: 'command', argv: cli.afterDashes };
  }
  if (file === undefined)
    throw usage(
      'There is nothing to submit.',
      'yard submit SCRIPT, yard submit - (from stdin), yard submit -- COMMAND.',
    );
  if (more.length > 0)
    throw usage(
      `A script takes no arguments here: '${more[0]}' would be lost.`,
      `yard submit -- ${file} ${more.join(' ')} runs it with arguments; --env NAME=VALUE hands over values.`,
    );
  if (file === '-') return { kind: 'script', text: decoded(await readAll(cli.io.stdin), 'stdin'), fileName: null };
  const text = decoded(readText(resolve(cli.io.cwd, file), file), file);
  return DOCUMENTS.has(extname(file).toLowerCase())
    ? { kind: 'document', document: await parseDocument(text, file) }
    : { kind: 'script', text, fileName: basename(file) };
}

const DOCUMENTS = new Set(['.yaml', '.yml', '.json']);

function readText(path: string, shown: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const what = { ENOENT: 'There is no file', EACCES: 'There is no permission to read', EISDIR: 'This is a folder:' };
    throw new Failure(`${what[code as 'ENOENT'] ?? `${code}:`} ${shown}.`, { exitCode: EXIT.usage, cause: error });
  }
}

/** U+FFFD stands for bytes that are not UTF-8. */
function decoded(text: string, from: string): string {
  if (text.includes('\0') || text.includes('\ufffd'))
    throw usage(`${from} is not a text in UTF-8.`, `If it is a program: yard submit -- ${from}`);
  return text;
}

async function parseDocument(text: string, file: string): Promise<Readonly<Record<string, unknown>>> {
  const { parseDocument } = await import('yaml');
  const yaml = parseDocument(text);
  const [problem] = yaml.errors;
  if (problem) throw usage(`${file} cannot be read: ${problem.message.split('\n')[0]}`);
  const document: unknown = yaml.toJS({ maxAliasCount: 100 });
  if (typeof document === 'object' && document !== null && !Array.isArray(document))
    return document as Record<string, unknown>;
  throw usage(`${file} does not describe a job.`, 'It must be a map such as {name: relax, command: [hostname]}.');
}
