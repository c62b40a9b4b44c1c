import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from './canonical-json.ts';
import { validateJobSpec } from './validate-job-spec.ts';

const problems = (input: unknown) => {
  const result = validateJobSpec(input);
  return result.ok ? [] : result.problems;
};
const command = ['true'];

test('fills in every default, and takes its own result unchanged', () => {
  const first = validateJobSpec({ command });
  expect(first).toMatchObject({
    ok: true,
    spec: { name: 'job', group: 'default', resources: { tasks: 1, cpusPerTask: 1 } },
  });
  const again = first.ok && validateJobSpec(JSON.parse(canonicalJson(first.spec)));
  expect(again).toEqual(first);
});

describe('unknown names', () => {
  test.each([
    [{ command, nmae: 'x' }, '/nmae', "did you mean 'name'?"],
    [{ command, resources: { walltime_seconds: 1 } }, '/resources/walltime_seconds', "did you mean 'walltimeSeconds'?"],
    [{ command, resources: { cpuPerTask: 1 } }, '/resources/cpuPerTask', "did you mean 'cpusPerTask'?"],
    [{ command, dependsOn: [{ job: 1, wen: 'ended' }] }, '/dependsOn/0/wen', "did you mean 'when'?"],
    [{ command, retry: { on: { exitCode: [1] } } }, '/retry/on/exitCode', "did you mean 'exitCodes'?"],
    [{ command, 'a/b~c': 1 }, '/a~1b~0c', expect.stringContaining('known here are name, group, script')],
    [JSON.parse('{"command":["true"],"__proto__":1}'), '/__proto__', expect.stringContaining('known here are')],
  ])('%j', (input, path, hint) => {
    expect(problems(input)).toEqual([{ path, message: expect.stringMatching(/^there is no '/), hint }]);
  });
});

describe('each problem has a path and a sentence', () => {
  test.each<[unknown, string, string]>([
    [null, '', 'expected object, received null'],
    [{}, '/script', 'give either script or command, one of the two'],
    [{ command, script: '#!/bin/sh\n' }, '/script', 'give either script or command, one of the two'],
    [{ script: 'echo hello' }, '/script', 'must start with an interpreter line such as #!/bin/bash'],
    [{ script: '#!/bin/sh\r\ntrue\r\n' }, '/script', 'has DOS line breaks, which no interpreter line survives'],
    [
      { script: '#!/bin/sh\n#BSUB -J x\n' },
      '/script',
      '#BSUB lines are not read yet, and they are not silently dropped',
    ],
    [{ script: `#!/bin/sh\n${'ä'.repeat(600_000)}` }, '/script', 'has more than 1048576 bytes'],
    [{ command: ['a\0b'] }, '/command/0', 'must not contain NUL bytes'],
    [{ command, name: 'a\nb' }, '/name', 'must not contain line breaks, NUL or other control characters'],
    [{ command, name: 'x'.repeat(10_000) }, '/name', 'Too big: expected string to have <=1024 characters'],
    [{ command, group: 'Physics' }, '/group', 'must be a path of lower-case names such as physics/astro'],
    [{ command, env: { 'a b': '1' } }, '/env/a b', 'this name is not a name an environment variable can have'],
    [
      { command, env: { A: 'x'.repeat(131_000), B: 'x'.repeat(131_000), C: 'x'.repeat(200) } },
      '/env',
      'has 262209 bytes, at most 262144 are possible',
    ],
    [{ command, dependsOn: [{ job: 'x' }] }, '/dependsOn/0/job', 'must be the number or the id of a job'],
    [{ command, dependsOn: [{ job: {} }] }, '/dependsOn/0/job', 'must be the number or the id of a job'],
    [{ command, array: { tasks: '5-1' } }, '/array/tasks', "the range '5-1' ends before it starts"],
    [
      { command, array: { tasks: '0-9', split: false, maxRunning: 2 } },
      '/array/maxRunning',
      'an array that is never cut is placed as a whole, so maxRunning cannot be honoured',
    ],
    [{ command, stdout: 'x-%b' }, '/stdout', "'%b' cannot be filled in here: known are %j %J %A %a %x %u %N and %%"],
    [{ command, stderr: 'x%' }, '/stderr', "'%' cannot be filled in here: known are %j %J %A %a %x %u %N and %%"],
    [{ command, workdir: 'here' }, '/workdir', 'must be an absolute path'],
    [{ command, resources: { nodes: 4, tasks: 2 } }, '/resources/nodes', '4 nodes cannot all be used by 2 tasks'],
    [
      { command, resources: { nodes: 2, tasks: 9, tasksPerNode: 4 } },
      '/resources/tasks',
      '9 tasks do not fit 2 nodes with 4 tasks each',
    ],
    [
      { command, resources: { memoryMiBPerNode: 1, memoryMiBPerCpu: 1 } },
      '/resources',
      'give one of memoryMiBPerNode, memoryMiBPerCpu and memoryMiBPerTask',
    ],
    [{ command, resources: { gpuType: 'a100' } }, '/resources/gpuType', 'names a GPU but asks for none'],
    [
      { command, retry: { lostAfterSeconds: 60 } },
      '/retry/lostAfterSeconds',
      'only a job that is rerunnable is run again when its cluster is lost',
    ],
    [
      { command, startAfter: '2026-12-02T00:00:00Z', startDeadline: '2026-12-01T00:00:00Z' },
      '/startDeadline',
      '2026-12-01T00:00:00Z is not after startAfter 2026-12-02T00:00:00Z',
    ],
  ])('%#', (input, path, message) => {
    expect(problems(input)).toContainEqual(expect.objectContaining({ path, message }));
  });

  test('all of them at once', () => {
    expect(problems({ command, priority: -1, resources: { tasks: '1' }, x: 1 })).toHaveLength(3);
  });
});

test('total: any JSON value gives a spec or problems', () => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.dictionary(fc.constantFrom('name', 'env', 'array', 'resources', 'native', 'retry', 'labels'), fc.jsonValue()),
      (any, some) => {
        for (const input of [any, { command, ...some }]) {
          const result = validateJobSpec(input);
          expect(result.ok || result.problems.length > 0).toBe(true);
          if (result.ok) expect(() => canonicalJson(result.spec)).not.toThrow();
        }
      },
    ),
  );
});
