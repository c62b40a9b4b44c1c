import { readFile, stat } from 'node:fs/promises';
import { CLUSTER_KINDS, type ClusterKind } from '@switchyard/core/spec/job-spec.ts';
import { FEDERATION } from '@switchyard/core/spec/marker.ts';
import { nearestName } from '@switchyard/core/spec/nearest-name.ts';
import { knownNames } from '@switchyard/core/spec/schema-names.ts';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { localPolicySchema } from './local-policy.ts';

const path = z.string().min(1).max(4096).regex(/^\//, 'must be an absolute path');

const FOUR_CHARACTERS =
  "must be the four characters a–z and 2–7 that 'yard cluster add' prints, in quotes where they look like a number";

/** They find their jobs by the federation's mark, and before the broker has told which it is. */
const NEED_FEDERATION: readonly ClusterKind[] = ['kubernetes'];

/** The agent's YAML file without the section of its kind. */
const agentSchema = z.strictObject({
  cluster: z
    .string()
    .max(253)
    .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'must be a name of lower-case letters, digits, dots and dashes'),
  /** Whose agent this is; a broker of another one is refused. */
  federation: z.string(FOUR_CHARACTERS).regex(FEDERATION, FOUR_CHARACTERS).optional(),
  kind: z.enum(CLUSTER_KINDS),
  /** host:port of the broker's gRPC side. */
  broker: z
    .string()
    .max(300)
    .regex(/^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$/, 'must be host:port, such as broker.example.org:8471'),
  token: z.string().min(1).max(200).optional(),
  tokenFile: path.optional(),
  stateDir: path,
  defaultWorkdir: path.optional(),
  /** Waiting tasks of ours that this cluster wants to hold at most. */
  backlog: z.int().min(1).max(100_000).default(200),
  /** Where jobs may work and write; empty: anywhere. */
  filesystems: z
    .array(z.strictObject({ id: z.string().min(1).max(255), pathPrefix: path }))
    .max(1000)
    .default([]),
  labels: z.record(z.string().min(1).max(63), z.string().max(253)).default({}),
  /** Where /livez and /readyz are answered; absent: nowhere. */
  healthPort: z.int().min(1).max(65_535).optional(),
  tls: z.strictObject({ caFile: path.optional(), serverName: z.string().max(253).optional() }).optional(),
  policy: localPolicySchema.prefault({}),
});

type Settings = z.output<typeof agentSchema>;

export type AgentConfig = Omit<Settings, 'token' | 'tokenFile' | 'defaultWorkdir'> & {
  readonly token: string;
  readonly defaultWorkdir: string;
  /** The section of the agent's kind, as its own schema read it. */
  readonly section: unknown;
  /** What is not wrong, but should be said. */
  readonly warnings: readonly string[];
};

/** Everything that is wrong with an agent's file, one line each. */
export class AgentConfigError extends Error {
  override readonly name = 'AgentConfigError';
  readonly problems: readonly string[];
  constructor(file: string, problems: readonly string[]) {
    super([`${file} cannot be used:`, ...problems.map((problem) => `  ${problem}`)].join('\n'));
    this.problems = problems;
  }
}

/** Reads and checks an agent's file; `sections` has the schema of each kind of agent that this program contains. */
export async function readAgentConfig(
  file: string,
  sections: Readonly<Record<string, z.ZodType>>,
  env: NodeJS.ProcessEnv = process.env,
): Promise<AgentConfig> {
  const document = parseDocument(await readFile(file, 'utf8'));
  if (document.errors.length > 0)
    throw new AgentConfigError(
      file,
      document.errors.map(({ message }) => message),
    );
  const optional = Object.fromEntries(Object.entries(sections).map(([kind, schema]) => [kind, schema.optional()]));
  const schema = agentSchema.extend(optional);
  const parsed = schema.safeParse(document.toJS() ?? {}, { reportInput: true });
  if (!parsed.success) throw new AgentConfigError(file, problemsOf(parsed.error, schema));
  const all = parsed.data as Settings & Record<string, unknown>;
  const kindSchema = sections[all.kind];
  if (!kindSchema) throw new AgentConfigError(file, [`kind: there is no agent for '${all.kind}' in this program`]);
  if (all.federation === undefined && NEED_FEDERATION.includes(all.kind))
    throw new AgentConfigError(file, [
      `federation: is missing; an agent of kind ${all.kind} finds its jobs by it ('yard cluster add' prints it, and every job has it in its native id: yd<federation>-…)`,
    ]);
  const { token, tokenFile, ...settings } = common(all);
  return {
    ...settings,
    token: await tokenOf(file, { token, tokenFile }, env),
    defaultWorkdir: settings.defaultWorkdir ?? env['HOME'] ?? '/tmp',
    section: kindSchema.parse(all[all.kind] ?? {}),
    warnings: token === undefined ? [] : await warningsOf(file),
  };
}

/** Without the sections of the kinds. */
function common(all: Settings & Record<string, unknown>): Settings {
  const names = Object.keys(agentSchema.shape);
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name))) as Settings;
}

async function tokenOf(
  file: string,
  { token, tokenFile }: { token?: string | undefined; tokenFile?: string | undefined },
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const found = env['YARD_AGENT_TOKEN'] ?? token ?? (tokenFile ? (await readFile(tokenFile, 'utf8')).trim() : '');
  if (found === '')
    throw new AgentConfigError(file, [
      "token: is missing; give token or tokenFile here, or YARD_AGENT_TOKEN in the environment ('yard cluster add' prints one)",
    ]);
  return found;
}

async function warningsOf(file: string): Promise<string[]> {
  const mode = (await stat(file)).mode & 0o777;
  if ((mode & 0o077) === 0) return [];
  return [`${file} holds a secret and others can read it (mode ${mode.toString(8)}): chmod 600 ${file}`];
}

function problemsOf(error: z.ZodError, schema: z.ZodType): string[] {
  return error.issues.flatMap((issue) => {
    const where = issue.path.map(String).join('.');
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(key, issue.path, schema));
    if (issue.code === 'invalid_type' && issue.input === undefined) return [`${where}: is missing`];
    return [`${where}: ${issue.message}`];
  });
}

function unknownKey(key: string, path: readonly PropertyKey[], schema: z.ZodType): string {
  const known = knownNames(schema, path);
  const meant = nearestName(key, known);
  const where = path.length === 0 ? '' : ` in ${path.map(String).join('.')}`;
  return `there is no '${key}'${where}; ${meant === null ? `known are ${known.join(', ')}` : `did you mean '${meant}'?`}`;
}
