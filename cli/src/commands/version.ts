import packageJson from '../../package.json' with { type: 'json' };
import { type DefineCommand, print } from '../cli.ts';

/** `yard version`: the one of this program; the broker's is in `yard clusters -o json` and its /openapi.json. */
export const defineVersion: DefineCommand = (command, cli) => {
  command.action(() => print(cli, packageJson.version));
};
