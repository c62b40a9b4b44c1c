import type { DefineCommand } from '../cli.ts';
import { candidates } from '../completion/candidates.ts';

/** `yard __complete -- WORDS…`: one candidate a line for the last word; silent about every problem, since somebody is typing. */
export const defineComplete: DefineCommand = (command, cli) => {
  command.action(async () => {
    const words = cli.afterDashes ?? [];
    const lines = await candidates(cli, words.length > 0 ? words : ['']).catch(() => []);
    cli.io.stdout.write(lines.map((line) => `${line}\n`).join(''));
  });
};
