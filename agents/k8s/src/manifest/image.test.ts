import { describe, expect, it } from 'vitest';
import { imageOf } from './image.ts';

const file = {
  defaultImage: 'registry.example/base:1',
  allowedImages: ['registry.example/team/*', 'python:3.*', '*.lab/x'],
};

describe('the image of a job', () => {
  it.each([
    [undefined, 'registry.example/base:1'],
    ['registry.example/base:1', 'registry.example/base:1'],
    ['registry.example/team/a/b:2', 'registry.example/team/a/b:2'],
    ['registry.example/team/a@sha256:0123', 'registry.example/team/a@sha256:0123'],
    ['python:3.12-slim', 'python:3.12-slim'],
    ['north.lab/x', 'north.lab/x'],
  ])('%s is allowed', (asked, image) => {
    expect(imageOf(asked, file)).toEqual({ image });
  });

  it.each([
    'registry.example/other:1',
    'registry.example/base:2',
    'registry.example/team',
    'registryXexample/team/a',
    'evil.example/registry.example/team/a',
    'python:3.1/evil/image',
    'evil.example/python:3.12',
    'evil.example/a.lab/x',
    'python:3.1 --privileged',
    'python:3.1\nx',
    '',
  ])('%j is not', (asked) => {
    expect(imageOf(asked, file)).toHaveProperty('refusal');
  });

  it('says what is allowed', () => {
    expect(imageOf('a', file)).toEqual({
      refusal:
        "image: 'a' is not allowed on this cluster, whose agent allows registry.example/team/*, python:3.*, *.lab/x",
    });
    expect(imageOf('a', {})).toEqual({ refusal: "image: 'a' is not allowed on this cluster, whose agent allows none" });
    expect(imageOf(undefined, {})).toEqual({
      refusal: 'image: the job names none, and this cluster has no default one',
    });
    expect(imageOf('quay.example:5000/any', { allowedImages: ['*'] })).toEqual({ image: 'quay.example:5000/any' });
  });
});
