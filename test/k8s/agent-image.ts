import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readDockerfile } from './dockerfile.ts';
import { imageArchive } from './testbed/image-archive.ts';

const ROOT = join(import.meta.dirname, '../..');

export const AGENT_IMAGE = { name: 'switchyard.test/agent', tag: '1' };

/**
 * The image of the Dockerfile, as far as it can be made without its base image: the Node that runs this, the libraries that it
 * needs, and the bundles, laid out and started as the Dockerfile says. There is no shell in it.
 */
export async function agentImage(dir: string): Promise<{ archive: string; bytes: number }> {
  const { copies, user, workdir, env, entrypoint, command } = readDockerfile(
    readFileSync(join(ROOT, 'Dockerfile'), 'utf8'),
  );
  const folder = join(dir, 'agent-image');
  const root = join(folder, 'root');
  const put = (from: string, to: string) => {
    mkdirSync(dirname(join(root, to)), { recursive: true });
    cpSync(from, join(root, to), { recursive: true, dereference: true });
  };
  const bundles = join(folder, 'dist');
  mkdirSync(bundles, { recursive: true });
  execFileSync(process.execPath, [join(ROOT, 'scripts/bundle.ts'), bundles], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  for (const { sources, target } of copies)
    for (const source of sources)
      if (source.endsWith('/dist')) put(bundles, target);
      else put(join(ROOT, source), target.endsWith('/') ? join(target, source) : target);
  put(process.execPath, '/usr/local/bin/node');
  for (const library of librariesOf(process.execPath)) put(library, library);
  for (const each of ['etc', 'tmp', workdir]) mkdirSync(join(root, each), { recursive: true });
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/sbin/nologin\n');
  const archive = await imageArchive(folder, root, [
    {
      name: `${AGENT_IMAGE.name}:${AGENT_IMAGE.tag}`,
      config: {
        User: user,
        WorkingDir: workdir,
        Env: ['PATH=/usr/local/bin', ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
        Entrypoint: entrypoint,
        Cmd: command,
      },
    },
  ]);
  return { archive, bytes: statSync(archive).size };
}

/** What the loader would load, and the loader itself (ldd(1)): `name => /path (address)` and `/path (address)`. */
function librariesOf(program: string): string[] {
  const text = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...text.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].map(([, path]) => path!);
}
