import type { NativeJob } from '@switchyard/agent-runtime/native-queue.ts';
import { FIELD } from '../dialect.ts';
import { stateMeaning } from '../states.ts';
import { parseEpoch } from './amounts.ts';

/** sacct(1) `--format`. The comment is there only with AccountingStoreFlags=job_comment. */
export const ACCOUNTING_FIELDS = [
  'JobID',
  'State',
  'ExitCode',
  'Submit',
  'Start',
  'End',
  'Partition',
  'NodeList',
  'Comment',
] as const;

/**
 * Lines of sacct. It keeps seven bits of an exit code and shows 200 as 72 (tried on 22.05), so a code other than 0 is told
 * in words and not as a number. A merged line of waiting array tasks (`12_[3-5]`) ends nothing and is left out.
 */
export function parseAccounting(stdout: string): NativeJob[] {
  return stdout.split('\n').flatMap((line) => {
    const [id, state, exit, submit, start, end, pool, host, ...comment] = line.split(FIELD);
    if (host === undefined || !/^\d+(_\d+)?$/.test(id!)) return [];
    const { exitCode, signal } = parseExit(exit!);
    const isExact = exitCode === null || exitCode === 0;
    return [
      {
        nativeId: id!,
        marker: comment.join(FIELD),
        tasks: id!.split('_')[1] ?? '',
        ...stateMeaning(state!),
        rawState: state!,
        rawReason: isExact ? '' : `exit code ${exitCode} or ${exitCode + 128}`,
        exitCode: isExact ? exitCode : null,
        signal,
        submittedAtMs: parseEpoch(submit!) ?? 0,
        startedAtMs: parseEpoch(start!),
        endedAtMs: parseEpoch(end!),
        restartCount: 0,
        pool: pool!,
        host: host.startsWith('None') ? '' : host,
      },
    ];
  });
}

/** `code:signal`; 0 is no signal. */
function parseExit(text: string): { exitCode: number | null; signal: number | null } {
  const match = /^(\d{1,3}):(\d{1,3})$/.exec(text);
  if (!match) return { exitCode: null, signal: null };
  const signal = Number(match[2]);
  return { exitCode: Number(match[1]), signal: signal === 0 ? null : signal };
}
