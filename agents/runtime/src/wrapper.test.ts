import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LOST_CLAIM_EXIT, NO_CLAIM_EXIT } from '@switchyard/core/lifecycle/evidence.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Claim, openClaimStore } from './claim-store.ts';
import { buildWrapper, scriptOfCommand } from './wrapper.ts';

/** The shells that stand behind /bin/sh on the systems that batch jobs run on; the wrapper must be right under each. */
const SHELLS = [
  { name: 'dash', argv: ['dash'] },
  { name: 'bash --posix', argv: ['bash', '--posix'] },
  { name: 'busybox sh', argv: ['busybox', 'sh'] },
];
const present = SHELLS.filter(({ argv }) => spawnSync(argv[0]!, [...argv.slice(1), '-c', ':']).status === 0);

const RUN = '01900000-0000-7000-8000-000000000001';

describe('the text of the wrapper', () => {
  it('is the same for every job of one script, and has it verbatim', () => {
    const script = '#!/bin/sh\n#SBATCH -n 1\necho "$1" \'two\' `three` \\\n';
    expect(buildWrapper(script)).toBe(buildWrapper(script));
    expect(buildWrapper(script)).toContain(`\n${script}YARD_`);
    expect(buildWrapper(script)).not.toBe(buildWrapper(`${script}#\n`));
  });

  it('refuses a script without an interpreter', () => {
    expect(() => buildWrapper('echo hello\n')).toThrow('interpreter');
  });

  it('reads the interpreter line as the kernel does', () => {
    expect(buildWrapper('#! /usr/bin/env  python3 -u\t \nx\n')).toContain(
      `'/usr/bin/env' 'python3 -u' "$_yard_script"`,
    );
    expect(buildWrapper("#!/opt/it's/sh")).toContain(`'/opt/it'\\''s/sh' "$_yard_script"`);
  });
});

describe.each(present)('the wrapper under $name', ({ argv }) => {
  let folder: string;
  let claims: string;
  const children: ChildProcess[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'yard-wrapper-'));
    claims = join(folder, 'state', 'runs', RUN);
    mkdirSync(claims, { recursive: true, mode: 0o700 });
    mkdirSync(join(folder, 'tmp'));
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  type Extra = { env?: Record<string, string>; stdin?: string; cwd?: string };

  const start = (script: string, { env = {}, stdin = '/dev/null', cwd = folder }: Extra = {}) => {
    const path = join(folder, `wrapper-${children.length}`);
    writeFileSync(path, buildWrapper(script));
    const stdout = openSync(join(folder, 'out'), 'a');
    const stderr = openSync(join(folder, 'err'), 'a');
    const child = spawn(argv[0]!, [...argv.slice(1), path], {
      cwd,
      detached: true,
      env: {
        PATH: process.env['PATH'],
        TMPDIR: join(folder, 'tmp'),
        FOLDER: folder,
        YARD_CLAIM_DIR: claims,
        SLURM_JOB_ID: '77',
        SLURMD_NODENAME: 'n1',
        ...env,
      },
      stdio: [openSync(stdin, 'r'), stdout, stderr],
    });
    children.push(child);
    const exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
    return { child, exited };
  };
  const run = (script: string, extra: Extra = {}) => start(script, extra).exited;
  const text = (name: string) => readFileSync(join(folder, name), 'utf8');
  const claim = async (task = 0): Promise<Claim | null> => openClaimStore(join(folder, 'state')).read(RUN, task);
  const sh = (...lines: string[]) => `#!/bin/sh\n${lines.join('\n')}\n`;
  const until = async (name: string) => {
    while (!existsSync(join(folder, name)) || text(name) === '') await delay(10);
  };
  const leftovers = () => [
    ...readdirSync(claims).filter((name) => name.startsWith('.')),
    ...readdirSync(join(folder, 'tmp')),
  ];

  it('runs the script and records start and end', async () => {
    const before = Date.now();
    expect(await run(sh('echo hello', 'echo problem >&2'))).toEqual({ code: 0, signal: null });
    expect([text('out'), text('err')]).toEqual(['hello\n', 'problem\n']);
    const { record } = (await claim())!;
    expect(record).toMatchObject({
      by: 'wrapper',
      nativeId: '77',
      restartCount: 0,
      host: 'n1',
      signals: [],
      end: { code: 0 },
    });
    if (record.by !== 'wrapper') throw new Error('not taken by the wrapper');
    for (const at of [record.startedAtMs!, record.end!.endedAtMs!]) expect(Math.abs(at - before)).toBeLessThan(3000);
    expect(leftovers()).toEqual([]);
  });

  it('starts once out of twelve copies', async () => {
    const copies = Array.from({ length: 12 }, () => run(sh('echo x >>"$FOLDER/starts"', 'exit 7')));
    const codes = (await Promise.all(copies)).map(({ code }) => code).sort();
    expect(codes).toEqual([7, ...Array(11).fill(LOST_CLAIM_EXIT)].sort());
    expect(text('starts')).toBe('x\n');
    expect(text('err')).toBe('');
    expect(leftovers()).toEqual([]);
  });

  it('leaves the output of the winner alone when it loses', async () => {
    await run(sh('echo winner'));
    expect((await run(sh('echo loser'))).code).toBe(LOST_CLAIM_EXIT);
    expect([text('out'), text('err')]).toEqual(['winner\n', '']);
  });

  it('loses against the agent', async () => {
    await openClaimStore(join(folder, 'state')).take(RUN, [0], 'withdrawn');
    expect((await run(sh('echo x >>"$FOLDER/starts"'))).code).toBe(LOST_CLAIM_EXIT);
    expect(existsSync(join(folder, 'starts'))).toBe(false);
    expect((await claim())!.record.by).toBe('withdrawn');
  });

  it('runs nothing, and makes no directory, when the claim directory is not there', async () => {
    rmSync(claims, { recursive: true });
    expect((await run(sh('echo x >>"$FOLDER/starts"'))).code).toBe(NO_CLAIM_EXIT);
    expect((await run(sh('echo x'), { env: { YARD_CLAIM_DIR: '' } })).code).toBe(NO_CLAIM_EXIT);
    expect(existsSync(claims)).toBe(false);
    expect(existsSync(join(folder, 'starts'))).toBe(false);
  });

  it('runs nothing when files cannot be made where claims are', async () => {
    // A file where the directory should be fails for root too, whom no mode stops.
    const script = sh('echo x >>"$FOLDER/starts"');
    chmodSync(claims, 0o500);
    if (process.getuid?.() !== 0) expect((await run(script)).code).toBe(NO_CLAIM_EXIT);
    expect((await run(script, { env: { YARD_CLAIM_DIR: '/proc/self' } })).code).toBe(NO_CLAIM_EXIT);
    expect(existsSync(join(folder, 'starts'))).toBe(false);
  });

  it('runs nothing when the disk is full', async () => {
    const small = join(folder, 'small');
    mkdirSync(small);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]).status === 0;
    try {
      const script = sh('echo x >>"$FOLDER/starts"');
      if (mounted) {
        const directory = join(small, 'run');
        mkdirSync(directory);
        // Root may use the last block of a real disk, but tmpfs has a size for everybody.
        spawnSync('dd', ['if=/dev/zero', `of=${join(small, 'fill')}`, 'bs=4k']);
        expect((await run(script, { env: { YARD_CLAIM_DIR: directory } })).code).toBe(NO_CLAIM_EXIT);
        expect((await run(script, { env: { TMPDIR: small } })).code).toBe(NO_CLAIM_EXIT);
        expect(readdirSync(directory)).toEqual([]);
        expect(readdirSync(claims)).toEqual([]);
      } else expect((await run(script, { env: { YARD_CLAIM_DIR: '/dev/full' } })).code).toBe(NO_CLAIM_EXIT);
      expect(existsSync(join(folder, 'starts'))).toBe(false);
    } finally {
      if (mounted) spawnSync('umount', [small]);
    }
  });

  it.each([0, 3, 113, 127, 200, 255])('passes exit code %i on', async (code) => {
    expect(await run(sh(`exit ${code}`))).toEqual({ code, signal: null });
    expect((await claim())!.record).toMatchObject({ end: { code } });
  });

  it.each(['SEGV', 'KILL', 'TERM', 'INT', 'USR1', 'ABRT'])('dies of %s as the payload did', async (signal) => {
    expect(await run(sh(`kill -${signal} $$`))).toEqual({ code: null, signal: `SIG${signal}` });
    expect((await claim())!.record).toMatchObject({ signals: [] });
    expect(text('err')).toBe('');
    expect(readdirSync(folder).filter((name) => name.startsWith('core'))).toEqual([]);
  });

  it.each(['TERM', 'INT', 'HUP', 'USR1', 'USR2', 'CONT'])('forwards %s to a payload that traps it', async (signal) => {
    const { child, exited } = start(
      sh(
        `trap 'echo got >>"$FOLDER/got"' ${signal}`,
        'echo up >"$FOLDER/up"',
        'while [ ! -e "$FOLDER/got" ]; do sleep 0.05; done',
        'exit 5',
      ),
    );
    await until('up');
    child.kill(`SIG${signal}` as NodeJS.Signals);
    expect(await exited).toEqual({ code: 5, signal: null });
    expect((await claim())!.record).toMatchObject({ signals: [signal], end: { code: 5 } });
  });

  it('ends of TERM with a payload that does not trap it', async () => {
    const { child, exited } = start(sh('echo up >"$FOLDER/up"', 'exec sleep 300'));
    await until('up');
    child.kill('SIGTERM');
    expect(await exited).toEqual({ code: null, signal: 'SIGTERM' });
    expect((await claim())!.record).toMatchObject({ signals: ['TERM'], end: { code: 143 } });
  });

  it('signals the script alone, not what it started: as the cluster does', async () => {
    const { child, exited } = start(
      sh(
        `trap 'echo got >>"$FOLDER/got"' USR1`,
        '(echo up >"$FOLDER/up"; while [ ! -e "$FOLDER/go" ]; do sleep 0.05; done; echo lived >"$FOLDER/child") &',
        'while [ ! -e "$FOLDER/child" ]; do wait; done',
      ),
    );
    await until('up');
    child.kill('SIGUSR1');
    await until('got');
    writeFileSync(join(folder, 'go'), '');
    expect(await exited).toEqual({ code: 0, signal: null });
    expect(text('child')).toBe('lived\n');
  });

  it("survives the script's own kill of its process group", async () => {
    expect(await run(sh('kill -KILL 0'))).toEqual({ code: null, signal: 'SIGKILL' });
    expect((await claim())!.record).toMatchObject({ end: { code: 137 } });
  });

  it('outlives a payload that ignores TERM', async () => {
    const { child, exited } = start(
      sh(`trap '' TERM`, 'echo up >"$FOLDER/up"', 'while [ ! -e "$FOLDER/go" ]; do sleep 0.05; done', 'exit 6'),
    );
    await until('up');
    child.kill('SIGTERM');
    child.kill('SIGUSR2');
    await delay(100);
    expect(child.exitCode).toBe(null);
    writeFileSync(join(folder, 'go'), '');
    // USR2 is not ignored: it kills.
    expect((await exited).signal ?? 6).toBeDefined();
    expect((await claim())!.record).toMatchObject({ by: 'wrapper' });
  });

  it('tells an interrupted wait from a payload that ended, many signals in a row', async () => {
    const { child, exited } = start(
      sh(
        `trap ':' USR1 USR2 HUP`,
        'echo up >"$FOLDER/up"',
        'i=0; while [ $i -lt 40 ]; do sleep 0.02; i=$((i+1)); done',
        'exit 9',
      ),
    );
    await until('up');
    for (let count = 0; count < 30; count += 1) {
      child.kill((['SIGUSR1', 'SIGUSR2', 'SIGHUP'] as const)[count % 3]!);
      await delay(10);
    }
    expect(await exited).toEqual({ code: 9, signal: null });
  });

  it('leaves no record when it is killed itself', async () => {
    const { child, exited } = start(sh('echo $$ >"$FOLDER/up"', 'exec sleep 300'));
    await until('up');
    child.kill('SIGKILL');
    await exited;
    expect((await claim())!.record).toMatchObject({ by: 'wrapper', end: null });
    process.kill(Number(text('up')), 'SIGKILL');
  });

  it('keeps the text as it is: quotes, UTF-8, expansions, lines like a delimiter, no line break at the end', async () => {
    const lines = [
      '#!/bin/sh',
      "cat <<'X'",
      `it's "so" \`date\` $HOME \\ \\\\ %s ä€ā 語 \u0081\u0088`,
      'YARD_',
      'EOF',
      `YARD_${'0'.repeat(32)}`,
      '\ttab  ',
      'X',
      'echo last',
    ];
    expect(await run(lines.join('\n'))).toEqual({ code: 0, signal: null });
    expect(text('out')).toBe(`${lines.slice(2, 7).join('\n')}\nlast\n`);
  });

  it('takes a script of one mebibyte', async () => {
    const script = `#!/bin/sh\n${'# 0123456789 abcdefghijklmnopqrstuvwxyz\n'.repeat(26_000)}echo done\n`;
    expect(Buffer.byteLength(script)).toBeGreaterThan(1_000_000);
    expect((await run(script)).code).toBe(0);
    expect(text('out')).toBe('done\n');
  });

  it('gives the script its input, its name, its arguments, its directory, umask and environment', async () => {
    writeFileSync(join(folder, 'in'), 'one\ntwo\n');
    const script = sh(
      'read a; read b; echo "$a $b"',
      'case $0 in */yard-*) echo named ;; esac',
      'echo $#',
      'pwd',
      'echo "$host $rc $line"',
      'umask',
      'env | grep -E "^YARD_(CLAIM_DIR|NATIVE_ID)=" || echo hidden',
      'echo "$PATH"',
    );
    const env = { host: 'h', rc: 'r', line: 'l', YARD_NATIVE_ID: 'x-1' };
    await run(script, { stdin: join(folder, 'in'), env });
    const mask = process.umask().toString(8).padStart(4, '0');
    expect(text('out')).toBe(
      ['one two', 'named', '0', folder, 'h r l', mask, 'hidden', process.env['PATH'], ''].join('\n'),
    );
    expect((await claim())!.record).toMatchObject({ nativeId: 'x-1' });
  });

  it('lets the script replace itself', async () => {
    expect(await run(sh('exec sh -c "exit 4"'))).toEqual({ code: 4, signal: null });
  });

  it('runs other interpreters, with their argument', async () => {
    await run('#!/usr/bin/awk -f\nBEGIN { print "awk", 6 * 7 }\n');
    expect(text('out')).toBe('awk 42\n');
  });

  it('ends with 127 when the interpreter does not exist, and records it', async () => {
    expect((await run('#!/no/such/interpreter\n')).code).toBe(127);
    expect((await claim())!.record).toMatchObject({ end: { code: 127 } });
  });

  it('hides no private file from its owner and shows none to others', async () => {
    await run(sh('stat -c %a "$0" >"$FOLDER/mode"', 'umask 022'));
    expect(text('mode')).toBe('600\n');
    expect(statSync(join(claims, '0')).isFile()).toBe(true);
  });

  it('is one task of an array, with the numbers of the whole', async () => {
    const env = {
      ...{ YARD_ARRAY_COUNT: '500', YARD_ARRAY_MIN: '0', YARD_ARRAY_MAX: '998', YARD_ARRAY_STEP: '2' },
      ...{
        SLURM_ARRAY_JOB_ID: '70',
        SLURM_ARRAY_TASK_ID: '12',
        SLURM_ARRAY_TASK_COUNT: '5',
        SLURM_ARRAY_TASK_MIN: '10',
      },
    };
    const names = ['TASK_COUNT', 'TASK_MIN', 'TASK_MAX', 'TASK_STEP', 'TASK_ID'].map((name) => `$SLURM_ARRAY_${name}`);
    await run(sh(`echo "${names.join(' ')} $YARD_TASK_INDEX $YARD_NODES $YARD_NODE_RANK"`), { env });
    expect(text('out')).toBe('500 0 998 2 12 12 1 0\n');
    expect((await claim(12))!.record).toMatchObject({ nativeId: '70_12', end: { code: 0 } });
    expect(await claim(0)).toBe(null);
  });

  it('runs nothing of an array whose index is not known', async () => {
    const env = { YARD_ARRAY_COUNT: '2', YARD_ARRAY_MIN: '0', YARD_ARRAY_MAX: '1', YARD_ARRAY_STEP: '1' };
    expect((await run(sh('echo x'), { env })).code).toBe(NO_CLAIM_EXIT);
  });

  it('empties the output of an earlier attempt, unless it is to be kept', async () => {
    writeFileSync(join(folder, 'out'), 'old\n');
    await run(sh('echo new'));
    expect(text('out')).toBe('new\n');
    rmSync(join(claims, '0'));
    await run(sh('echo more'), { env: { YARD_OPEN_MODE: 'append' } });
    expect(text('out')).toBe('new\nmore\n');
  });

  it('runs a command without a shell between', async () => {
    await run(scriptOfCommand(['printf', '%s|', "it's", '$x `y`', '', 'two\nlines', '-n']));
    expect(text('out')).toBe("it's|$x `y`||two\nlines|-n|");
  });
});

it('was tried under every shell that this machine should have', () => {
  expect(present.map(({ name }) => name)).toContain('dash');
});
