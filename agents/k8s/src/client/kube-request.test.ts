import { expect, it } from 'vitest';
import { type KubeRequest, repeatIsHarmless } from './kube-request.ts';

const named = { metadata: { name: 'yd1234-a' } };

const table: readonly [string, KubeRequest, boolean][] = [
  ['reading', { verb: 'GET', path: '/p' }, true],
  ['a create by name', { verb: 'POST', path: '/p', body: named }, true],
  ['a create under a generated name', { verb: 'POST', path: '/p', body: { metadata: { generateName: 'a-' } } }, false],
  [
    'an access review',
    { verb: 'POST', path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', body: {} },
    true,
  ],
  ['replacing', { verb: 'PUT', path: '/p/a', body: named }, true],
  ['a merge patch', { verb: 'PATCH', path: '/p/a', body: {} }, true],
  ['a JSON patch', { verb: 'PATCH', path: '/p/a', body: [], contentType: 'application/json-patch+json' }, false],
  ['deleting by UID', { verb: 'DELETE', path: '/p/a', body: { preconditions: { uid: 'u' } } }, true],
  ['deleting by name alone', { verb: 'DELETE', path: '/p/a' }, false],
];

for (const [what, request, harmless] of table) {
  it(`${what} is ${harmless ? 'harmless' : 'not harmless'} to repeat`, () => {
    expect(repeatIsHarmless(request)).toBe(harmless);
  });
}
