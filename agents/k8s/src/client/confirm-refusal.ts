import { setTimeout as pause } from 'node:timers/promises';
import { KubeError } from './kube-error.ts';

/** How long a server that does not say whether it is ready gets to learn who may do what. */
const LEARNING_MS = 1_000;

/**
 * A server that has just started answers 403 to what is allowed, until it has read its roles (seen after each of
 * three restarts). So a refusal counts only when it comes again after `/readyz` said yes; before, it is the answer of
 * a server that starts. Nothing was carried out: asking again is harmless whatever was asked.
 */
export async function confirmRefusal<Result>(
  refused: KubeError,
  askReady: () => Promise<unknown>,
  again: () => Promise<Result>,
): Promise<Result> {
  try {
    await askReady();
  } catch (error) {
    const starts = !(error instanceof KubeError) || error.status === 0 || error.status >= 500;
    if (starts) {
      const sentence = `The API server is starting and does not know yet who may do what: ${refused.sentence}`;
      throw new KubeError({ ...refused, kind: 'server_error', sentence, retryable: true, cause: refused });
    }
    await pause(LEARNING_MS);
  }
  return again();
}
