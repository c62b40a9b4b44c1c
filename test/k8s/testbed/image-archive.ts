import { createHash } from 'node:crypto';
import { createReadStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { runProgram } from '../../slurm/run-program.ts';

/** One image of an archive; `config` as an image configuration has it (Cmd, Entrypoint, Env, User, WorkingDir). */
export type ImageEntry = { readonly name: string; readonly config: Readonly<Record<string, unknown>> };

/**
 * Images of one layer, the files below `root`, as an archive that `ctr images import` reads. Nothing is downloaded, and the same
 * files give the same image.
 */
export async function imageArchive(folder: string, root: string, images: readonly ImageEntry[]): Promise<string> {
  const layer = join(folder, 'layer.tar');
  await tar(['-C', root, '--owner=0', '--group=0', '--mtime=@0', '--sort=name', '-cf', layer, '.']);
  const layerHash = await hashOf(layer);
  const manifest = images.map((image) => describe(folder, image, layerHash));
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
  const archive = join(folder, 'images.tar');
  await tar(['-C', folder, '-cf', archive, 'manifest.json', 'layer.tar', ...manifest.map(({ Config }) => Config)]);
  return archive;
}

/** The entry of the archive's manifest; its configuration lies beside it, named by its hash. */
function describe(folder: string, { name, config }: ImageEntry, layerHash: string) {
  const text = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: [`sha256:${layerHash}`] },
    history: [{ created_by: 'the test bed' }],
  });
  const file = `${createHash('sha256').update(text).digest('hex')}.json`;
  writeFileSync(join(folder, file), text);
  return { Config: file, RepoTags: [name], Layers: ['layer.tar'] };
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

async function tar(args: readonly string[]): Promise<void> {
  const ran = await runProgram(['tar', ...args]);
  if (ran.code !== 0) throw new Error(`tar ${args.join(' ')} ended with ${ran.code}: ${ran.stderr}`);
}
