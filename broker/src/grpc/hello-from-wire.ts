import { CLUSTER_KINDS } from '@switchyard/core/spec/job-spec.ts';
import type * as proto from '@switchyard/proto/switchyard/v1/agent.ts';
import type { Hello } from '../db/cluster-hello.ts';
import { plainText } from './wire.ts';

/** The one protocol this broker speaks; a change that an older agent cannot follow raises it. */
export const PROTOCOL_VERSION = 1;

export type HelloRead = { ok: true; hello: Hello } | { ok: false; sentence: string };

/** Bounds of what an agent may declare. */
const MAX_ENTRIES = 1000;
const MAX_BACKLOG = 100_000;

/** The first message of an agent, checked; what cannot be served is a sentence for its log. */
export function helloFromWire(wire: proto.Hello): HelloRead {
  if (wire.protocolVersion !== PROTOCOL_VERSION)
    return no(`this broker speaks protocol ${PROTOCOL_VERSION}, the agent speaks ${wire.protocolVersion}`);
  const kind = CLUSTER_KINDS.find((word) => word === wire.kind);
  if (kind === undefined) return no(`'${plainText(wire.kind, 40)}' is not a kind of cluster this broker knows`);
  if (wire.fingerprint === '') return no('the agent does not say which cluster this is (no fingerprint)');
  return {
    ok: true,
    hello: {
      cluster: plainText(wire.cluster, 253),
      kind,
      fingerprint: plainText(wire.fingerprint, 1024),
      agentVersion: plainText(wire.agentVersion, 64),
      highestPlacementNumber: wire.highestPlacementNumber,
      filesystems: wire.filesystems.slice(0, MAX_ENTRIES).map(({ id, pathPrefix }) => ({
        id: plainText(id, 255),
        pathPrefix: plainText(pathPrefix, 4096),
      })),
      labels: Object.fromEntries(
        Object.entries(wire.labels)
          .slice(0, MAX_ENTRIES)
          .map(([key, value]) => [plainText(key, 63), plainText(value, 253)]),
      ),
      backlog: Math.min(wire.backlog, MAX_BACKLOG),
      allowedNativeOptions: wire.allowedNativeOptions.slice(0, MAX_ENTRIES).map((name) => plainText(name, 253)),
    },
  };
}

function no(sentence: string): HelloRead {
  return { ok: false, sentence };
}
