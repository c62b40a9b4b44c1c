/**
 * How the pods of Jobs end on simulated nodes. A pod says it itself, by annotations or, where a test does not write the
 * pod, by the environment of its first container: how long it runs, as Go writes durations (`1500ms`, `20s`), and with
 * which exit code its containers end.
 */
export const SIMULATED = {
  delayAnnotation: 'testbed/delay',
  exitCodeAnnotation: 'testbed/exit-code',
  delayVariable: 'TESTBED_DELAY',
  exitCodeVariable: 'TESTBED_EXIT_CODE',
} as const;

/** A Stage of kwok (kwok.sigs.k8s.io/docs/user/stages-configuration): selectors are jq, the status is a Go template. */
export function podEndStage(jobSeconds: number): object {
  const delay =
    `.metadata.annotations["${SIMULATED.delayAnnotation}"] // ` +
    `(.spec.containers[0].env // [] | .[] | select(.name == "${SIMULATED.delayVariable}") | .value)`;
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Stage',
    metadata: { name: 'pod-end' },
    spec: {
      resourceRef: { apiGroup: 'v1', kind: 'Pod' },
      selector: {
        matchExpressions: [
          { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' },
          { key: '.status.phase', operator: 'In', values: ['Running'] },
          { key: '.metadata.ownerReferences.[].kind', operator: 'In', values: ['Job'] },
        ],
      },
      delay: { durationMilliseconds: jobSeconds * 1000, durationFrom: { expressionFrom: delay } },
      next: { statusTemplate: ENDED },
    },
  };
}

const ENDED = `
{{ $now := Now }}
{{ $root := . }}
{{ $code := "0" }}
{{ range $key, $value := .metadata.annotations }}
{{ if eq $key "${SIMULATED.exitCodeAnnotation}" }}{{ $code = $value }}{{ end }}
{{ end }}
{{ range (index .spec.containers 0).env }}
{{ if eq .name "${SIMULATED.exitCodeVariable}" }}{{ $code = .value }}{{ end }}
{{ end }}
containerStatuses:
{{ range $index, $item := .spec.containers }}
{{ $origin := index $root.status.containerStatuses $index }}
- image: {{ $item.image | Quote }}
  name: {{ $item.name | Quote }}
  ready: false
  restartCount: 0
  started: false
  state:
    terminated:
      exitCode: {{ $code }}
      finishedAt: {{ $now | Quote }}
      reason: {{ if eq $code "0" }}Completed{{ else }}Error{{ end }}
      startedAt: {{ $origin.state.running.startedAt | Quote }}
{{ end }}
phase: {{ if eq $code "0" }}Succeeded{{ else }}Failed{{ end }}
`;
