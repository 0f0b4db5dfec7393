// What a create may ask for, as a table: each refusal stands beside requests that are accepted and differ in one thing.
import type { KeySpec, KeySpecRequest } from '../../shared/domain/keySpec';
import { defaultKeyOps, keyOpsOf, keySpecOf, knownKeyOps, sizeOrCurveOf } from '../../shared/domain/keySpec';
import { endingOf, messageOf } from './support/refusals';

const rsa = (bits: 2048 | 3072 | 4096, publicExponent = 65_537): KeySpec => ({ kty: 'RSA-HSM', bits, publicExponent });

test.each<[request: KeySpecRequest, spec: KeySpec, sizeOrCurve: string]>([
  [{ kty: 'RSA' }, rsa(2048), '2048'],
  [{ kty: 'RSA-HSM' }, rsa(2048), '2048'],
  [{ kty: 'RSA-HSM', keySize: 2048 }, rsa(2048), '2048'],
  [{ kty: 'RSA-HSM', keySize: 3072 }, rsa(3072), '3072'],
  [{ kty: 'RSA', keySize: 4096 }, rsa(4096), '4096'],
  [{ kty: 'RSA-HSM', publicExponent: 3 }, rsa(2048, 3), '2048'],
  [{ kty: 'RSA-HSM', publicExponent: 17 }, rsa(2048, 17), '2048'],
  [{ kty: 'RSA-HSM', publicExponent: 2_147_483_647 }, rsa(2048, 2_147_483_647), '2048'],
  [{ kty: 'EC' }, { kty: 'EC-HSM', crv: 'P-256' }, 'P-256'],
  [{ kty: 'EC-HSM' }, { kty: 'EC-HSM', crv: 'P-256' }, 'P-256'],
  [{ kty: 'EC-HSM', crv: 'P-256' }, { kty: 'EC-HSM', crv: 'P-256' }, 'P-256'],
  [{ kty: 'EC-HSM', crv: 'P-256K' }, { kty: 'EC-HSM', crv: 'P-256K' }, 'P-256K'],
  [{ kty: 'EC', crv: 'P-384' }, { kty: 'EC-HSM', crv: 'P-384' }, 'P-384'],
  [{ kty: 'EC-HSM', crv: 'P-521' }, { kty: 'EC-HSM', crv: 'P-521' }, 'P-521'],
  [{ kty: 'oct' }, { kty: 'oct-HSM', bits: 256 }, '256'],
  [{ kty: 'oct-HSM' }, { kty: 'oct-HSM', bits: 256 }, '256'],
  [{ kty: 'oct-HSM', keySize: 128 }, { kty: 'oct-HSM', bits: 128 }, '128'],
  [{ kty: 'oct-HSM', keySize: 192 }, { kty: 'oct-HSM', bits: 192 }, '192'],
  [{ kty: 'oct', keySize: 256 }, { kty: 'oct-HSM', bits: 256 }, '256'],
  [{ kty: 'RSA', keySize: undefined, crv: undefined, publicExponent: undefined }, rsa(2048), '2048'],
])('%j is %j, held to %s', (request, spec, sizeOrCurve) => {
  expect(keySpecOf(request)).toEqual(spec);
  expect(sizeOrCurveOf(spec)).toBe(sizeOrCurve);
});

test.each<[request: KeySpecRequest, says: string]>([
  [{ kty: '' }, 'kty'],
  [{ kty: 'rsa' }, 'kty'],
  [{ kty: 'RSA-HSM ' }, 'kty'],
  [{ kty: 'OKP' }, 'kty'],
  [{ kty: '__proto__' }, 'kty'],
  [{ kty: 'constructor' }, 'kty'],
  [{ kty: 'RSA-HSM', keySize: 1024 }, 'key_size'],
  [{ kty: 'RSA-HSM', keySize: 2049 }, 'key_size'],
  [{ kty: 'RSA-HSM', keySize: 8192 }, 'key_size'],
  [{ kty: 'RSA-HSM', keySize: 0 }, 'key_size'],
  [{ kty: 'RSA-HSM', keySize: -2048 }, 'key_size'],
  [{ kty: 'RSA-HSM', keySize: Number.NaN }, 'key_size'],
  [{ kty: 'RSA-HSM', keySize: 1e300 }, 'key_size'],
  [{ kty: 'RSA-HSM', keySize: 256 }, 'key_size'],
  [{ kty: 'RSA-HSM', crv: 'P-256' }, 'crv'],
  [{ kty: 'RSA-HSM', publicExponent: 1 }, 'public_exponent'],
  [{ kty: 'RSA-HSM', publicExponent: 0 }, 'public_exponent'],
  [{ kty: 'RSA-HSM', publicExponent: -3 }, 'public_exponent'],
  [{ kty: 'RSA-HSM', publicExponent: 65_536 }, 'public_exponent'],
  [{ kty: 'RSA-HSM', publicExponent: 65_537.5 }, 'public_exponent'],
  [{ kty: 'RSA-HSM', publicExponent: 2_147_483_649 }, 'public_exponent'],
  [{ kty: 'RSA-HSM', publicExponent: Number.POSITIVE_INFINITY }, 'public_exponent'],
  [{ kty: 'EC-HSM', crv: 'P-192' }, 'crv'],
  [{ kty: 'EC-HSM', crv: 'p-256' }, 'crv'],
  [{ kty: 'EC-HSM', crv: 'secp256k1' }, 'crv'],
  [{ kty: 'EC-HSM', crv: '' }, 'crv'],
  [{ kty: 'EC-HSM', keySize: 256 }, 'key_size'],
  [{ kty: 'EC-HSM', publicExponent: 65_537 }, 'public_exponent'],
  [{ kty: 'oct-HSM', keySize: 512 }, 'key_size'],
  [{ kty: 'oct-HSM', keySize: 2048 }, 'key_size'],
  [{ kty: 'oct-HSM', crv: 'P-256' }, 'crv'],
  [{ kty: 'oct-HSM', publicExponent: 65_537 }, 'public_exponent'],
])('%j is refused, naming %s', (request, says) => {
  expect(endingOf(() => keySpecOf(request))).toBe('BadParameter');
  expect(messageOf(() => keySpecOf(request))).toContain(says);
});

test('what a caller sends does not come back in a refusal', () => {
  expect(messageOf(() => keySpecOf({ kty: 'x'.repeat(100_000) })).length).toBeLessThan(200);
  expect(messageOf(() => keySpecOf({ kty: 'EC', crv: 'x'.repeat(100_000) })).length).toBeLessThan(200);
});

test('the operations of a key whose request names none are those of the service', () => {
  expect(defaultKeyOps('RSA-HSM')).toEqual(['wrapKey', 'decrypt', 'encrypt', 'unwrapKey', 'sign', 'verify']);
  expect(defaultKeyOps('EC-HSM')).toEqual(['verify', 'deriveKey', 'sign']);
  expect(defaultKeyOps('oct-HSM')).toEqual(['sign', 'verify', 'wrapKey', 'unwrapKey', 'encrypt', 'decrypt', 'deriveKey']);
  expect([...knownKeyOps].sort()).toEqual(['decrypt', 'deriveKey', 'encrypt', 'export', 'import', 'sign', 'unwrapKey', 'verify', 'wrapKey']);
});

test.each(['RSA-HSM', 'EC-HSM', 'oct-HSM'] as const)('%s: no operations asked for, and an empty list, are its own', (kty) => {
  expect(keyOpsOf(kty, undefined)).toEqual(defaultKeyOps(kty));
  expect(keyOpsOf(kty, [])).toEqual(defaultKeyOps(kty));
  expect(keyOpsOf(kty, defaultKeyOps(kty))).toEqual(defaultKeyOps(kty));
});

test('operations are kept as asked for, each once', () => {
  expect(keyOpsOf('RSA-HSM', ['verify', 'sign', 'verify'])).toEqual(['verify', 'sign']);
  expect(keyOpsOf('RSA-HSM', ['import'])).toEqual(['import']);
  expect(keyOpsOf('EC-HSM', ['sign', 'export'])).toEqual(['sign', 'export']);
});

test.each<[kty: 'RSA-HSM' | 'EC-HSM' | 'oct-HSM', asked: readonly string[]]>([
  ['RSA-HSM', ['sign', 'juggle']],
  ['RSA-HSM', ['Sign']],
  ['RSA-HSM', ['']],
  ['RSA-HSM', ['__proto__']],
  ['RSA-HSM', ['deriveKey']],
  ['EC-HSM', ['sign', 'encrypt']],
  ['EC-HSM', ['wrapKey']],
])('%s: operations %j are refused', (kty, asked) => {
  expect(endingOf(() => keyOpsOf(kty, asked))).toBe('BadParameter');
  expect(endingOf(() => keyOpsOf(kty, ['sign']))).toBe('accepted');
});
