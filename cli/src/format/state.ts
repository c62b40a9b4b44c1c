import type { Styled } from './styled.ts';

/**
 * A state as icon and word, with its colour: never colour alone. A no-break space joins the two, so that a table still
 * splits at blanks. Every icon is one column wide.
 */
export function stateText(state: string, condition: { unreachable?: boolean } = {}): Styled {
  const look = looks[state] ?? { icon: '·', colour: 'plain' };
  if (condition.unreachable) return { text: `?\u00a0${state}`, colour: 'yellow' };
  return { text: `${look.icon}\u00a0${state}`, colour: look.colour };
}

type Look = { readonly icon: string; readonly colour: NonNullable<Styled['colour']> };

const looks: Readonly<Record<string, Look>> = {
  held: { icon: '◫', colour: 'magenta' },
  queued: { icon: '◌', colour: 'grey' },
  offered: { icon: '◔', colour: 'cyan' },
  placing: { icon: '◔', colour: 'cyan' },
  placed: { icon: '◑', colour: 'cyan' },
  running: { icon: '●', colour: 'blue' },
  succeeded: { icon: '✔', colour: 'green' },
  failed: { icon: '✖', colour: 'red' },
  cancelled: { icon: '⊘', colour: 'grey' },
  withdrawn: { icon: '↶', colour: 'grey' },
  refused: { icon: '✖', colour: 'yellow' },
  unreachable: { icon: '?', colour: 'yellow' },
  connected: { icon: '●', colour: 'green' },
  never_connected: { icon: '◌', colour: 'grey' },
  cordoned: { icon: '◫', colour: 'yellow' },
  draining: { icon: '◔', colour: 'yellow' },
  up: { icon: '●', colour: 'green' },
  down: { icon: '✖', colour: 'red' },
};
