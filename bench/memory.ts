// Resident memory of the bundled broker and agent, idle and with work (budget: agent ≤ 90 MB).
import { readFileSync } from 'node:fs';
import { startFederation } from '../test/support/federation.ts';
import { until } from '../test/support/until.ts';
import { bundles } from './support/bundles.ts';
import { report } from './support/report.ts';

const federation = await startFederation({ programs: bundles() });
try {
  await federation.addCluster('bench', { kind: 'local', local: { cpus: 4, memoryMiB: 4000 } });
  await federation.connected();
  const idle = {
    broker: rssMiB(federation.broker.child.pid!),
    agent: rssMiB(federation.agents.get('bench')!.child.pid!),
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
    broker: rssMiB(federation.broker.child.pid!),
    agent: rssMiB(federation.agents.get('bench')!.child.pid!),
  };
  report(
    'memory',
    'Resident memory of the bundles',
    ['', 'idle MB', 'after 300 jobs MB'],
    [
      ['broker', idle.broker, busy.broker],
      ['agent', idle.agent, busy.agent],
    ],
    [
      'the agent with the option of the bundle’s first line: node --max-semi-space-size=1',
      `budget: agent ≤ 90 MB; measured ${busy.agent.toFixed(0)} MB`,
    ],
  );
} finally {
  await federation.close();
}

/** VmRSS in megabytes, as ps shows it. */
function rssMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1000;
}
