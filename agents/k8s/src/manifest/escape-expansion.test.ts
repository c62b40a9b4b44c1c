import fc from 'fast-check';
import { expect, it } from 'vitest';
import { escapeExpansion } from './escape-expansion.ts';

/** What the kubelet does: a transcription of `Expand` in k8s.io/kubernetes/third_party/forked/golang/expansion/expand.go. */
function expand(input: string, variables: Readonly<Record<string, string>>): string {
  let out = '';
  for (let at = 0; at < input.length; at += 1) {
    if (input[at] !== '$' || at + 1 >= input.length) out += input[at];
    else if (input[at + 1] === '$') {
      out += '$';
      at += 1;
    } else if (input[at + 1] === '(' && input.indexOf(')', at) > 0) {
      const end = input.indexOf(')', at);
      const name = input.slice(at + 2, end);
      out += variables[name] ?? `$(${name})`;
      at = end;
    } else {
      out += `$${input[at + 1]}`;
      at += 1;
    }
  }
  return out;
}

const variables = { HOME: '/tmp', X: 'x', '': 'empty' };

it.each(['$HOME', '$(HOME)', '$$', '$$(HOME)', '$$$(HOME)', '$', 'a$', '$(', '$()', '$((1 + 1))', 'costs $(X) $$'])(
  '%s arrives as it is',
  (text) => {
    expect(expand(escapeExpansion(text), variables)).toBe(text);
  },
);

it('any text arrives as it is', () => {
  const text = fc.string({ unit: fc.constantFrom('$', '(', ')', 'X', 'HOME', ' ', '\n') });
  fc.assert(
    fc.property(text, (each) => {
      expect(expand(escapeExpansion(each), variables)).toBe(each);
    }),
  );
});
