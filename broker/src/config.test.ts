import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from './config.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'switchyard-config-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function yaml(text: string): string {
  const path = join(dir, `${Math.random()}.yaml`);
  writeFileSync(path, text);
  return path;
}

function problemsOf(env: NodeJS.ProcessEnv): string {
  const result = loadConfig({ HOME: dir, ...env });
  return result.ok ? '' : result.problems.join('\n');
}

describe('configuration', () => {
  test('needs nothing: loopback, the default ports, the XDG data directory', () => {
    expect(loadConfig({ HOME: '/home/kim' })).toMatchObject({
      ok: true,
      config: {
        http: { host: '127.0.0.1', port: 8470 },
        grpc: { host: '127.0.0.1', port: 8471 },
        dataDir: '/home/kim/.local/share/switchyard',
        configHome: '/home/kim/.config/switchyard',
        placement: { policy: 'least-loaded' },
        defaultClusters: 'auto',
      },
    });
  });

  test('the environment wins over the file', () => {
    const file = yaml('http: {port: 9000, host: 127.0.0.2}\nlogLevel: debug\n');
    expect(loadConfig({ SWITCHYARD_CONFIG: file, SWITCHYARD_HTTP_PORT: '0' })).toMatchObject({
      ok: true,
      config: { http: { host: '127.0.0.2', port: 0 }, logLevel: 'debug' },
    });
  });

  test('names every problem at once, with the variable or the file it came from', () => {
    const file = yaml('htpp: {}\nhttp: {prot: 1}\nplacement: {policy: fastest}\n');
    const problems = problemsOf({ SWITCHYARD_CONFIG: file, SWITCHYARD_GRPC_PORT: 'high', DATABASE_URL: 'mysql://x' });
    expect(problems).toContain("there is no 'htpp' here; did you mean 'http'?");
    expect(problems).toContain("there is no 'prot' in http; did you mean 'port'?");
    expect(problems).toContain(`${file}: placement.policy:`);
    expect(problems).toContain('SWITCHYARD_GRPC_PORT:');
    expect(problems).toContain('DATABASE_URL: must begin with postgres://');
  });

  test('plain text stays on loopback', () => {
    expect(problemsOf({ SWITCHYARD_HTTP_HOST: '0.0.0.0' })).toContain('plain text is for loopback only');
    expect(problemsOf({ SWITCHYARD_GRPC_HOST: 'broker.example' })).toContain('grpc.tls.certFile');
    const [certFile, keyFile] = [yaml('cert'), yaml('key')];
    const tls = { SWITCHYARD_GRPC_TLS_CERT: certFile, SWITCHYARD_GRPC_TLS_KEY: keyFile };
    expect(problemsOf({ SWITCHYARD_GRPC_HOST: '0.0.0.0', ...tls })).toBe('');
    expect(problemsOf({ ...tls, SWITCHYARD_GRPC_TLS_KEY: '/nowhere' })).toContain(
      'grpc.tls.keyFile: the file /nowhere',
    );
  });

  test('a file that is named and absent, broken or no map is a problem', () => {
    expect(problemsOf({ SWITCHYARD_CONFIG: '/nowhere.yaml' })).toContain('/nowhere.yaml');
    expect(problemsOf({ SWITCHYARD_CONFIG: yaml('http: [') })).not.toBe('');
    expect(problemsOf({ SWITCHYARD_CONFIG: yaml('- a') })).toContain('must be a map');
  });
});
