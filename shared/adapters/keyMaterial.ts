// Makes keys: random bytes, points on curves, RSA moduli. RSA takes seconds of a processor, in the thread pool that file and network access share:
// a bounded number is made at a time, a bounded number waits, more is refused.
import { generateKeyPair, type KeyObject, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { refuse } from '../domain/errors';
import type { Curve, KeySpec, PublicParts } from '../domain/keySpec';

/** Of the pool's four threads: two stay free for files and names of hosts. */
const RSA_AT_ONCE_MAX = 2;
/** The last of these waits some ten seconds, if all are RSA-4096: less than any client's patience. */
const RSA_WAITING_MAX = 16;

type RsaSpec = Extract<KeySpec, { kty: 'RSA-HSM' }>;
type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
type Options = {
  readonly rsaAtOnceMax?: number;
  readonly rsaWaitingMax?: number;
  readonly rsaPair?: (spec: RsaSpec) => Promise<Pair>;
};

/** `secret` is PKCS#8 DER, or the bytes of an oct key. The caller owns it, and clears it. */
export type KeyMaterial = { readonly publicParts: PublicParts; readonly secret: Buffer };

const pairOf = promisify(generateKeyPair);

/** As OpenSSL names the curves. */
const namedCurves = { 'P-256': 'P-256', 'P-256K': 'secp256k1', 'P-384': 'P-384', 'P-521': 'P-521' } as const satisfies Record<Curve, string>;

export function keyMaterial(options: Options = {}) {
  const { rsaAtOnceMax = RSA_AT_ONCE_MAX, rsaWaitingMax = RSA_WAITING_MAX, rsaPair = generateRsaPair } = options;
  const turns = turnstile(rsaAtOnceMax, rsaWaitingMax);

  return {
    /** @throws Throttled when too many RSA keys are being made; Unavailable once closed */
    async generate(spec: KeySpec): Promise<KeyMaterial> {
      if (turns.isClosed()) throw refuse('Unavailable');
      switch (spec.kty) {
        case 'RSA-HSM':
          return rsaMaterial(await turns.take(() => rsaPair(spec).catch(failed)));
        case 'EC-HSM':
          return ecMaterial(spec.crv, await pairOf('ec', { namedCurve: namedCurves[spec.crv] }).catch(failed));
        case 'oct-HSM':
          return { publicParts: { kty: 'oct-HSM' }, secret: randomBytes(spec.bits / 8) };
      }
    },
    /** Refuses who waits, and ends when what is being made has been made: that cannot be interrupted. */
    close: turns.close,
  };
}

/** What OpenSSL says of a failure goes nowhere. */
function failed(): never {
  throw new Error('key material: no key could be made');
}

const generateRsaPair = ({ bits, publicExponent }: RsaSpec): Promise<Pair> => pairOf('rsa', { modulusLength: bits, publicExponent });

function rsaMaterial({ publicKey, privateKey }: Pair): KeyMaterial {
  const { n, e } = publicKey.export({ format: 'jwk' });
  if (n === undefined || e === undefined) failed();
  return { publicParts: { kty: 'RSA-HSM', n, e }, secret: pkcs8(privateKey) };
}

function ecMaterial(crv: Curve, { publicKey, privateKey }: Pair): KeyMaterial {
  const { x, y } = publicKey.export({ format: 'jwk' });
  if (x === undefined || y === undefined) failed();
  return { publicParts: { kty: 'EC-HSM', crv, x, y }, secret: pkcs8(privateKey) };
}

const pkcs8 = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'pkcs8' });

/** Lets `atOnceMax` pieces of work run; `waitingMax` more wait their turn, first come first served. */
function turnstile(atOnceMax: number, waitingMax: number) {
  const waiting: { readonly enter: () => void; readonly turnAway: () => void }[] = [];
  const running = new Set<Promise<unknown>>();
  let inside = 0;
  let closed = false;

  /** @throws Throttled when the queue is full; Unavailable when it is closed meanwhile */
  async function enter(): Promise<void> {
    if (inside < atOnceMax) {
      inside += 1;
      return;
    }
    if (waiting.length >= waitingMax) throw refuse('Throttled');
    // Whoever leaves hands over his place, so that nobody who comes later takes it.
    await new Promise<void>((resolve, reject) => waiting.push({ enter: resolve, turnAway: () => reject(refuse('Unavailable')) }));
  }

  function leave(): void {
    const next = waiting.shift();
    if (next) next.enter();
    else inside -= 1;
  }

  return {
    isClosed: () => closed,
    async take<T>(work: () => Promise<T>): Promise<T> {
      await enter();
      const run = closed ? Promise.reject(refuse('Unavailable')) : work();
      running.add(run);
      try {
        return await run;
      } finally {
        running.delete(run);
        leave();
      }
    },
    async close(): Promise<void> {
      closed = true;
      for (const { turnAway } of waiting.splice(0)) turnAway();
      await Promise.allSettled(running);
    },
  };
}
