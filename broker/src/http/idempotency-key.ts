import type { FastifyRequest } from 'fastify';
import { SwitchyardError } from '../errors.ts';

/** The Idempotency-Key of a request, or null: 1 to 255 printable ASCII characters, so that it looks the same everywhere. */
export function idempotencyKey(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(key))
    throw new SwitchyardError('invalid_request', 'Idempotency-Key must have 1 to 255 printable ASCII characters.', {
      hint: 'A new UUID for each job is a good key.',
    });
  return key;
}

export function keyConflict(key: string): SwitchyardError {
  return new SwitchyardError('idempotency_conflict', `The Idempotency-Key ${key} came with another body before.`, {
    hint: 'Use a new key for a new job; the same key only to repeat the same request.',
  });
}
