import { usage } from '../failure.ts';
import { type ConfigFile, type Context, configPath, readConfig } from './config-file.ts';

export const DEFAULT_URL = 'http://127.0.0.1:8470';

/**
 * Which broker, and with which token: --context, else YARD_CONTEXT, else the current context of the file. YARD_URL and YARD_TOKEN
 * each replace that part, except of a context that was named by --context.
 */
export function chooseConnection(env: NodeJS.ProcessEnv, named?: string): Context {
  if (named === undefined && env['YARD_URL'] && env['YARD_TOKEN'])
    return { url: checkedUrl(env['YARD_URL'], 'YARD_URL'), token: env['YARD_TOKEN'] };
  const config = readConfig(configPath(env));
  if (named !== undefined) return contextOf(config, named);
  const name = env['YARD_CONTEXT'] || config.current;
  const context = name ? contextOf(config, name) : undefined;
  const url = env['YARD_URL'] ? checkedUrl(env['YARD_URL'], 'YARD_URL') : context?.url;
  // A token is for one broker: that of a context never goes to another address.
  const token = env['YARD_TOKEN'] || (env['YARD_URL'] && context?.url !== url ? undefined : context?.token);
  if (token) return { ...(context?.url === url && context), url: url ?? DEFAULT_URL, token };
  throw usage(
    url ? `There is no token for ${url}.` : 'yard does not know a broker yet.',
    'Run `yard login --url URL`, or set YARD_URL and YARD_TOKEN.',
  );
}

export function checkedUrl(text: string, from: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw usage(`${from} is not an http or https address: '${text}'.`, `For example ${DEFAULT_URL}.`);
  return text.replace(/\/+$/, '');
}

function contextOf(config: ConfigFile, name: string): Context {
  if (Object.hasOwn(config.contexts, name)) return config.contexts[name]!;
  const known = Object.keys(config.contexts);
  throw usage(
    `There is no context '${name}'.`,
    known.length > 0 ? `Known are ${known.join(', ')}.` : '`yard login` makes one.',
  );
}
