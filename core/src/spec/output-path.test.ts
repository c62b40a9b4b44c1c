import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { outputPath, outputPatternProblem, outputTemplate, outputTemplates } from './output-path.ts';

const plain = { jobNumber: 42, name: 'a/b', user: 'ada', isArray: false };
const array = { ...plain, isArray: true };

describe('outputTemplate', () => {
  test.each([
    ['x-%j.out', 'x-42.out', 'x-42_%a.out'],
    ['%J', '42', '42_%a'],
    ['%A_%a', '42_0', '42_%a'],
    ['%6j', '000042', '000042_%a'],
    ['%4a', '0000', '%4a'],
    ['%x-%u', 'a_b-ada', 'a_b-ada'],
    ['%N/%j', '%N/42', '%N/42_%a'],
    ['100%%', '100%%', '100%%'],
  ])('%s', (pattern, ofPlain, ofArray) => {
    expect(outputTemplate(pattern, plain)).toBe(ofPlain);
    expect(outputTemplate(pattern, array)).toBe(ofArray);
  });

  test('a per cent sign in a name stays one', () => {
    const template = outputTemplate('%x', { ...plain, name: '50%j' });
    expect([template, outputPath(template, 0)]).toEqual(['50%%j', '50%j']);
  });
});

test.each([
  ['%4a-%a-%N-%%', 7, 'n1', '0007-7-n1-%'],
  ['%a.%N', 12, undefined, '12.%N'],
])('outputPath %s', (template, task, host, path) => {
  expect(outputPath(template, task, host)).toBe(path);
});

describe('outputTemplates', () => {
  const names = { jobNumber: 42, user: 'ada', defaultWorkdir: '/home/ada/' };
  test.each([
    [{ name: 'x' }, '/home/ada/yard-42.out', '/home/ada/yard-42.out'],
    [{ name: 'x', array: { tasks: '0', split: true } }, '/home/ada/yard-42_%a.out', '/home/ada/yard-42_%a.out'],
    [{ name: 'x', workdir: '/w', stderr: '%x.err' }, '/w/yard-42.out', '/w/x.err'],
    [{ name: 'x', workdir: '/w%j', stdout: '/abs/%j' }, '/abs/42', '/abs/42'],
    [{ name: 'x', workdir: '/w%j' }, '/w%%j/yard-42.out', '/w%%j/yard-42.out'],
  ])('%j', (spec, stdoutPath, stderrPath) => {
    expect(outputTemplates(spec, names)).toEqual({ stdoutPath, stderrPath });
  });
});

test.each(['%b', '%', '%n', '%s', 'a\\%j', '%123j', '%3%', '%3N'])('%s is refused', (pattern) => {
  expect(outputPatternProblem(pattern)).toBeTypeOf('string');
});

test('what is accepted leaves nothing unknown to a cluster', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('%', 'j', 'a', 'A', 'x', 'N', '%%', '/', '3', 'q')).map((parts) => parts.join('')),
      (pattern) => {
        if (outputPatternProblem(pattern) === null)
          expect(outputTemplate(pattern, array).replaceAll(/%(%|\d{0,2}a|\d{0,2}N)/g, '')).not.toContain('%');
      },
    ),
  );
});
