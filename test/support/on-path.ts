import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** True when a program of this name can be run; the sbin folders count, where Debian puts daemons. */
export function onPath(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
