// Keys that are made are what was asked for, by arithmetic written out here; and however many are asked for, few RSA keys are made at a time.
import { checkPrimeSync, createECDH, createPrivateKey, createPublicKey, generateKeyPair, generateKeyPairSync, type JsonWebKey, sign, verify } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type KeyMaterial, keyMaterial } from '../../shared/adapters/keyMaterial';
import type { Curve, KeySpec, PublicParts } from '../../shared/domain/keySpec';
import { type Ending, endingOfAsync } from './support/refusals';

type RsaSpec = Extract<KeySpec, { kty: 'RSA-HSM' }>;
type Parts<K extends KeySpec['kty']> = Extract<PublicParts, { kty: K }>;

const material = keyMaterial({});
afterAll(() => material.close());

const number = (text: string | undefined): bigint => BigInt(`0x${Buffer.from(text ?? '', 'base64url').toString('hex')}`);
const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));
const privateJwk = ({ secret }: KeyMaterial): JsonWebKey => createPrivateKey({ key: secret, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' });

test.each<RsaSpec>([
  { kty: 'RSA-HSM', bits: 2048, publicExponent: 65_537 },
  { kty: 'RSA-HSM', bits: 2048, publicExponent: 3 },
  { kty: 'RSA-HSM', bits: 2048, publicExponent: 17 },
  { kty: 'RSA-HSM', bits: 2048, publicExponent: 2_147_483_647 },
  { kty: 'RSA-HSM', bits: 2048, publicExponent: 111_546_435 },
  { kty: 'RSA-HSM', bits: 3072, publicExponent: 65_537 },
  { kty: 'RSA-HSM', bits: 4096, publicExponent: 65_537 },
])(
  'RSA of $bits bits with exponent $publicExponent',
  async (spec) => {
    const made = await material.generate(spec);
    const parts = made.publicParts as Parts<'RSA-HSM'>;
    const jwk = privateJwk(made);
    const [n, e, d, p, q] = [number(parts.n), number(parts.e), number(jwk.d), number(jwk.p), number(jwk.q)];
    expect(Object.keys(parts).sort()).toEqual(['e', 'kty', 'n']);
    expect(n.toString(2).length).toBe(spec.bits);
    expect(e).toBe(BigInt(spec.publicExponent));
    expect(p * q).toBe(n);
    expect([checkPrimeSync(p), checkPrimeSync(q), p === q]).toEqual([true, true, false]);
    expect((e * d) % (((p - 1n) * (q - 1n)) / gcd(p - 1n, q - 1n))).toBe(1n);
    expect([number(jwk.dp), number(jwk.dq), (number(jwk.qi) * q) % p]).toEqual([d % (p - 1n), d % (q - 1n), 1n]);
    const signature = sign('sha256', Buffer.from('message'), createPrivateKey({ key: made.secret, format: 'der', type: 'pkcs8' }));
    const publicKey = createPublicKey({ key: { kty: 'RSA', n: parts.n, e: parts.e }, format: 'jwk' });
    expect([verify('sha256', Buffer.from('message'), publicKey, signature), verify('sha256', Buffer.from('massage'), publicKey, signature)]).toEqual([true, false]);
  },
  120_000,
);

/** y² = x³ + a x + b modulo p, as SEC 2 and FIPS 186 print them. */
const curves: Readonly<Record<Curve, { readonly p: bigint; readonly a: bigint; readonly b: bigint; readonly bytes: number; readonly openssl: string }>> = {
  'P-256': {
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    a: -3n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
    bytes: 32,
    openssl: 'prime256v1',
  },
  'P-256K': { p: 2n ** 256n - 2n ** 32n - 977n, a: 0n, b: 7n, bytes: 32, openssl: 'secp256k1' },
  'P-384': {
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    a: -3n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
    bytes: 48,
    openssl: 'secp384r1',
  },
  'P-521': {
    p: 2n ** 521n - 1n,
    a: -3n,
    b: 0x051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
    bytes: 66,
    openssl: 'secp521r1',
  },
};

test.each(Object.keys(curves) as Curve[])('EC on %s: a point of that curve in full length, and the private part is its own', async (crv) => {
  const { p, a, b, bytes, openssl } = curves[crv];
  // Some coordinates begin with zero bytes; they must not lose them.
  for (const made of await Promise.all(Array.from({ length: 40 }, () => material.generate({ kty: 'EC-HSM', crv })))) {
    const parts = made.publicParts as Parts<'EC-HSM'>;
    const [x, y] = [number(parts.x), number(parts.y)];
    expect(Object.keys(parts).sort()).toEqual(['crv', 'kty', 'x', 'y']);
    expect(parts.crv).toBe(crv);
    expect([Buffer.from(parts.x, 'base64url').length, Buffer.from(parts.y, 'base64url').length]).toEqual([bytes, bytes]);
    expect((y * y - x * x * x - a * x - b) % p).toBe(0n);
    const key = createPrivateKey({ key: made.secret, format: 'der', type: 'pkcs8' });
    expect(key.asymmetricKeyDetails).toEqual({ namedCurve: openssl });
    const own = createECDH(openssl);
    own.setPrivateKey(Buffer.from(privateJwk(made).d ?? '', 'base64url'));
    expect(own.getPublicKey('hex')).toBe(`04${Buffer.concat([Buffer.from(parts.x, 'base64url'), Buffer.from(parts.y, 'base64url')]).toString('hex')}`);
  }
});

test('oct keys are random bytes of their size, and have no public part', async () => {
  for (const bits of [128, 192, 256] as const) {
    const [one, other] = [await material.generate({ kty: 'oct-HSM', bits }), await material.generate({ kty: 'oct-HSM', bits })];
    expect(one.publicParts).toEqual({ kty: 'oct-HSM' });
    expect([one.secret.length, other.secret.length, one.secret.equals(other.secret)]).toEqual([bits / 8, bits / 8, false]);
  }
});

test('no two keys are alike', async () => {
  const made = await Promise.all(Array.from({ length: 50 }, () => material.generate({ kty: 'EC-HSM', crv: 'P-256' })));
  expect(new Set(made.map(({ publicParts }) => (publicParts as Parts<'EC-HSM'>).x)).size).toBe(50);
});

const rsa: RsaSpec = { kty: 'RSA-HSM', bits: 2048, publicExponent: 65_537 };
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A maker of RSA keys that ends each only when told to, and counts. */
function heldMaker() {
  const held: (() => void)[] = [];
  const seen = { begun: 0, running: 0, runningMax: 0 };
  return {
    seen,
    rsaPair: async () => {
      seen.begun += 1;
      seen.running += 1;
      seen.runningMax = Math.max(seen.runningMax, seen.running);
      await new Promise<void>((resolve) => held.push(resolve));
      seen.running -= 1;
      return pair;
    },
    async endOne(): Promise<void> {
      held.shift()?.();
      await settled();
    },
  };
}

test('two RSA keys are made at a time, sixteen wait, the next is told to come back; a place that is free again is given again', async () => {
  const maker = heldMaker();
  const { generate } = keyMaterial({ rsaPair: maker.rsaPair });
  const ends: Promise<Ending>[] = [];
  const ask = () => ends.push(endingOfAsync(() => generate(rsa)));

  for (let i = 0; i < 18; i += 1) ask();
  await settled();
  expect(maker.seen).toEqual({ begun: 2, running: 2, runningMax: 2 });

  await expect(generate(rsa)).rejects.toMatchObject({ error: 'Throttled', status: 429, retryAfterSeconds: 5 });
  // Nor do curves and bytes stand in this queue.
  expect((await generate({ kty: 'EC-HSM', crv: 'P-256' })).secret.length).toBeGreaterThan(0);
  expect((await generate({ kty: 'oct-HSM', bits: 256 })).secret.length).toBe(32);

  await maker.endOne();
  ask();
  await settled();
  expect(await endingOfAsync(() => generate(rsa))).toBe('Throttled');

  for (let i = 0; i < 18; i += 1) await maker.endOne();
  expect(await Promise.all(ends)).toEqual(Array(19).fill('accepted'));
  expect(maker.seen).toEqual({ begun: 19, running: 0, runningMax: 2 });
});

test('control: the counter sees more where more is allowed', async () => {
  const maker = heldMaker();
  const { generate } = keyMaterial({ rsaPair: maker.rsaPair, rsaAtOnceMax: 3 });
  const ends = Array.from({ length: 5 }, () => endingOfAsync(() => generate(rsa)));
  await settled();
  for (let i = 0; i < 5; i += 1) await maker.endOne();
  expect(await Promise.all(ends)).toEqual(Array(5).fill('accepted'));
  expect(maker.seen.runningMax).toBe(3);
});

test('who waited longest is next, and nobody who comes as a place falls free takes it', async () => {
  const maker = heldMaker();
  const { generate } = keyMaterial({ rsaPair: maker.rsaPair, rsaAtOnceMax: 1 });
  const order: string[] = [];
  const ask = (name: string) => generate(rsa).then(() => order.push(name));
  const all = [ask('first'), ask('second'), ask('third')];
  await settled();
  await Promise.all([maker.endOne(), all[0]?.then(() => all.push(ask('fourth')))]);
  expect(maker.seen.runningMax).toBe(1);
  for (let i = 0; i < 3; i += 1) await maker.endOne();
  await Promise.all(all);
  expect(order).toEqual(['first', 'second', 'third', 'fourth']);
  expect(maker.seen.runningMax).toBe(1);
});

test('a failure says nothing of the library, and gives its place back', async () => {
  let fail = true;
  const { generate } = keyMaterial({
    rsaAtOnceMax: 1,
    rsaWaitingMax: 0,
    rsaPair: async () => {
      if (fail) throw new Error('error:0200007B:rsa routines::invalid keypair d=1234');
      return pair;
    },
  });
  await expect(generate(rsa)).rejects.toThrow(/^key material: no key could be made$/);
  fail = false;
  expect(await endingOfAsync(() => generate(rsa))).toBe('accepted');
});

test('files are read while RSA keys are made, and real ones are made two at a time', async () => {
  const seen = { running: 0, runningMax: 0, ended: 0 };
  const real = promisify(generateKeyPair);
  const { generate } = keyMaterial({
    rsaPair: async ({ bits, publicExponent }) => {
      seen.running += 1;
      seen.runningMax = Math.max(seen.runningMax, seen.running);
      const made = await real('rsa', { modulusLength: bits, publicExponent });
      seen.running -= 1;
      seen.ended += 1;
      return made;
    },
  });
  const all = Promise.all(Array.from({ length: 6 }, () => generate({ ...rsa, bits: 3072 })));
  for (let i = 0; i < 3; i += 1) await readFile(__filename);
  expect(seen.ended).toBeLessThan(6);
  await all;
  expect(seen).toEqual({ running: 0, runningMax: 2, ended: 6 });
}, 120_000);

test('closing turns away who waits, ends after what is being made, and lets nobody in', async () => {
  const maker = heldMaker();
  const { generate, close } = keyMaterial({ rsaPair: maker.rsaPair, rsaAtOnceMax: 1 });
  const ends = [endingOfAsync(() => generate(rsa)), endingOfAsync(() => generate(rsa))];
  await settled();
  let closed = false;
  const closing = close().then(() => {
    closed = true;
  });
  expect(await ends[1]).toBe('Unavailable');
  await settled();
  expect(closed).toBe(false);
  expect(await endingOfAsync(() => generate(rsa))).toBe('Unavailable');
  expect(await endingOfAsync(() => generate({ kty: 'oct-HSM', bits: 128 }))).toBe('Unavailable');
  await maker.endOne();
  await closing;
  expect(await ends[0]).toBe('accepted');
  expect(maker.seen.begun).toBe(1);
});

test('from the moment of closing no key is begun, not even by who has just been let in', async () => {
  const seconds: Ending[] = [];
  for (let delay = 0; delay < 10; delay += 1) {
    const maker = heldMaker();
    const { generate, close } = keyMaterial({ rsaPair: maker.rsaPair, rsaAtOnceMax: 1 });
    const [first, second] = [endingOfAsync(() => generate(rsa)), endingOfAsync(() => generate(rsa))];
    await settled();
    const ended = maker.endOne();
    for (let turn = 0; turn < delay; turn += 1) await undefined;
    const { begun } = maker.seen;
    const closing = close();
    await ended;
    await maker.endOne();
    await closing;
    expect(maker.seen).toMatchObject({ begun, running: 0 });
    expect(await first).toBe('accepted');
    seconds.push(await second);
  }
  // Both ends were met: closed before the second began, and after.
  expect(new Set(seconds)).toEqual(new Set(['Unavailable', 'accepted']));
});
