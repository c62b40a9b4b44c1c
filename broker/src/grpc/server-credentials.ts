import { readFileSync } from 'node:fs';
import { ServerCredentials } from '@grpc/grpc-js';
import { isLoopback } from '../loopback.ts';

export type GrpcEndpoint = {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls?: { readonly certFile: string; readonly keyFile: string } | undefined;
};

/** Plain text only where nobody else can listen; everywhere else the certificate decides, or the server does not start. */
export function serverCredentials({ host, tls }: GrpcEndpoint): ServerCredentials {
  if (!tls) {
    if (isLoopback(host)) return ServerCredentials.createInsecure();
    throw new Error(
      `grpc: plain text is for loopback only, and ${host} is not; give grpc.tls.certFile and grpc.tls.keyFile, or listen on 127.0.0.1`,
    );
  }
  const pair = { cert_chain: readFileSync(tls.certFile), private_key: readFileSync(tls.keyFile) };
  return ServerCredentials.createSsl(null, [pair], false);
}
