import type { ApiClient } from './api-client.ts';

const TEN_YEARS_SECONDS = 10 * 365 * 86_400;

/** A token of the service account, which is made if there is none; its rights are what the test binds to it. */
export async function serviceAccountToken(client: ApiClient, namespace: string, name: string): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  const made = await client.call('POST', path, { metadata: { name } });
  if (made.status !== 201 && made.status !== 409) throw refused(`POST ${path}`, made);
  const spec = { expirationSeconds: TEN_YEARS_SECONDS };
  const reply = await client.call<{ status: { token: string } }>('POST', `${path}/${name}/token`, { spec });
  if (reply.status !== 201) throw refused(`POST ${path}/${name}/token`, reply);
  return reply.body.status.token;
}

function refused(what: string, reply: { status: number; body: unknown }): Error {
  return new Error(`${what} answered ${reply.status}: ${JSON.stringify(reply.body)}`);
}
