// What keeps private parts secret at rest: root key -> sealing key of the HSM -> data key of the key -> private part of a version. Whoever removes the
// row that holds a wrapped key has shredded all below it. Where the blobs are stored, and when they are removed, is decided elsewhere.
import { createHash, randomBytes } from 'node:crypto';
import type { HsmSeal, KeySeal, VersionSeal } from '../ports';
import { cannotOpen, decrypted, encrypted, type Facts, KEY_BYTES } from './aesGcm';
import type { RootKey } from './rootKey';

const SEALING_KEY_FORMAT = 'sealing-key-1';
const DATA_KEY_FORMAT = 'data-key-1';
const VERSION_FORMAT = 'version-1';

/** What is promised is five minutes; the rest is for clocks that read whole seconds and timers that are late. */
const CACHE_SECONDS = 290;
const CACHE_ENTRIES_MAX = 1_000;

export function sealing(rootKey: RootKey, options: { now(): number; cacheEntriesMax?: number }) {
  const { now, cacheEntriesMax = CACHE_ENTRIES_MAX } = options;
  const sealingKeys = keyCache(now, cacheEntriesMax);
  const dataKeys = keyCache(now, cacheEntriesMax);

  /** The caller's own copy, to be cleared by him. */
  async function sealingKeyOf({ hsm, incarnation, wrappedSealingKey }: HsmSeal): Promise<Buffer> {
    // By incarnation and blob; the name is there as well, because a hit must not pass by the check that a miss makes.
    const place = JSON.stringify([incarnation, wrappedSealingKey, hsm]);
    const cached = sealingKeys.copyOf(place);
    if (cached) return cached;
    const facts = hsmFacts({ hsm, incarnation });
    const content = await rootKey.unwrap(wrappedSealingKey, facts);
    try {
      const key = content.subarray(-KEY_BYTES);
      if (content.length !== facts.length + KEY_BYTES || !content.subarray(0, facts.length).equals(facts)) throw cannotOpen();
      sealingKeys.keep(place, key);
      return Buffer.from(key);
    } finally {
      content.fill(0);
    }
  }

  /** The caller's own copy, to be cleared by him. */
  async function dataKeyOf(hsm: HsmSeal, { incarnation, wrappedDataKey }: KeySeal): Promise<Buffer> {
    const place = JSON.stringify([incarnation, wrappedDataKey, hsm.incarnation, hsm.wrappedSealingKey, hsm.hsm]);
    const cached = dataKeys.copyOf(place);
    if (cached) return cached;
    const key = await using(await sealingKeyOf(hsm), (sealingKey) => decrypted(sealingKey, DATA_KEY_FORMAT, [hsm.incarnation, incarnation], wrappedDataKey));
    if (key.length !== KEY_BYTES) throw cannotOpen();
    dataKeys.keep(place, key);
    return key;
  }

  return {
    /** A new sealing key, wrapped, for the record of a new HSM. @throws what the root key throws */
    newSealingKey: (hsm: { readonly hsm: string; readonly incarnation: string }): Promise<string> => {
      const facts = hsmFacts(hsm);
      return using(Buffer.concat([facts, randomBytes(KEY_BYTES)]), (content) => rootKey.wrap(content, facts));
    },

    /** A new data key, wrapped, for the record of a new key. @throws Error if the HSM's sealing key does not open */
    newDataKey: async (hsm: HsmSeal, keyIncarnation: string): Promise<string> =>
      using(await sealingKeyOf(hsm), (sealingKey) => using(randomBytes(KEY_BYTES), (key) => encrypted(sealingKey, DATA_KEY_FORMAT, [hsm.incarnation, keyIncarnation], key))),

    /** The private part of a version as a text to be stored. The caller keeps `secret`, and clears it. @throws Error if a key above does not open */
    seal: async (hsm: HsmSeal, key: KeySeal, version: VersionSeal, secret: Buffer): Promise<string> =>
      using(await dataKeyOf(hsm, key), (dataKey) => encrypted(dataKey, VERSION_FORMAT, versionFacts(hsm, key, version), secret)),

    /**
     * The private part of a version; the caller owns the bytes, and clears them. To be called with records that were read for this very request: the
     * look-up in the cache comes after that read.
     * @throws Error('seal: cannot open') if anything differs from what it was sealed with; what the root key throws
     */
    open: async (hsm: HsmSeal, key: KeySeal, version: VersionSeal, blob: string): Promise<Buffer> =>
      using(await dataKeyOf(hsm, key), (dataKey) => decrypted(dataKey, VERSION_FORMAT, versionFacts(hsm, key, version), blob)),

    /** Clears every unwrapped key that is held. */
    forget(): void {
      sealingKeys.clear();
      dataKeys.clear();
    },
  };
}

/** Stands in front of the sealing key itself, inside the wrapping: not every root key can bind a blob to something outside it. Hashed, to be short. */
const hsmFacts = ({ hsm, incarnation }: { readonly hsm: string; readonly incarnation: string }): Buffer =>
  createHash('sha256')
    .update(JSON.stringify([SEALING_KEY_FORMAT, hsm, incarnation]))
    .digest();

const versionFacts = (hsm: HsmSeal, key: KeySeal, { version, kty, sizeOrCurve, exportable, releasePolicyHash }: VersionSeal): Facts => [
  hsm.incarnation,
  key.incarnation,
  version,
  kty,
  sizeOrCurve,
  exportable,
  releasePolicyHash ?? null,
];

/** Gives a key to its use, and clears it afterwards. */
async function using<T>(key: Buffer, use: (key: Buffer) => T | Promise<T>): Promise<T> {
  try {
    return await use(key);
  } finally {
    key.fill(0);
  }
}

/**
 * Unwrapped keys for some minutes, by the text that the wrapped ones are known by. Copies go in and out: what is held here is cleared the moment it
 * leaves, and whoever is using a key must not find it all zero.
 */
function keyCache(now: () => number, entriesMax: number) {
  // In the order of their arrival, the oldest first.
  const entries = new Map<string, { readonly key: Buffer; readonly since: number }>();
  let timer: NodeJS.Timeout | undefined;

  /** A clock that was set back makes everything old, never young. */
  const secondsLeft = (since: number): number => (now() < since ? 0 : since + CACHE_SECONDS - now());

  function evict(place: string): void {
    entries.get(place)?.key.fill(0);
    entries.delete(place);
  }

  function evictOld(): void {
    for (const [place, { since }] of entries) if (secondsLeft(since) <= 0) evict(place);
    watchOldest();
  }

  /** A key that nobody asks for again leaves in time as well. */
  function watchOldest(): void {
    clearTimeout(timer);
    const [oldest] = entries.values();
    if (oldest) timer = setTimeout(evictOld, secondsLeft(oldest.since) * 1000).unref();
  }

  return {
    copyOf(place: string): Buffer | undefined {
      const entry = entries.get(place);
      if (entry && secondsLeft(entry.since) > 0) return Buffer.from(entry.key);
      evict(place);
      return undefined;
    },
    keep(place: string, key: Buffer): void {
      evict(place);
      const [oldest] = entries.keys();
      if (oldest !== undefined && entries.size >= entriesMax) evict(oldest);
      entries.set(place, { key: Buffer.from(key), since: now() });
      watchOldest();
    },
    clear(): void {
      for (const place of [...entries.keys()]) evict(place);
      clearTimeout(timer);
    },
  };
}
