import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseMarker } from '@switchyard/core/spec/marker.ts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AgentConfig } from './agent-config.ts';
import type { AgentKind } from './agent-kind.ts';
import type { Backend, RunOrder } from './backend.ts';
import { type BrokerStub, brokerStub } from './broker-link/testing/broker-stub.ts';
import { checkAgent } from './check-agent.ts';

let broker: BrokerStub;
let stateDir: string;
beforeEach(async () => {
  broker = await brokerStub();
  stateDir = mkdtempSync(join(tmpdir(), 'yard-check-'));
});
afterEach(() => {
  broker.stop();
  rmSync(stateDir, { recursive: true });
});

function config(changes: Partial<AgentConfig>): AgentConfig {
  return {
    ...{ cluster: 'north', kind: 'local', broker: broker.address, token: 'yc_secret', stateDir, defaultWorkdir: '/w' },
    ...{ backlog: 20, filesystems: [], labels: {}, policy: {}, section: {}, warnings: [] },
    ...changes,
  };
}

/** A cluster on which every job ends well at once. */
function kindOf(seen: { federation: unknown[]; orders: RunOrder[] }): AgentKind {
  const size = { nodes: 1, cpus: 4, memoryMiB: 9, gpus: 0 };
  const backend = {
    fingerprint: async () => 'local:n1',
    observe: async () => ({ changed: [], strays: [] }),
    capacity: async () => ({ software: 'x 1', total: size, free: size, pools: [], notes: [] }),
    submit: async (order: RunOrder) => {
      seen.orders.push(order);
      return { nativeId: '7', ends: [{ outcome: 'succeeded', tasks: '0' }] };
    },
    forget: async () => [],
    close: async () => {},
  } as unknown as Backend;
  return {
    kind: 'local',
    check: async function* () {},
    openBackend: async ({ federation }: AgentConfig) => {
      seen.federation.push(federation);
      return backend;
    },
  } as unknown as AgentKind;
}

it('says the federation of the file, and that there is none', async () => {
  const said = async (changes: Partial<AgentConfig>) => {
    const rows = await Array.fromAsync(checkAgent(config(changes), kindOf({ federation: [], orders: [] })));
    expect(rows.every(({ ok }) => ok)).toBe(true);
    return rows.find(({ what }) => what === 'federation')?.found;
  };
  expect(await said({ federation: 'ab2c' })).toContain('ab2c');
  expect(await said({})).toContain('not named');
});

it('works under a mark of its own: the agent beside it does not see its job, nor it the jobs of that agent', async () => {
  const seen = { federation: [] as unknown[], orders: [] as RunOrder[] };
  await Array.fromAsync(checkAgent(config({ federation: 'ab2c' }), kindOf(seen)));
  expect(seen.federation).toHaveLength(1);
  expect(seen.federation).not.toContain('ab2c');
  expect(seen.orders.map(({ marker }) => parseMarker(marker)?.federation)).toEqual(seen.federation);
});
