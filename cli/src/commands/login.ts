import { resolve } from 'node:path';
import { ApiClient } from '../api/api-client.ts';
import type { Clusters } from '../api/api-types.ts';
import { type Cli, type DefineCommand, say } from '../cli.ts';
import { configPath, readConfig, writeConfig } from '../config/config-file.ts';
import { checkedUrl, DEFAULT_URL } from '../config/connection.ts';
import { promptHidden } from '../config/prompt-hidden.ts';
import { trustCaFile } from '../config/trust-ca-file.ts';
import { usage } from '../failure.ts';
import { plainText } from '../format/plain-text.ts';
import { readAll } from '../io.ts';

/** `yard login`: tries a token and stores it with its address; the token is read from stdin or typed unseen, never from the command line. */
export const defineLogin: DefineCommand = (command, cli) => {
  command
    .option('--url <url>', 'address of the broker', DEFAULT_URL)
    .option('--ca <file>', 'certificate authority of a broker that has its own')
    .option('--token-stdin', 'read the token from stdin')
    .action(async (options: { url: string; ca?: string; tokenStdin?: true }) => {
      const { context: name = 'default' } = command.optsWithGlobals<{ context?: string }>();
      const url = checkedUrl(options.url, '--url');
      warnOfPlainText(cli, url);
      const caFile = options.ca === undefined ? undefined : resolve(cli.io.cwd, options.ca);
      if (caFile !== undefined) trustCaFile(caFile);
      const token = await readToken(cli, url, options.tokenStdin === true);
      const { items } = await new ApiClient({ url, token }).get<Clusters>('/v1/clusters');
      const path = configPath(cli.io.env);
      const { contexts } = readConfig(path);
      writeConfig(path, {
        current: name,
        contexts: { ...contexts, [name]: { url, token, ...(caFile && { caFile }) } },
      });
      const clusters = `${items.length} cluster${items.length === 1 ? '' : 's'}`;
      say(cli, plainText(`Logged in to ${url} as context '${name}' (${clusters}); stored in ${path}.`));
    });
};

async function readToken(cli: Cli, url: string, fromStdin: boolean): Promise<string> {
  const { stdin } = cli.io;
  if (!fromStdin && !stdin.isTTY)
    throw usage('There is no terminal to type the token on.', 'Pipe it in: `yard login --token-stdin < FILE`.');
  const text = fromStdin ? await readAll(stdin) : await promptHidden(cli.io, `Token for ${plainText(url)}: `);
  const token = text.trim();
  // A header cannot carry more than this (RFC 6750 section 2.1).
  if (/^[A-Za-z0-9._~+/=-]{8,4096}$/.test(token)) return token;
  throw usage(token === '' ? 'The token is empty.' : 'That is not a token: it has characters that no token has.');
}

function warnOfPlainText(cli: Cli, url: string): void {
  const { protocol, hostname } = new URL(url);
  const loopback = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  if (protocol === 'http:' && !loopback)
    say(cli, `warning: ${plainText(url)} is not encrypted: everybody on the way can read the token.`);
}
