import { podEndStage } from './testbed/simulated-pods.ts';

/** The index of the task in its array, from what stands in the pod: the launcher's range set and the pod's completion index. */
const TASK =
  '([.spec.containers[0].args[0] | split(",") | .[] ' +
  '| capture("^(?<a>[0-9]+)(-(?<b>[0-9]+)(:(?<s>[0-9]+))?)?$") ' +
  '| range(.a | tonumber; (.b // .a | tonumber) + 1; .s // "1" | tonumber)])' +
  '[.metadata.annotations["batch.kubernetes.io/job-completion-index"] | tonumber]';

type Stage = {
  metadata: { name: string };
  spec: { selector: { matchExpressions: object[] }; next: { statusTemplate: string } };
};

/** Stages of kwok by which tasks of arrays end, with exit code 1 those whose index leaves `rest` when divided by `by`. */
export function failingTasks(jobSeconds: number, { by, rest }: { by: number; rest: number }): object[] {
  return [false, true].map((fails) => {
    const stage = podEndStage(jobSeconds) as Stage;
    const key = `${TASK} | . % ${by} | tostring`;
    stage.spec.selector.matchExpressions.push({ key, operator: fails ? 'In' : 'NotIn', values: [String(rest)] });
    if (!fails) return stage;
    stage.metadata.name = 'pod-fails';
    const { statusTemplate } = stage.spec.next;
    stage.spec.next.statusTemplate = statusTemplate.replace('{{ $code := "0" }}', '{{ $code := "1" }}');
    if (stage.spec.next.statusTemplate === statusTemplate) throw new Error('the stage of the test bed has changed');
    return stage;
  });
}
