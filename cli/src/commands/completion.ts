import { Argument } from 'commander';
import type { DefineCommand } from '../cli.ts';
import { completionScripts } from '../completion/completion-scripts.ts';

/** `yard completion SHELL`: a script that asks `yard __complete` for the candidates. */
export const defineCompletion: DefineCommand = (command, cli) => {
  command
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      `
bash:  yard completion bash > ~/.local/share/bash-completion/completions/yard
zsh:   yard completion zsh > "\${fpath[1]}/_yard"
fish:  yard completion fish > ~/.config/fish/completions/yard.fish`,
    )
    .action((shell: keyof typeof completionScripts) => void cli.io.stdout.write(completionScripts[shell]));
};
