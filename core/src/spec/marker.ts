const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
/** What a federation is called in the markers of its jobs. */
export const FEDERATION = /^[a-z2-7]{4}$/;

const MARKER = /^yd([a-z2-7]{4})-([a-z2-7]{26})$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * The word that is written into a native job so that it can be found again: `yd<federation>-<26 base32 characters>`, the
 * 128 bits of the run's UUID in the lower-case alphabet of RFC 4648 without padding. It needs no quoting anywhere.
 */
export function markerOf(federation: string, runId: string): string {
  const uuid = runId.toLowerCase();
  if (!FEDERATION.test(federation))
    throw new RangeError(`'${federation}' is not a federation code of four characters a–z2–7`);
  if (!UUID.test(uuid)) throw new RangeError(`'${runId}' is not a UUID`);
  return `yd${federation}-${encode(BigInt(`0x${uuid.replaceAll('-', '')}`))}`;
}

/** The federation and run of a marker; null for every other text, however similar. */
export function parseMarker(text: string): { federation: string; runId: string } | null {
  const match = MARKER.exec(text);
  if (!match) return null;
  const bits = decode(match[2]!);
  return bits === null ? null : { federation: match[1]!, runId: uuidOf(bits) };
}

/** 26 characters hold 130 bits: the last two are zero. */
function encode(bits: bigint): string {
  let rest = bits << 2n;
  let text = '';
  for (let at = 0; at < 26; at += 1) {
    text = ALPHABET[Number(rest & 31n)] + text;
    rest >>= 5n;
  }
  return text;
}

function decode(text: string): bigint | null {
  let bits = 0n;
  for (const character of text) bits = (bits << 5n) | BigInt(ALPHABET.indexOf(character));
  return (bits & 3n) === 0n ? bits >> 2n : null;
}

function uuidOf(bits: bigint): string {
  const hex = bits.toString(16).padStart(32, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
