import http from 'node:http';
import https from 'node:https';
import type { KubeAccess } from './kube-access.ts';

export type KubeAgents = {
  /** Connections that are kept alive, for this access; new ones when its certificates changed. */
  for(access: KubeAccess): http.Agent;
  close(): void;
};

/** A server or a gateway closes idle connections after a minute or more: ours go first, or a request meets a reset. */
const IDLE_MS = 30_000;

export function createKubeAgents(options: { readonly keepAlive: number }): KubeAgents {
  let madeFor: KubeAccess | undefined;
  let agent: http.Agent | undefined;
  const retired = new Set<http.Agent>();

  const make = (access: KubeAccess): http.Agent => {
    const proxy = access.proxyUrl;
    const common = {
      keepAlive: true,
      maxFreeSockets: options.keepAlive,
      timeout: IDLE_MS,
      ...(proxy ? { proxyEnv: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy } } : {}),
    };
    if (access.server.protocol === 'http:') return new http.Agent(common);
    return new https.Agent({ ...common, ...withoutUndefined(access.tls) });
  };

  return {
    for: (access) => {
      if (agent && madeFor && (madeFor === access || sameConnection(madeFor, access))) {
        madeFor = access;
        return agent;
      }
      // Requests and watches under way end on the old connections, which are then not kept.
      if (agent) retired.add(retire(agent));
      agent = make(access);
      madeFor = access;
      return agent;
    },
    close: () => {
      agent?.destroy();
      for (const old of retired) old.destroy();
    },
  };
}

function retire(agent: http.Agent): http.Agent {
  agent.maxFreeSockets = 0;
  for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  return agent;
}

function sameConnection(one: KubeAccess, other: KubeAccess): boolean {
  return connectionKey(one) === connectionKey(other);
}

/** A token is sent with each request; the rest is proven once per connection. */
function connectionKey({ server, proxyUrl, tls }: KubeAccess): string {
  const text = (value: Buffer | string | undefined) => value?.toString('base64');
  const { ca, cert, key, servername, rejectUnauthorized } = tls;
  return JSON.stringify([server.href, proxyUrl, text(ca), text(cert), text(key), servername, rejectUnauthorized]);
}

function withoutUndefined(tls: KubeAccess['tls']): https.AgentOptions {
  return Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined));
}
