import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AgentConfig } from './agent-config.ts';
import type { AgentKind } from './agent-kind.ts';
import type { Backend } from './backend.ts';
import { runAgent } from './run-agent.ts';

let stateDir: string;
let other: Server;

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'yard-agent-'));
  other = createServer();
  await new Promise<void>((resolve) => other.listen(0, resolve));
});
afterEach(async () => {
  other.close();
  rmSync(stateDir, { recursive: true, force: true });
});

it('whose health port is taken says so, and leaves nothing behind that runs', async () => {
  const { port } = other.address() as AddressInfo;
  const calls: string[] = [];
  await expect(runAgent(config(port), kindThatNotes(calls))).rejects.toThrow(
    `healthPort ${port} is in use by another program`,
  );
  expect(calls).toEqual([]);
  expect(existsSync(join(stateDir, 'agent.lock'))).toBe(false);
});

it('that cannot be started closes its cluster and its health port', async () => {
  const { port } = other.address() as AddressInfo;
  await new Promise((resolve) => other.close(resolve));
  const calls: string[] = [];
  writeFileSync(join(stateDir, 'highest-placement'), 'nonsense');
  await expect(runAgent(config(port), kindThatNotes(calls))).rejects.toThrow('not a number');
  expect(calls).toEqual(['open', 'close']);
  other = createServer();
  await new Promise<void>((resolve, reject) => other.once('error', reject).listen(port, resolve));
});

function config(healthPort: number): AgentConfig {
  return {
    ...{ cluster: 'north', kind: 'local', broker: '127.0.0.1:1', token: 'yc_secret', stateDir, defaultWorkdir: '/w' },
    ...{ backlog: 20, filesystems: [], labels: {}, policy: {}, section: {}, warnings: [], healthPort },
  };
}

/** A cluster of which it is only known what was asked of it. */
function kindThatNotes(calls: string[]): AgentKind {
  const call = (name: string) => async () => {
    calls.push(name);
  };
  const backend = Object.fromEntries(['fingerprint', 'observe', 'close'].map((name) => [name, call(name)]));
  return {
    ...{ kind: 'local', section: null as never, nativeOptions: [], filesystems: () => [] },
    check: async function* () {},
    openBackend: async () => {
      calls.push('open');
      return backend as unknown as Backend;
    },
  };
}
