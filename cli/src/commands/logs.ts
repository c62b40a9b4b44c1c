import type { ApiClient, Query } from '../api/api-client.ts';
import { type Cli, type DefineCommand, say } from '../cli.ts';
import { Failure, usage } from '../failure.ts';
import { writeSlowly } from '../io.ts';
import { parseJobId } from '../job-id.ts';
import { parseWhole } from '../option-values.ts';
import { steadyEvents } from '../watch/steady-events.ts';
import { untilInterrupted } from '../watch/until-interrupted.ts';

type Options = { follow?: true; stderr?: true; task?: number; rank?: number; tail?: number };

/** `yard logs`: the bytes as they lie on the cluster, none added and none changed. */
export const defineLogs: DefineCommand = (command, cli) => {
  command
    .argument('<job>', 'number or id; 42_7 is task 7 of an array')
    .option('-f, --follow', 'go on until the output has ended')
    .option('--stderr', 'the errors, where they have a file of their own')
    .option('--task <n>', 'task of an array', parseWhole)
    .option('--rank <n>', 'node of a job of several nodes, where each has an output of its own', parseWhole)
    .option('--tail <bytes>', 'only so many bytes of the end', parseWhole)
    .action(async (id: string, options: Options) => {
      const { job, task } = parseJobId(id);
      if (task !== null && options.task !== undefined && task !== options.task)
        throw usage(`${id} and --task ${options.task} name different tasks.`);
      const client = await cli.connect();
      const path = `/v1/jobs/${job}/logs`;
      const query = {
        stream: options.stderr ? 'stderr' : 'stdout',
        task: options.task ?? task ?? undefined,
        rank: options.rank,
      };
      await untilInterrupted(cli, async (signal) => {
        const from = options.tail === undefined ? 0 : await tail(cli, client, path, query, options.tail, signal);
        if (options.follow) await follow(cli, client, path, query, from, signal);
        else if (options.tail === undefined)
          await whole(client, path, query, signal, {
            take: (data) => writeSlowly(cli.io.stdout, data),
            gone: (bytes) => sayGone(cli, bytes),
          });
      });
    });
};

const PIECE_BYTES = 4 * 1_048_576;

/** Output that went away with its job: the broker keeps only the end. */
function sayGone(cli: Cli, bytes: number): void {
  say(cli, `(${bytes} bytes before this are gone: of output that goes away with its job only the end is kept)`);
}

type Reader = {
  readonly take: (data: Uint8Array) => void | Promise<void>;
  /** So many bytes that should come now are not there any more. */
  readonly gone: (bytes: number) => void;
};

/** Reads piece by piece to the present end; answers with its offset. */
async function whole(
  client: ApiClient,
  path: string,
  query: Query,
  signal: AbortSignal,
  { take, gone }: Reader,
): Promise<number> {
  for (let offset = 0, seen = 0; ; ) {
    const { data, headers } = await client.bytes(path, { ...query, offset, limit: PIECE_BYTES }, signal);
    const begin = Number(headers.get('switchyard-offset') ?? offset);
    if (begin > seen && data.length > 0) gone(begin - seen);
    await take(data);
    seen = begin + data.length;
    offset = Number(headers.get('switchyard-next-offset') ?? seen);
    const isLast = data.length < PIECE_BYTES && offset <= seen;
    if (isLast || headers.get('switchyard-end') === 'true') return seen;
  }
}

/** The end of an output has no address before the whole was seen, so all of it is read and the last bytes are kept. */
async function tail(
  cli: Cli,
  client: ApiClient,
  path: string,
  query: Query,
  bytes: number,
  signal: AbortSignal,
): Promise<number> {
  let kept = Buffer.alloc(0);
  let before = 0;
  const end = await whole(client, path, query, signal, {
    take: (data) => {
      const both = Buffer.concat([kept, data]);
      kept = Buffer.from(both.subarray(Math.max(0, both.length - bytes)));
    },
    gone: (missing) => {
      kept = Buffer.alloc(0);
      before = missing;
    },
  });
  if (before > 0 && kept.length < bytes) sayGone(cli, before);
  await writeSlowly(cli.io.stdout, kept);
  return end;
}

/** Goes on after a broken stream where it broke. An offset that goes back is another run, whose output begins anew. */
async function follow(
  cli: Cli,
  client: ApiClient,
  path: string,
  query: Query,
  from: number,
  signal: AbortSignal,
): Promise<void> {
  let offset = from;
  for await (const { event, data } of steadyEvents(client, path, () => ({ ...query, follow: true, offset }), signal)) {
    const piece = JSON.parse(data || '{}') as { offset?: number; data?: string; problem?: string };
    if (event === 'end') {
      if (piece.problem) throw new Failure(`The output ends here: ${piece.problem}.`);
      return;
    }
    if (typeof piece.data !== 'string' || typeof piece.offset !== 'number') continue;
    if (piece.offset < offset) say(cli, '(it was started again: output of the new run)');
    if (piece.offset > offset) sayGone(cli, piece.offset - offset);
    const bytes = Buffer.from(piece.data, 'base64');
    await writeSlowly(cli.io.stdout, bytes);
    offset = piece.offset + bytes.length;
  }
}
