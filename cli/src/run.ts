import { Command, CommanderError } from 'commander';
import type { Cli } from './cli.ts';
import { commandTable } from './command-table.ts';
import { EXIT } from './exit-code.ts';
import { Failure } from './failure.ts';
import { plainText } from './format/plain-text.ts';
import type { Io } from './io.ts';

/** Runs one command line and returns the exit code; never throws. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const { words, afterDashes } = split(args);
  const cli: Cli = {
    io,
    afterDashes,
    exitCode: EXIT.ok,
    connect: (context) => connect(context ?? program.opts<{ context?: string }>().context, io),
  };
  let waits = false;
  const program = buildProgram(cli, (command) => {
    waits = command === 'wait' || (command === 'submit' && words.includes('--wait'));
  });
  try {
    if (words.length === 0) program.outputHelp();
    else await program.parseAsync(words, { from: 'user' });
    return cli.exitCode;
  } catch (error) {
    return onlyTheJobsCode(waits, report(error, io));
  }
}

/** `help X` is `X --help`, so that X's own options are loaded; what follows `--` belongs to the job. */
function split(args: readonly string[]): { words: string[]; afterDashes: string[] | null } {
  const at = args.indexOf('--');
  const words = at < 0 ? [...args] : args.slice(0, at);
  return {
    words: words[0] === 'help' ? [...words.slice(1), '--help'] : words,
    afterDashes: at < 0 ? null : args.slice(at + 1),
  };
}

function buildProgram(cli: Cli, onCommand: (name: string) => void): Command {
  const program = new Command('yard')
    .description('One endpoint in front of many clusters: submit once, run exactly once.')
    .usage('COMMAND [options]')
    .option('--context <name>', 'use this context of the configuration file')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .addHelpText('after', '\nFirst job:  yard submit -- hostname     Help:  yard COMMAND --help')
    .exitOverride()
    .configureHelp({ helpWidth: 80 })
    .configureOutput({
      writeOut: (text) => cli.io.stdout.write(text),
      writeErr: (text) => cli.io.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'yard: ')),
    })
    .showSuggestionAfterError();
  for (const { name, summary, hidden } of commandTable)
    program.command(name, { hidden: hidden ?? false }).description(summary);
  program.hook('preSubcommand', async (_, command) => {
    onCommand(command.name());
    const entry = commandTable.find(({ name }) => name === command.name());
    const define = await entry?.load();
    define?.(command, cli);
  });
  return program;
}

async function connect(context: string | undefined, io: Io) {
  const [{ ApiClient }, { chooseConnection }] = await Promise.all([
    import('./api/api-client.ts'),
    import('./config/connection.ts'),
  ]);
  const { url, token, caFile } = chooseConnection(io.env, context);
  if (caFile !== undefined) (await import('./config/trust-ca-file.ts')).trustCaFile(caFile);
  return new ApiClient({ url, token });
}

/** One sentence, its facts and what to do next, on stderr. */
function report(error: unknown, io: Io): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { message, lines, hint, exitCode } =
    error instanceof Failure ? error : new Failure(`${(error as Error)?.message ?? error}`);
  const text = [`yard: ${message}`, ...lines.map((line) => `  ${line}`), ...(hint ? [`hint: ${hint}`] : [])];
  io.stderr.write(text.map((line) => `${plainText(line)}\n`).join(''));
  if (io.env['YARD_DEBUG'] && error instanceof Error) io.stderr.write(`${error.stack}\n`);
  return exitCode;
}

/** While waiting, every small number is a job's own code: a failure of yard itself is 125, as with docker run. */
function onlyTheJobsCode(waits: boolean, code: number): number {
  return waits && code !== EXIT.ok && code !== EXIT.interrupted ? EXIT.yardFailed : code;
}
