import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GO_ANNOTATION } from '../names.ts';
import { isOver, mergePod, podFacts } from './pod-facts.ts';
import { exited, makePod, makePodFacts, type PodStory, START, sec } from './testing/make-facts.ts';

const running = { running: { startedAt: sec(2) } };

/** A pod's life as the API server shows it, one version after the other. */
const LIFE: readonly PodStory[] = [
  {},
  { unschedulable: '0/2 nodes are available' },
  { node: 'n1' },
  { node: 'n1', state: { waiting: { reason: 'ContainerCreating' } } },
  { node: 'n1', phase: 'Running', state: running, ready: ['True', 3] },
  { node: 'n1', phase: 'Running', state: running, ready: ['True', 3], annotations: { [GO_ANNOTATION]: sec(4) } },
  { node: 'n1', phase: 'Running', state: running, deleted: [8, 5], annotations: { [GO_ANNOTATION]: sec(4) } },
  { node: 'n1', phase: 'Failed', state: exited(143), deleted: [8, 5], annotations: { [GO_ANNOTATION]: sec(4) } },
];

describe('the facts of a pod', () => {
  it('never go back, whatever old versions come', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(LIFE.length - 1), { minLength: 1, maxLength: 20 }), (versions) => {
        const newest = Math.max(...versions);
        const merged = versions.map((at) => makePodFacts(LIFE[at])).reduce((before, now) => mergePod(before, now));
        const last = makePodFacts(LIFE[newest]);
        expect(merged.node).toBe(last.node);
        expect(merged.goAtMs).toBe(last.goAtMs);
        expect(merged.deletedAtMs).toBe(last.deletedAtMs);
        expect(isOver(merged)).toBe(isOver(last));
        if (newest >= 4) expect(merged.container.kind).toBe(last.container.kind);
      }),
    );
  });

  it('are of that pod only', () => {
    const before = makePodFacts({ node: 'n1', phase: 'Failed', state: exited(3) });
    const other = { ...makePodFacts(), uid: 'another' };
    expect(mergePod(before, other)).toBe(other);
  });

  it('know since when an image cannot be pulled, by the own clock', () => {
    const wait = (reason: string, nowMs: number) =>
      makePodFacts({ node: 'n1', state: { waiting: { reason, message: 'no' } } }, nowMs);
    const first = wait('ErrImagePull', START + 5000);
    const second = mergePod(first, wait('ImagePullBackOff', START + 9000));
    expect(second.troubleSinceMs).toBe(START + 5000);
    expect(mergePod(second, makePodFacts({ node: 'n1', state: running })).troubleSinceMs).toBe(0);
  });

  it.each(['2 ', '-1', 'x', '', '99999999'])('take the index %j for none', (index) => {
    const pod = makePod({ annotations: { 'batch.kubernetes.io/job-completion-index': index } });
    expect(podFacts(pod, 0)!.index).toBe(-1);
  });

  it('take a container that never started for one that did not', () => {
    const state = {
      terminated: { exitCode: 128, reason: 'StartError', startedAt: '1970-01-01T00:00:00Z', finishedAt: sec(1) },
    };
    expect(makePodFacts({ node: 'n1', phase: 'Failed', state }).container).toMatchObject({ startedAtMs: 0 });
  });
});
