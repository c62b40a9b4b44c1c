import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ran, runProgram } from '../../slurm/run-program.ts';
import { BUSYBOX } from './available.ts';
import { imageArchive } from './image-archive.ts';

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
  const Env = ['PATH=/bin'];
  return imageArchive(folder, root, [
    { name: IMAGE, config: { Cmd: ['sh'], Env } },
    { name: SANDBOX_IMAGE, config: { Cmd: ['sleep', 'infinity'], Env } },
  ]);
}

async function must(argv: readonly string[]): Promise<Ran> {
  const ran = await runProgram(argv);
  if (ran.code !== 0) throw new Error(`${argv.join(' ')} ended with ${ran.code}: ${ran.stderr}`);
  return ran;
}
