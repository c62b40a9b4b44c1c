/**
 * Text that reaches the container as it is. The kubelet replaces `$(NAME)` in command, args and the values of env, and makes one
 * `$` of two (k8s.io/kubernetes/third_party/forked/golang/expansion), so every `$` is doubled.
 */
export function escapeExpansion(text: string): string {
  return text.replaceAll('$', '$$$$');
}
