import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';

/** PEM texts. */
export type Issued = { readonly cert: string; readonly key: string };

/** A certificate authority of this test alone: no key lies in the repository, and no program is needed. */
export function createAuthority(name: string): Issued {
  return issue({ subject: name, isAuthority: true });
}

/** For a server at 127.0.0.1, or for the client `subject`. */
export function issueBy(authority: Issued & { readonly name: string }, subject: string): Issued {
  return issue({ subject, isAuthority: false, issuer: authority });
}

function issue(wanted: {
  readonly subject: string;
  readonly isAuthority: boolean;
  readonly issuer?: Issued & { readonly name: string };
}): Issued {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const signer = wanted.issuer ? createPrivateKey(wanted.issuer.key) : privateKey;
  const hourMs = 3_600_000;
  const body = sequence(
    tagged(0xa0, integer(2)),
    integer(Math.floor(Math.random() * 2 ** 30) + 1),
    ed25519,
    commonName(wanted.issuer?.name ?? wanted.subject),
    sequence(utcTime(Date.now() - hourMs), utcTime(Date.now() + 24 * hourMs)),
    commonName(wanted.subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(wanted.isAuthority ? authorityExtension : addressExtension)),
  );
  const signature = sign(null, body, signer);
  const cert = sequence(body, ed25519, tagged(0x03, Buffer.concat([Buffer.of(0), signature])));
  const lines = cert.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** DER (X.690): tag, length, content. */
function tagged(tag: number, content: Buffer): Buffer {
  const size = content.length;
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255];
  return Buffer.concat([Buffer.of(tag, ...length), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

function integer(value: number): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
  return tagged(0x02, bytes[0]! > 127 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

function utcTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/\D/g, '').slice(2, 14);
  return tagged(0x17, Buffer.from(`${digits}Z`));
}

function commonName(name: string): Buffer {
  const id = tagged(0x06, Buffer.of(0x55, 0x04, 0x03));
  return sequence(tagged(0x31, sequence(id, tagged(0x0c, Buffer.from(name)))));
}

const ed25519 = sequence(tagged(0x06, Buffer.of(0x2b, 0x65, 0x70)));

/** basicConstraints, critical: CA. */
const authorityExtension = sequence(
  tagged(0x06, Buffer.of(0x55, 0x1d, 0x13)),
  Buffer.of(0x01, 0x01, 0xff),
  tagged(0x04, sequence(Buffer.of(0x01, 0x01, 0xff))),
);

/** subjectAltName: IP 127.0.0.1. */
const addressExtension = sequence(
  tagged(0x06, Buffer.of(0x55, 0x1d, 0x11)),
  tagged(0x04, sequence(tagged(0x87, Buffer.of(127, 0, 0, 1)))),
);
