import type { DefineCommand } from '../cli.ts';

/** `yard agent`: the process beside a cluster. Nothing of it is loaded by any other command. */
export const defineAgent: DefineCommand = (command) => {
  command.usage('run|check FILE');
};
