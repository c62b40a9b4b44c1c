import { Command } from 'commander';
import type { Clusters, Job, Page } from '../api/api-types.ts';
import type { Cli } from '../cli.ts';
import { commandTable } from '../command-table.ts';
import { configPath, readConfig } from '../config/config-file.ts';
import { plainText } from '../format/plain-text.ts';

/** What could stand in the place of the last word: `value` or `value<TAB>description`. */
export async function candidates(cli: Cli, words: readonly string[]): Promise<string[]> {
  const typed = words.at(-1) ?? '';
  const { context, before } = withoutContext(words.slice(0, -1));
  // What follows `--` is a command of the cluster.
  if (before.includes('--')) return [];
  const here = { ...cli, connect: () => cli.connect(context) };
  const found = context === '' ? contextNames(cli) : await all(here, before, typed);
  return found.filter((candidate) => candidate.startsWith(typed));
}

/** `--context NAME` may stand anywhere; empty while its name is being typed. */
function withoutContext(words: readonly string[]): { context: string | undefined; before: string[] } {
  const at = words.indexOf('--context');
  if (at < 0) return { context: undefined, before: [...words] };
  return { context: words[at + 1] ?? '', before: words.toSpliced(at, 2) };
}

function contextNames(cli: Cli): string[] {
  return Object.keys(readConfig(configPath(cli.io.env)).contexts);
}

async function all(cli: Cli, before: readonly string[], typed: string): Promise<string[]> {
  const [name, ...rest] = before;
  if (name === undefined) return commandNames();
  const entry = commandTable.find((each) => each.name === name);
  if (!entry) return [];
  const command = new Command(name);
  (await entry.load())(command, cli);
  const values = await optionValues(cli, command, rest.at(-1));
  if (values !== null) return values;
  if (typed.startsWith('-')) return optionNames(command, rest);
  return argumentValues(cli, name, command, rest);
}

function commandNames(): string[] {
  return commandTable.filter(({ hidden }) => !hidden).map(({ name, summary }) => `${name}\t${summary}`);
}

function optionNames(command: Command, rest: readonly string[]): string[] {
  const [subName] = rest;
  const shown = command.commands.find((each) => each.name() === subName) ?? command;
  return shown.options.flatMap(({ long, description }) => (long ? [`${long}\t${plainText(description)}`] : []));
}

/** Null when the word before is no option that takes a value. */
async function optionValues(cli: Cli, command: Command, previous: string | undefined): Promise<string[] | null> {
  const option = command.options.find(({ long, short }) => previous !== undefined && [long, short].includes(previous));
  if (!option || !(option.required || option.optional)) return null;
  if (option.argChoices) return option.argChoices;
  if (option.long === '--cluster') return clusterNames(cli);
  if (option.long === '--after') return jobNumbers(cli, true);
  return [];
}

async function argumentValues(cli: Cli, name: string, command: Command, rest: readonly string[]): Promise<string[]> {
  if (['show', 'logs', 'events'].includes(name)) return jobNumbers(cli, true);
  if (['cancel', 'wait', 'release'].includes(name)) return jobNumbers(cli, false);
  const [subName] = rest;
  if (name === 'cluster' && subName !== undefined && subName !== 'add') return clusterNames(cli);
  if (command.commands.length > 0 && subName === undefined)
    return command.commands.map((each) => `${each.name()}\t${each.description()}`);
  return command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
}

/** The newest ones; a person who types knows the others. */
async function jobNumbers(cli: Cli, ended: boolean): Promise<string[]> {
  const client = await cli.connect();
  const state = ended ? undefined : 'held,queued,placing,placed,running';
  const { items } = await client.get<Page<Job>>('/v1/jobs', { limit: 50, state }, AbortSignal.timeout(1500));
  return items.map(({ number, name, state }) => `${number}\t${plainText(`${name} (${state})`)}`);
}

async function clusterNames(cli: Cli): Promise<string[]> {
  const client = await cli.connect();
  const { items } = await client.get<Clusters>('/v1/clusters', undefined, AbortSignal.timeout(1500));
  return items.map(({ name, kind, state }) => `${plainText(name)}\t${plainText(`${kind}, ${state}`)}`);
}
