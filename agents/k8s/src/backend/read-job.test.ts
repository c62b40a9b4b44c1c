import { markerOf } from '@switchyard/core/spec/marker.ts';
import { describe, expect, it } from 'vitest';
import type { Job } from '../api-types.ts';
import { writeOrderNote } from '../manifest/order-annotation.ts';
import { readJob, readOurJob } from './read-job.ts';

const runId = '01a1ff19-16c8-7026-96bb-58d7ef226b3a';
const marker = markerOf('test', runId);
const note = {
  ...{ runId, placementNumber: 7, jobId: runId, jobNumber: 5, attempt: 1, tasks: '0-3', specHash: 'abc', pool: '' },
  ...{ groupPath: 'default', owner: 'ada', marker, gang: 0, isArray: true },
};
const labels = {
  'app.kubernetes.io/managed-by': 'switchyard',
  ...{ 'switchyard.dev/federation': 'test', 'switchyard.dev/run': runId },
};
const job = (changes: { name?: string; labels?: object; order?: string; hash?: string } = {}): Job => ({
  metadata: {
    name: changes.name ?? marker,
    labels: { ...labels, ...changes.labels },
    annotations: {
      'switchyard.dev/order': changes.order ?? writeOrderNote(note),
      'switchyard.dev/spec-hash': changes.hash ?? 'abc',
    },
  },
  spec: { template: { spec: { containers: [] } } },
});

describe('whose Job it is', () => {
  it('is ours when name, labels, order and hash agree', () => {
    const { gang, isArray, ...order } = note;
    expect(readJob(job())).toEqual({ kind: 'run', record: { order, gang, isArray } });
  });

  it('is foreign when another federation made it', () => {
    expect(readOurJob(job(), 'test')).toEqual(readJob(job()));
    expect(readOurJob(job(), 'othr')).toEqual({ kind: 'foreign' });
  });

  it.each([
    ['another name', job({ name: 'anything' })],
    ['the name of another run', job({ name: markerOf('test', '01a1ff19-16c8-7026-96bb-58d7ef226b3b') })],
    ['the label of another run', job({ labels: { 'switchyard.dev/run': '01a1ff19-16c8-7026-96bb-58d7ef226b3b' } })],
    ['the label of another federation', job({ labels: { 'switchyard.dev/federation': 'aaaa' } })],
    ['another manager', job({ labels: { 'app.kubernetes.io/managed-by': 'helm' } })],
    ['nothing at all', { metadata: { name: marker }, spec: { template: { spec: { containers: [] } } } }],
  ])('is foreign with %s', (_, each) => {
    expect(readJob(each)).toEqual({ kind: 'foreign' });
  });

  it.each([
    ['no order', job({ order: '' })],
    ['half an order', job({ order: '{"runId":' })],
    ['the order of another run', job({ order: writeOrderNote({ ...note, marker: 'other' }) })],
    ['another hash', job({ hash: 'abd' })],
    ['tasks that nobody can read', job({ order: writeOrderNote({ ...note, tasks: 'all' }) })],
  ])('is a stray with %s', (_, each) => {
    expect(readJob(each)).toEqual({ kind: 'stray', federation: 'test', runId });
  });
});
