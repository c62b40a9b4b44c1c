import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { POLICIES } from '@switchyard/core/placement/snapshot.ts';
import { parse } from 'yaml';
import { z } from 'zod';
import { isLoopback } from './loopback.ts';
import { unknownKeyProblem } from './unknown-key-problem.ts';

const portWords = 'must be a port number, or 0 for any free one';
const port = z.int(portWords).min(0, portWords).max(65_535, portWords);
const file = z
  .string()
  .min(1)
  .transform((path) => resolve(path));
const tls = z.strictObject({ certFile: file, keyFile: file });
const endpoint = (defaultPort: number) =>
  z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1'),
      port: port.default(defaultPort),
      /** The name by which others reach this endpoint, when it is not the address it listens on. */
      publicHost: z.string().min(1).optional(),
      tls: tls.optional(),
    })
    .prefault({});

const configSchema = z.strictObject({
  http: endpoint(8470),
  grpc: endpoint(8471),
  dataDir: z.string().min(1),
  /** Absent: the embedded PostgreSQL under dataDir. */
  databaseUrl: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must begin with postgres:// or postgresql://')
    .optional(),
  placement: z.strictObject({ policy: z.enum(POLICIES).default('least-loaded') }).prefault({}),
  logLevel: z.enum(['error', 'warn', 'info', 'debug']).default('warn'),
  /** What a broker without any cluster makes for itself: what it can see, or nothing. */
  defaultClusters: z.enum(['auto', 'none']).default('auto'),
  /** The small job that a first start submits by itself. */
  helloJob: z.boolean().default(true),
});

export type Config = z.output<typeof configSchema> & { readonly file: string | null; readonly configHome: string };
export type ConfigResult = { ok: true; config: Config } | { ok: false; problems: string[] };

/** Every setting that the environment may give, and where it stands in the file. The environment wins. */
const variables: Record<string, { path: string[]; read: (text: string) => unknown }> = {
  SWITCHYARD_HTTP_HOST: { path: ['http', 'host'], read: asText },
  SWITCHYARD_HTTP_PORT: { path: ['http', 'port'], read: asNumber },
  SWITCHYARD_HTTP_PUBLIC_HOST: { path: ['http', 'publicHost'], read: asText },
  SWITCHYARD_HTTP_TLS_CERT: { path: ['http', 'tls', 'certFile'], read: asText },
  SWITCHYARD_HTTP_TLS_KEY: { path: ['http', 'tls', 'keyFile'], read: asText },
  SWITCHYARD_GRPC_HOST: { path: ['grpc', 'host'], read: asText },
  SWITCHYARD_GRPC_PORT: { path: ['grpc', 'port'], read: asNumber },
  SWITCHYARD_GRPC_PUBLIC_HOST: { path: ['grpc', 'publicHost'], read: asText },
  SWITCHYARD_GRPC_TLS_CERT: { path: ['grpc', 'tls', 'certFile'], read: asText },
  SWITCHYARD_GRPC_TLS_KEY: { path: ['grpc', 'tls', 'keyFile'], read: asText },
  SWITCHYARD_DATA_DIR: { path: ['dataDir'], read: asText },
  DATABASE_URL: { path: ['databaseUrl'], read: asText },
  SWITCHYARD_POLICY: { path: ['placement', 'policy'], read: asText },
  SWITCHYARD_LOG_LEVEL: { path: ['logLevel'], read: asText },
  SWITCHYARD_DEFAULT_CLUSTERS: { path: ['defaultClusters'], read: asText },
  SWITCHYARD_HELLO_JOB: { path: ['helloJob'], read: asBoolean },
};

/** The whole configuration from the environment and the YAML file, or every problem in it at once, one sentence each. */
export function loadConfig(env: NodeJS.ProcessEnv): ConfigResult {
  const configHome = join(xdg(env, 'XDG_CONFIG_HOME', '.config'), 'switchyard');
  const file = readConfigFile(env['SWITCHYARD_CONFIG'], join(configHome, 'broker.yaml'));
  if (!file.ok) return file;

  const settings: Tree = { dataDir: join(xdg(env, 'XDG_DATA_HOME', '.local/share'), 'switchyard') };
  merge(settings, file.settings);
  for (const [name, { path, read }] of Object.entries(variables)) {
    const text = env[name];
    if (text !== undefined && text !== '') put(settings, path, read(text));
  }

  const parsed = configSchema.safeParse(settings);
  const problems = parsed.success ? [] : parsed.error.issues.flatMap((issue) => sentences(issue, env, file.path));
  if (!parsed.success) return { ok: false, problems };
  const config: Config = { ...parsed.data, dataDir: resolve(parsed.data.dataDir), file: file.path, configHome };
  problems.push(...endpointProblems('http', config.http), ...endpointProblems('grpc', config.grpc));
  return problems.length === 0 ? { ok: true, config } : { ok: false, problems };
}

type Tree = { [key: string]: unknown };

function xdg(env: NodeJS.ProcessEnv, variable: string, fallback: string): string {
  const value = env[variable];
  // XDG Base Directory Specification: relative values are invalid and ignored.
  return value && isAbsolute(value) ? value : join(env['HOME'] || homedir(), fallback);
}

function readConfigFile(
  named: string | undefined,
  fallback: string,
): { ok: true; settings: Tree; path: string | null } | { ok: false; problems: string[] } {
  const path = named || fallback;
  if (!named && !existsSync(fallback)) return { ok: true, settings: {}, path: null };
  const bad = (message: string) => ({ ok: false as const, problems: [`${path}: ${message}`] });
  let settings: unknown;
  try {
    settings = parse(readFileSync(path, 'utf8')) ?? {};
  } catch (error) {
    return bad((error as Error).message.split('\n')[0]!);
  }
  if (!isTree(settings)) return bad('must be a map of settings, such as http: {port: 8470}');
  return { ok: true, settings, path };
}

function sentences(issue: z.core.$ZodIssue, env: NodeJS.ProcessEnv, file: string | null): string[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `${file}: ${unknownKeyProblem(key, path, configSchema)}`);
  const variable = Object.entries(variables).find(([name, each]) => env[name] && each.path.join() === path.join())?.[0];
  return [`${variable ?? `${file ?? 'configuration'}: ${path.join('.')}`}: ${issue.message}`];
}

function endpointProblems(name: string, { host, tls }: Config['http']): string[] {
  if (!tls)
    return isLoopback(host)
      ? []
      : [
          `${name}: plain text is for loopback only, and ${host} is not; give ${name}.tls.certFile and ${name}.tls.keyFile, or listen on 127.0.0.1`,
        ];
  return Object.entries(tls).flatMap(([key, path]) =>
    readable(path) ? [] : [`${name}.tls.${key}: the file ${path} cannot be read`],
  );
}

function readable(path: string): boolean {
  try {
    return readFileSync(path).length > 0;
  } catch {
    return false;
  }
}

function merge(into: Tree, from: Tree): void {
  for (const [key, value] of Object.entries(from)) {
    const present = into[key];
    if (isTree(present) && isTree(value)) merge(present, value);
    else into[key] = value;
  }
}

function put(into: Tree, [key, ...rest]: string[], value: unknown): void {
  if (rest.length === 0) into[key!] = value;
  else {
    if (!isTree(into[key!])) into[key!] = {};
    put(into[key!] as Tree, rest, value);
  }
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asText(text: string): unknown {
  return text;
}

function asNumber(text: string): unknown {
  return /^\d+$/.test(text) ? Number(text) : text;
}

function asBoolean(text: string): unknown {
  return text === 'true' ? true : text === 'false' ? false : text;
}
