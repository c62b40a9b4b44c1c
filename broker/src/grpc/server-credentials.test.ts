import { expect, test } from 'vitest';
import { serverCredentials } from './server-credentials.ts';

test.each(['127.0.0.1', '::1', 'localhost', '127.8.8.8'])('plain text on %s', (host) => {
  expect(serverCredentials({ host, port: 0 })._isSecure()).toBe(false);
});

test.each(['0.0.0.0', '::', '10.1.2.3', 'broker.example'])('no plain text on %s', (host) => {
  expect(() => serverCredentials({ host, port: 0 })).toThrow(/plain text is for loopback only.*certFile/);
});
