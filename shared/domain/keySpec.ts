// What a key can be: its types, sizes, curves and operations, one row per type. What a create may ask for is read against these rows; making keys and
// deciding about them is elsewhere.
import { refuse } from './errors';

/** The smallest and largest that a create may ask for: clients make keys with 3 and 17 at the real service, and its document says int32. */
const PUBLIC_EXPONENT_MIN = 3;
const PUBLIC_EXPONENT_MAX = 2 ** 31 - 1;
const PUBLIC_EXPONENT_DEFAULT = 65_537;

const curves = ['P-256', 'P-256K', 'P-384', 'P-521'] as const;
const rsaBits = [2048, 3072, 4096] as const;
const octBits = [128, 192, 256] as const;

export type Curve = (typeof curves)[number];

/** What shall be made, every default filled in. */
export type KeySpec =
  | { readonly kty: 'RSA-HSM'; readonly bits: (typeof rsaBits)[number]; readonly publicExponent: number }
  | { readonly kty: 'EC-HSM'; readonly crv: Curve }
  | { readonly kty: 'oct-HSM'; readonly bits: (typeof octBits)[number] };

export type KeyType = KeySpec['kty'];

/** What anyone may see of a key: base64url without padding; coordinates have the full length of their curve. */
export type PublicParts =
  | { readonly kty: 'RSA-HSM'; readonly n: string; readonly e: string }
  | { readonly kty: 'EC-HSM'; readonly crv: Curve; readonly x: string; readonly y: string }
  | { readonly kty: 'oct-HSM' };

/** What a request body says; a member that it leaves out is not there. Types are checked by the reader, values here. */
export type KeySpecRequest = {
  readonly kty: string;
  readonly keySize?: number | undefined;
  readonly crv?: string | undefined;
  readonly publicExponent?: number | undefined;
};

/** The types as requests name them, and what they are stored and answered as: every key lives in the HSM. */
const typeNames: ReadonlyMap<string, KeyType> = new Map([
  ['RSA', 'RSA-HSM'],
  ['RSA-HSM', 'RSA-HSM'],
  ['EC', 'EC-HSM'],
  ['EC-HSM', 'EC-HSM'],
  ['oct', 'oct-HSM'],
  ['oct-HSM', 'oct-HSM'],
]);

/** `default` is what a key gets whose request names none; `allowed` is what one may name, `import` and `export` included. */
const operations = {
  'RSA-HSM': {
    default: ['wrapKey', 'decrypt', 'encrypt', 'unwrapKey', 'sign', 'verify'],
    allowed: ['wrapKey', 'decrypt', 'encrypt', 'unwrapKey', 'sign', 'verify', 'import', 'export'],
  },
  'EC-HSM': { default: ['verify', 'deriveKey', 'sign'], allowed: ['verify', 'deriveKey', 'sign', 'import', 'export'] },
  'oct-HSM': {
    default: ['sign', 'verify', 'wrapKey', 'unwrapKey', 'encrypt', 'decrypt', 'deriveKey'],
    allowed: ['sign', 'verify', 'wrapKey', 'unwrapKey', 'encrypt', 'decrypt', 'deriveKey', 'import', 'export'],
  },
} as const satisfies Record<KeyType, { readonly default: readonly string[]; readonly allowed: readonly string[] }>;

/** Every operation that `key_ops` can name, whatever the type. */
export const knownKeyOps: readonly string[] = [...new Set(Object.values(operations).flatMap(({ allowed }) => allowed))];

/** What a key of this type may do if its request names no operation. */
export const defaultKeyOps = (kty: KeyType): readonly string[] => operations[kty].default;

/**
 * The operations of a key: those asked for, each once, in the order of the request; the type's own if none is.
 * @throws BadParameter for one that is unknown, or that keys of this type do not have
 */
export function keyOpsOf(kty: KeyType, asked: readonly string[] | undefined): readonly string[] {
  if (!asked?.length) return defaultKeyOps(kty);
  const allowed: readonly string[] = operations[kty].allowed;
  if (asked.some((operation) => !knownKeyOps.includes(operation))) throw bad(`key_ops has an unknown operation. Known are ${knownKeyOps.join(', ')}.`);
  if (asked.some((operation) => !allowed.includes(operation))) throw bad(`key_ops of a key of type ${kty} may name ${allowed.join(', ')}.`);
  return [...new Set(asked)];
}

/**
 * What a create asks for. Types and curves are matched by case; RSA has 2048 bits, EC is on P-256 and oct has 256 bits if the request does not say.
 * @throws BadParameter for values that are not offered, and for a member that keys of that type do not have
 */
export function keySpecOf(request: KeySpecRequest): KeySpec {
  const kty = typeNames.get(request.kty);
  if (!kty) throw bad(`The key type (kty) is not supported. It must be one of ${[...typeNames.keys()].join(', ')}.`);
  if (kty !== 'EC-HSM' && request.crv !== undefined) throw bad(`A key of type ${kty} has no curve (crv).`);
  if (kty !== 'RSA-HSM' && request.publicExponent !== undefined) throw bad(`A key of type ${kty} has no public_exponent.`);
  switch (kty) {
    case 'RSA-HSM':
      return { kty, bits: oneOf(rsaBits, request.keySize ?? 2048, 'key_size'), publicExponent: publicExponentOf(request.publicExponent) };
    case 'EC-HSM':
      if (request.keySize !== undefined) throw bad('A key of type EC-HSM has a curve (crv) and no key_size.');
      return { kty, crv: oneOf(curves, request.crv ?? 'P-256', 'curve (crv)') };
    case 'oct-HSM':
      return { kty, bits: oneOf(octBits, request.keySize ?? 256, 'key_size') };
  }
}

/** The size in bits, or the curve, as one text: what a sealed key is held to. */
export const sizeOrCurveOf = (spec: KeySpec): string => (spec.kty === 'EC-HSM' ? spec.crv : String(spec.bits));

const bad = (reason: string) => refuse('BadParameter', { reason });

function oneOf<T extends string | number>(offered: readonly T[], asked: unknown, member: string): T {
  const value = offered.find((one) => one === asked);
  if (value === undefined) throw bad(`The ${member} is not supported. It must be one of ${offered.join(', ')}.`);
  return value;
}

function publicExponentOf(asked = PUBLIC_EXPONENT_DEFAULT): number {
  if (Number.isInteger(asked) && asked >= PUBLIC_EXPONENT_MIN && asked <= PUBLIC_EXPONENT_MAX && asked % 2 === 1) return asked;
  throw bad(`The public_exponent must be an odd number from ${PUBLIC_EXPONENT_MIN} to ${PUBLIC_EXPONENT_MAX}.`);
}
