import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../support/until.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { runProgram } from './run-program.ts';

/** MariaDB and slurmdbd with their data in the cluster's directory; both end with `stop`. */
export async function startAccountingStore(options: {
  dir: string;
  env: NodeJS.ProcessEnv;
  slurmdbdPort: number;
  mariadbPort: number;
}): Promise<{ stop(): Promise<void>; slurmdbd: Daemon }> {
  const { dir, env, slurmdbdPort, mariadbPort } = options;
  const mariadb = await startMariadb(dir, env, mariadbPort);
  const conf = join(dir, 'slurmdbd.conf');
  writeFileSync(conf, slurmdbdConf(dir, slurmdbdPort, mariadbPort), { mode: 0o600 });
  const slurmdbd = startDaemon(['slurmdbd', '-D'], env, join(dir, 'log', 'slurmdbd.out'));
  await until(
    'slurmdbd answers',
    async () => (await runProgram(['sacctmgr', '-n', 'show', 'cluster'], { env })).code === 0,
    {
      describe: () => slurmdbd.said(),
    },
  );
  return {
    slurmdbd,
    async stop() {
      await slurmdbd.stop('SIGKILL');
      await mariadb.stop('SIGKILL');
    },
  };
}

/** As root like everything here: a daemon that changes its user would no longer end with this process (prctl(2)). */
async function startMariadb(dir: string, env: NodeJS.ProcessEnv, port: number): Promise<Daemon> {
  const data = join(dir, 'mariadb');
  // A MariaDB that starts removes all temporary tables of its folder, also those of another.
  const tmp = join(dir, 'mariadb-tmp');
  for (const folder of [data, tmp]) mkdirSync(folder);
  const installed = await runProgram(
    [
      'mariadb-install-db',
      '--no-defaults',
      `--datadir=${data}`,
      `--tmpdir=${tmp}`,
      '--user=root',
      '--skip-test-db',
      '--auth-root-authentication-method=normal',
    ],
    { env },
  );
  if (installed.code !== 0) throw new Error(`mariadb-install-db: ${installed.stderr}`);
  const setUp = join(dir, 'mariadb.sql');
  writeFileSync(
    setUp,
    "CREATE DATABASE IF NOT EXISTS slurm_acct_db;\nCREATE OR REPLACE USER 'slurm'@'127.0.0.1' IDENTIFIED BY 'testbed';\nGRANT ALL ON slurm_acct_db.* TO 'slurm'@'127.0.0.1';\n",
  );
  const daemon = startDaemon(
    [
      'mariadbd',
      '--no-defaults',
      `--datadir=${data}`,
      `--tmpdir=${tmp}`,
      `--socket=${join(data, 'mariadb.socket')}`,
      `--pid-file=${join(data, 'mariadb.pid')}`,
      `--init-file=${setUp}`,
      '--bind-address=127.0.0.1',
      `--port=${port}`,
      '--skip-name-resolve',
      '--user=root',
      '--innodb-buffer-pool-size=64M',
      '--innodb-flush-log-at-trx-commit=0',
      '--skip-log-bin',
    ],
    env,
    join(dir, 'log', 'mariadb.out'),
  );
  await until('MariaDB is ready', () => daemon.said().includes('ready for connections'), {
    describe: () => daemon.said(),
  });
  return daemon;
}

function slurmdbdConf(dir: string, port: number, mariadbPort: number): string {
  return [
    'AuthType=auth/munge',
    `AuthInfo=socket=${join(dir, 'munge.socket')}`,
    'DbdHost=localhost',
    'DbdAddr=127.0.0.1',
    `DbdPort=${port}`,
    'SlurmUser=root',
    `LogFile=${join(dir, 'log', 'slurmdbd.log')}`,
    `PidFile=${join(dir, 'slurmdbd.pid')}`,
    'StorageType=accounting_storage/mysql',
    'StorageHost=127.0.0.1',
    `StoragePort=${mariadbPort}`,
    'StorageUser=slurm',
    'StoragePass=testbed',
    'StorageLoc=slurm_acct_db',
    '',
  ].join('\n');
}
