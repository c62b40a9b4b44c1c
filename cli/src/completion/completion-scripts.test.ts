import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { completionScripts } from './completion-scripts.ts';

test('bash asks with the words up to the cursor and offers values without their descriptions', () => {
  const session = `
yard() { printf '%s|' "$@" >&2; printf '42\\trelax (running)\\n43\\ttwo words\\n'; }
${completionScripts.bash.replace('2>/dev/null', '')}
COMP_WORDS=(yard show "" later); COMP_CWORD=2
_yard
printf '<%s>' "\${COMPREPLY[@]}"
complete -p yard
`;
  const answer = execFileSync('bash', ['--norc', '-c', `exec 2>&1; ${session}`], { encoding: 'utf8' });
  expect(answer).toBe('__complete|--|show||<42><43>complete -o default -F _yard yard\n');
});
