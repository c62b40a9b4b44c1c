import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ran, runProgram } from '../../slurm/run-program.ts';
import { BUSYBOX } from './available.ts';

/** What containers run in tests: busybox with all its names; any user may run it. */
export const IMAGE = 'switchyard.test/busybox:1';
/** What holds a pod's namespaces. */
export const SANDBOX_IMAGE = 'switchyard.test/pause:1';

/** Makes both images on the spot, as one archive that `ctr images import` reads; nothing is downloaded. */
export async function makeImages(dir: string): Promise<string> {
  const folder = join(dir, 'images');
  const root = join(folder, 'root');
  for (const each of ['bin', 'etc', 'tmp', 'root', 'home', 'usr']) mkdirSync(join(root, each), { recursive: true });
  for (const each of ['sbin', 'usr/bin', 'usr/sbin']) symlinkSync('/bin', join(root, each));
  copyFileSync(BUSYBOX, join(root, 'bin/busybox'));
  const applets = (await must([BUSYBOX, '--list'])).stdout.trim().split('\n');
  for (const applet of applets) if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
  await must(['chmod', '1777', join(root, 'tmp')]);
  const layer = join(folder, 'layer.tar');
  await must(['tar', '-C', root, '--owner=0', '--group=0', '--mtime=@0', '--sort=name', '-cf', layer, '.']);

  const layerHash = sha256(readFileSync(layer));
  const manifest = [
    describe(folder, IMAGE, ['sh'], layerHash),
    describe(folder, SANDBOX_IMAGE, ['sleep', 'infinity'], layerHash),
  ];
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
  const archive = join(dir, 'images.tar');
  const parts = ['manifest.json', 'layer.tar', ...manifest.map((image) => image.Config)];
  await must(['tar', '-C', folder, '-cf', archive, ...parts]);
  return archive;
}

/** The entry of the archive's manifest; its configuration lies beside it, named by its hash. */
function describe(folder: string, name: string, command: string[], layerHash: string) {
  const config = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Cmd: command, Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layerHash}`] },
    history: [{ created_by: 'the test bed' }],
  });
  const file = `${sha256(Buffer.from(config))}.json`;
  writeFileSync(join(folder, file), config);
  return { Config: file, RepoTags: [name], Layers: ['layer.tar'] };
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

async function must(argv: readonly string[]): Promise<Ran> {
  const ran = await runProgram(argv);
  if (ran.code !== 0) throw new Error(`${argv.join(' ')} ended with ${ran.code}: ${ran.stderr}`);
  return ran;
}
