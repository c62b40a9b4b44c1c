// Resident memory of the bundled broker and agent, idle and with work (budget: agent ≤ 90 MB).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startFederation } from '../test/support/federation.ts';
import { until } from '../test/support/until.ts';
import { bundles } from './support/bundles.ts';
import { report } from './support/report.ts';
import { residentMB } from './support/resident.ts';

const programs = bundles();
const federation = await startFederation({ programs });
try {
  await federation.addCluster('bench', { kind: 'local', local: { cpus: 4, memoryMiB: 4000 } });
  await federation.connected();
  const idle = {
    broker: residentMB(federation.broker.child.pid!),
    agent: residentMB(federation.agents.get('bench')!.child.pid!),
  };
  const jobs = await federation.api.submitMany(
    Array.from({ length: 300 }, () => ({
      script: '#!/bin/sh\n:\n',
      stdout: '/dev/null',
      resources: { memoryMiBPerNode: 10 },
    })),
  );
  await until(
    'all jobs end',
    async () => {
      const list = await federation.api.jobs('&state=succeeded');
      return list.length >= jobs.length;
    },
    { timeoutMs: 120_000, everyMs: 500 },
  );
  const busy = {
    broker: residentMB(federation.broker.child.pid!),
    agent: residentMB(federation.agents.get('bench')!.child.pid!),
  };
  const bare = spawn(process.execPath, ['-e', 'process.stdout.write("up"); setInterval(() => {}, 1000)']);
  await once(bare.stdout, 'data');
  const node = residentMB(bare.pid!);
  bare.kill();
  report(
    'memory',
    'Resident memory of the bundles',
    ['', 'idle MB', 'after 300 jobs MB'],
    [
      ['a Node that does nothing (the limit)', node, node],
      ['broker', idle.broker, busy.broker],
      ['agent', idle.agent, busy.agent],
    ],
    [
      `the agent with the options of the bundle’s first line: ${programs.agent.filter((word) => word.startsWith('--')).join(' ')}`,
      `budget: agent ≤ 90 MB; measured ${busy.agent.toFixed(0)} MB`,
    ],
  );
} finally {
  await federation.close();
}
