const NANOS = 1_000_000_000n;
/** Where apimachinery v0.34 cuts binary quantities (pkg/api/resource/quantity.go, ParseQuantity); decimal ones it does not. */
const LARGEST = (2n ** 63n - 1n) * NANOS;
const FORMAT = /^([+-]?)(?=\.?\d)(\d*)(?:\.(\d*))?(?:([eE])([+-]?\d+)|([numkMGTPE]|[KMGTPE]i))?$/;
const DECIMAL: { readonly [suffix: string]: number } = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const BINARY: { readonly [suffix: string]: bigint } = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };

/**
 * A resource quantity in billionths, exactly as the API server counts it: what is finer is rounded away from zero. `100m`, `1.5`, `2Gi`, `1e3` and `12E` are quantities; null for what is none.
 */
export function parseQuantity(text: string): bigint | null {
  const match = FORMAT.exec(text);
  if (!match) return null;
  const [, sign, whole = '', fraction = '', exponentMark, exponent = '', suffix = ''] = match;
  const digits = BigInt(whole + fraction);
  const power = exponentMark ? bounded(exponent) : (DECIMAL[suffix] ?? 0);
  const binary = BINARY[suffix];
  const value = scaled(digits << (binary ?? 0n), power - fraction.length + 9);
  const cut = binary !== undefined && value > LARGEST ? LARGEST : value;
  return sign === '-' ? -cut : cut;
}

type Round = 'up' | 'down';

/** Thousandths of a CPU, a million CPUs at most; up for what is asked for, down for what there is. Nothing, and what is no quantity, is 0. */
export function milli(text: string | undefined, round: Round): number {
  return Math.min(2 ** 30, whole(text, NANOS / 1000n, round));
}

/** Bytes, GPUs, pods. */
export function units(text: string | undefined, round: Round): number {
  return whole(text, NANOS, round);
}

/** A petabyte of bytes: sums of thousands of the largest are still whole Numbers, whatever somebody asks for. */
const MOST = 2 ** 50;

function whole(text: string | undefined, perUnit: bigint, round: Round): number {
  const nanos = text === undefined ? 0n : (parseQuantity(text) ?? 0n);
  if (nanos <= 0n) return 0;
  return Math.min(MOST, Number((round === 'up' ? nanos + perUnit - 1n : nanos) / perUnit));
}

/** No exponent that means anything is longer, and the number that it makes has to be kept. */
function bounded(exponent: string): number {
  return Math.max(-999, Math.min(999, Number(exponent)));
}

function scaled(digits: bigint, power: number): bigint {
  if (power >= 0) return digits * 10n ** BigInt(power);
  const divisor = 10n ** BigInt(-power);
  return (digits + divisor - 1n) / divisor;
}
