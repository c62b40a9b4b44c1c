import { describe, expect, it } from 'vitest';
import { answerError, eventError } from './answer-error.ts';

const status = (code: number, reason: string, more: object = {}) =>
  JSON.stringify({ kind: 'Status', status: 'Failure', code, reason, message: `${reason} it is`, ...more });

const create = { verb: 'POST', path: '/apis/batch/v1/namespaces/x/jobs' };

describe('the closed set', () => {
  const table = [
    // verb, status, reason, kind, trying again helps, may have been carried out
    ['POST', 400, 'BadRequest', 'invalid', false, false],
    ['POST', 401, 'Unauthorized', 'unauthorized', true, false],
    ['POST', 403, 'Forbidden', 'forbidden', false, false],
    ['GET', 404, 'NotFound', 'not_found', false, false],
    ['PUT', 405, 'MethodNotAllowed', 'invalid', false, false],
    ['POST', 408, '', 'timeout', true, true],
    ['POST', 409, 'AlreadyExists', 'already_exists', false, false],
    ['PUT', 409, 'Conflict', 'conflict', false, false],
    ['DELETE', 409, 'Conflict', 'conflict', false, false],
    // Two creates that charge one ResourceQuota: "please apply your changes to the latest version and try again".
    ['POST', 409, 'Conflict', 'conflict', true, false],
    ['GET', 410, 'Expired', 'gone', false, false],
    ['POST', 413, 'RequestEntityTooLarge', 'invalid', false, false],
    ['POST', 422, 'Invalid', 'invalid', false, false],
    ['POST', 429, 'TooManyRequests', 'too_many_requests', true, false],
    ['POST', 500, 'InternalError', 'server_error', true, true],
    ['DELETE', 502, '', 'server_error', true, true],
    ['PATCH', 503, 'ServiceUnavailable', 'server_error', true, true],
    ['POST', 504, 'Timeout', 'server_error', true, true],
    ['GET', 503, 'ServiceUnavailable', 'server_error', true, false],
  ] as const;

  for (const [verb, code, reason, kind, retryable, unclear] of table) {
    it(`${verb} ${code} ${reason} is ${kind}`, () => {
      const error = answerError({ verb, path: '/x' }, { status: code, headers: {}, body: status(code, reason) });
      expect(error).toMatchObject({ kind, status: code, reason, retryable, unclear });
    });
  }
});

describe('what it says', () => {
  it('names what was asked, the sentence of the server and whether trying again helps', () => {
    const body = status(422, 'Invalid', {
      message: 'Job.batch "a" is invalid: spec.template: Required value',
      details: { causes: [{ field: 'spec.template', message: 'Required value' }] },
    });
    const error = answerError(create, { status: 422, headers: {}, body });
    expect(error.message).toBe(
      'POST /apis/batch/v1/namespaces/x/jobs: 422 Invalid: Job.batch "a" is invalid: spec.template: Required value. ' +
        'Trying again as it is does not help.',
    );
    expect(error.causes).toEqual(['spec.template: Required value']);
  });

  it('keeps the text of a plain answer and no page of a gateway', () => {
    const plain = answerError(create, { status: 503, headers: {}, body: 'apiserver is shutting down' });
    expect(plain.sentence).toBe('apiserver is shutting down');
    const page = answerError(create, { status: 502, headers: {}, body: '<html><h1>Bad Gateway</h1></html>' });
    expect(page.sentence).toBe('no reason given');
  });

  it('survives any body', () => {
    for (const body of ['', 'null', '[]', '7', '{"message":7,"details":{"causes":[null,{}]}}', '{"details":7}']) {
      expect(answerError(create, { status: 500, headers: {}, body }).kind).toBe('server_error');
    }
  });
});

describe('when to come again', () => {
  it('takes seconds of the header, else of the status', () => {
    const details = { details: { retryAfterSeconds: 7 } };
    const asked = (headers: Record<string, string>) =>
      answerError(create, { status: 429, headers, body: status(429, 'TooManyRequests', details) }).retryAfterMs;
    expect(asked({ 'retry-after': '2' })).toBe(2_000);
    expect(asked({})).toBe(7_000);
  });

  it('takes a date', () => {
    const inTenSeconds = new Date(Date.now() + 10_000).toUTCString();
    const error = answerError(create, { status: 503, headers: { 'retry-after': inTenSeconds }, body: '' });
    expect(error.retryAfterMs).toBeGreaterThan(8_000);
    expect(error.retryAfterMs).toBeLessThanOrEqual(10_000);
  });
});

it('an error inside a watch carries its own code', () => {
  expect(eventError('/pods', { code: 410, reason: 'Expired', message: 'too old resource version' })).toMatchObject({
    kind: 'gone',
    sentence: 'too old resource version',
  });
  expect(eventError('/pods', null).kind).toBe('server_error');
});
