import type { Command } from 'commander';
import type { ApiClient } from './api/api-client.ts';
import { plainText } from './format/plain-text.ts';
import { wantsColour } from './format/styled.ts';
import type { Io } from './io.ts';

/** What every command gets: the world, the broker, and where its answer goes. */
export type Cli = {
  readonly io: Io;
  /** The words after `--`; null when there was none. */
  readonly afterDashes: readonly string[] | null;
  exitCode: number;
  /** The broker of the named context, else of the chosen one; throws when there is none. */
  connect(context?: string): Promise<ApiClient>;
};

/** Adds a command's arguments, options and action; its file is loaded only when the command is used. */
export type DefineCommand = (command: Command, cli: Cli) => void;

/** One line of words, on stderr, so that stdout holds data alone. Text from others in it must be plain already. */
export function say({ io }: Cli, line: string): void {
  io.stderr.write(`${line}\n`);
}

/** One line of data, on stdout. */
export function print({ io }: Cli, line: string): void {
  io.stdout.write(`${plainText(line)}\n`);
}

/** How a table or a state is shown here: cut to the terminal, whole in a pipe. */
export function look(
  { io }: Cli,
  stream: 'stdout' | 'stderr' = 'stdout',
): { width: number | undefined; colours: boolean } {
  const output = io[stream];
  return { width: output.isTTY ? output.columns || 80 : undefined, colours: wantsColour(output, io.env) };
}
