// What is sealed opens only as what it was sealed as: each fact changed in turn fails beside its accepted twin, rows cannot be moved, and unwrapped keys
// are cleared when they leave the cache.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decrypted, encrypted } from '../../shared/adapters/aesGcm';
import { fileRootKey, type RootKey } from '../../shared/adapters/rootKey';
import { sealing } from '../../shared/adapters/sealing';
import type { HsmSeal, KeySeal, VersionSeal } from '../../shared/ports';

const folder = mkdtempSync(join(tmpdir(), 'sealing-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const INCARNATION = '11111111-1111-4111-8111-111111111111';
const OTHER_INCARNATION = '22222222-2222-4222-8222-222222222222';
const KEY = '33333333-3333-4333-8333-333333333333';
const OTHER_KEY = '44444444-4444-4444-8444-444444444444';
const FIVE_MINUTES = 300;
const SECRET = Buffer.from('PKCS#8 of a key: thirty bytes or more of it');

const version: VersionSeal = { version: '0123456789abcdef0123456789abcdef', kty: 'RSA-HSM', sizeOrCurve: '2048', exportable: false, releasePolicyHash: undefined };

type Seals = ReturnType<typeof sealing>;
type World = { readonly hsm: HsmSeal; readonly key: KeySeal; readonly blob: string };

const endOf = (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => 'accepted',
    (error: Error) => error.message,
  );

async function newHsm(seals: Seals, hsm = 'contoso', incarnation = INCARNATION): Promise<HsmSeal> {
  return { hsm, incarnation, wrappedSealingKey: await seals.newSealingKey({ hsm, incarnation }) };
}

async function newWorld(seals: Seals, hsm?: HsmSeal, keyIncarnation = KEY): Promise<World> {
  const home = hsm ?? (await newHsm(seals));
  const key = { incarnation: keyIncarnation, wrappedDataKey: await seals.newDataKey(home, keyIncarnation) };
  return { hsm: home, key, blob: await seals.seal(home, key, version, SECRET) };
}

/** Wraps nothing and binds to nothing, and keeps what it was given: what holds under it holds by the layer below. */
function glassRootKey() {
  const contents: Buffer[] = [];
  const seen = { unwraps: 0 };
  const rootKey: RootKey = {
    id: 'glass',
    wrap: async (secret) => {
      contents.push(Buffer.from(secret));
      return `glass.${secret.toString('base64url')}`;
    },
    unwrap: async (blob) => {
      seen.unwraps += 1;
      return Buffer.from(blob.slice('glass.'.length), 'base64url');
    },
  };
  return { rootKey, seen, contents };
}

let time = 1_000_000;
const now = () => time;
let fileKey: RootKey;
beforeAll(async () => {
  fileKey = await fileRootKey(join(folder, 'root.key'), { isStoreEmpty: async () => true });
});

test('what was sealed opens, on this host and on another; two seals of one secret differ; the secret does not show', async () => {
  const [seals, otherHost] = [sealing(fileKey, { now }), sealing(fileKey, { now })];
  const { hsm, key, blob } = await newWorld(seals);
  expect(await seals.open(hsm, key, version, blob)).toEqual(SECRET);
  expect(await otherHost.open(hsm, key, version, blob)).toEqual(SECRET);
  expect(await seals.seal(hsm, key, version, SECRET)).not.toBe(blob);
  expect(blob).toMatch(/^version-1\.[\w-]+$/);
  expect(hsm.wrappedSealingKey.startsWith(`root-1.${fileKey.id}.`)).toBe(true);
  expect(Buffer.from(blob.slice('version-1.'.length), 'base64url').includes('PKCS')).toBe(false);
});

test.each([1, 16, 32, 2_400])('secrets of %i bytes go in and come out whole, and the caller keeps his own', async (length) => {
  const seals = sealing(fileKey, { now });
  const { hsm, key } = await newWorld(seals);
  const secret = randomBytes(length);
  const before = Buffer.from(secret);
  expect(await seals.open(hsm, key, version, await seals.seal(hsm, key, version, secret))).toEqual(before);
  expect(secret).toEqual(before);
});

test('nothing, and what is too large for a row, is not sealed', async () => {
  const seals = sealing(fileKey, { now });
  const { hsm, key } = await newWorld(seals);
  expect(await endOf(seals.seal(hsm, key, version, Buffer.alloc(0)))).toBe('seal: nothing to seal');
  expect(await endOf(seals.seal(hsm, key, version, Buffer.alloc(32 * 1024)))).toBe('seal: too large');
  expect(await endOf(seals.seal(hsm, key, version, Buffer.alloc(1)))).toBe('accepted');
});

const policyHash = createHash('sha256').update('policy').digest('hex');
const changes: readonly [fact: string, change: (hsm: HsmSeal, key: KeySeal, version: VersionSeal) => [HsmSeal, KeySeal, VersionSeal]][] = [
  ['name of the HSM', (h, k, v) => [{ ...h, hsm: 'fabrikam' }, k, v]],
  ['incarnation of the HSM', (h, k, v) => [{ ...h, incarnation: OTHER_INCARNATION }, k, v]],
  ['incarnation of the key', (h, k, v) => [h, { ...k, incarnation: OTHER_KEY }, v]],
  ['version', (h, k, v) => [h, k, { ...v, version: 'f'.repeat(32) }]],
  ['type', (h, k, v) => [h, k, { ...v, kty: 'oct-HSM' }]],
  ['size or curve', (h, k, v) => [h, k, { ...v, sizeOrCurve: '3072' }]],
  ['exportable', (h, k, v) => [h, k, { ...v, exportable: true }]],
  ['release policy', (h, k, v) => [h, k, { ...v, releasePolicyHash: policyHash }]],
  ['an empty release policy, where there is none', (h, k, v) => [h, k, { ...v, releasePolicyHash: '' }]],
  ['the border between two facts', (h, k, v) => [h, k, { ...v, kty: 'RSA-HS', sizeOrCurve: 'M2048' }]],
];

describe.each([
  ['on a host that has the keys in its cache', true],
  ['on a host that has just started', false],
])('%s', (_, warm) => {
  test.each(changes)('another %s does not open', async (_, change) => {
    const seals = sealing(fileKey, { now });
    const { hsm, key, blob } = await newWorld(seals);
    const reader = warm ? seals : sealing(fileKey, { now });
    expect(await endOf(reader.open(...change(hsm, key, version), blob))).toBe('seal: cannot open');
    expect(await endOf(reader.open(hsm, key, version, blob))).toBe('accepted');
    // And once more, when the twin has filled the cache.
    expect(await endOf(reader.open(...change(hsm, key, version), blob))).toBe('seal: cannot open');
  });

  test('rows moved to another key or another HSM do not open, one by one or together', async () => {
    const seals = sealing(fileKey, { now });
    const home = await newWorld(seals);
    const sibling = await newWorld(seals, home.hsm, OTHER_KEY);
    const away = await newWorld(seals, await newHsm(seals, 'fabrikam', OTHER_INCARNATION), KEY);
    const reader = warm ? seals : sealing(fileKey, { now });
    const refused: readonly [string, HsmSeal, KeySeal, string][] = [
      ['version to a sibling', sibling.hsm, sibling.key, home.blob],
      ['data key to a sibling', home.hsm, { ...sibling.key, wrappedDataKey: home.key.wrappedDataKey }, home.blob],
      ['version to another HSM', away.hsm, away.key, home.blob],
      ['key to another HSM', away.hsm, home.key, home.blob],
      ['sealing key to another HSM', { ...away.hsm, wrappedSealingKey: home.hsm.wrappedSealingKey }, home.key, home.blob],
      ['sealing key to another HSM, with its incarnation', { ...home.hsm, hsm: 'fabrikam' }, home.key, home.blob],
    ];
    for (const [, hsm, key, blob] of refused) expect(await endOf(reader.open(hsm, key, version, blob))).toBe('seal: cannot open');
    for (const { hsm, key, blob } of [home, sibling, away]) expect(await reader.open(hsm, key, version, blob)).toEqual(SECRET);
  });
});

test('every layer holds by itself, whatever those above let pass', async () => {
  const { rootKey, contents } = glassRootKey();
  const seals = sealing(rootKey, { now });
  const { hsm, key, blob } = await newWorld(seals);
  // The wrapped sealing key says of itself whose it is.
  expect(await endOf(seals.open({ ...hsm, hsm: 'fabrikam' }, key, version, blob))).toBe('seal: cannot open');
  expect(await endOf(seals.newDataKey({ ...hsm, incarnation: OTHER_INCARNATION }, KEY))).toBe('seal: cannot open');
  expect(await endOf(seals.newDataKey(hsm, KEY))).toBe('accepted');
  // With keys of one's own choice below it, the data key and the version still know theirs.
  const sealingKey = (contents[0] as Buffer).subarray(-32);
  const dataKey = decrypted(sealingKey, 'data-key-1', [INCARNATION, KEY], key.wrappedDataKey);
  const facts = [version.version, 'RSA-HSM', '2048', false, null];
  expect(decrypted(dataKey, 'version-1', [INCARNATION, KEY, ...facts], blob)).toEqual(SECRET);
  for (const owner of [
    [OTHER_INCARNATION, KEY],
    [INCARNATION, OTHER_KEY],
  ]) {
    expect(() => decrypted(sealingKey, 'data-key-1', owner, key.wrappedDataKey)).toThrow('seal: cannot open');
    expect(() => decrypted(dataKey, 'version-1', [...owner, ...facts], blob)).toThrow('seal: cannot open');
    const moved = { ...key, wrappedDataKey: encrypted(sealingKey, 'data-key-1', owner, dataKey) };
    expect(await endOf(seals.open(hsm, moved, version, blob))).toBe('seal: cannot open');
  }
  // Nor does one kind of blob serve as another, under the very key that it is sealed with.
  expect(() => decrypted(dataKey, 'data-key-1', [INCARNATION, KEY, ...facts], blob.replace('version-1', 'data-key-1'))).toThrow('seal: cannot open');
});

test('a data key or sealing key of another length is none', async () => {
  const { rootKey, contents } = glassRootKey();
  const seals = sealing(rootKey, { now });
  const hsm = await newHsm(seals);
  const content = contents[0] as Buffer;
  const short = { incarnation: KEY, wrappedDataKey: encrypted(content.subarray(-32), 'data-key-1', [INCARNATION, KEY], randomBytes(16)) };
  expect(await endOf(seals.seal(hsm, short, version, SECRET))).toBe('seal: cannot open');
  for (const damaged of [content.subarray(0, -1), Buffer.concat([content, Buffer.alloc(1)]), content.subarray(-32), Buffer.alloc(0)])
    expect(await endOf(seals.newDataKey({ ...hsm, wrappedSealingKey: `glass.${damaged.toString('base64url')}` }, KEY))).toBe('seal: cannot open');
  expect(await endOf(seals.newDataKey({ ...hsm, wrappedSealingKey: `glass.${content.toString('base64url')}` }, KEY))).toBe('accepted');
});

describe('a blob that is not whole', () => {
  const seals = () => sealing(fileKey, { now });

  test('with a tag of 4 bytes, as Node takes them when no length is stated', async () => {
    const own = seals();
    const { hsm, key, blob } = await newWorld(own);
    const bytes = Buffer.from(blob.slice('version-1.'.length), 'base64url');
    expect(bytes.length).toBe(12 + SECRET.length + 16);
    for (let missing = 1; missing <= 16; missing += 1)
      expect(await endOf(own.open(hsm, key, version, `version-1.${bytes.subarray(0, -missing).toString('base64url')}`))).toBe('seal: cannot open');
    expect(await own.open(hsm, key, version, `version-1.${bytes.toString('base64url')}`)).toEqual(SECRET);
  });

  test('with one changed bit, anywhere', async () => {
    const own = seals();
    const { hsm, key, blob } = await newWorld(own);
    const bytes = Buffer.from(blob.slice('version-1.'.length), 'base64url');
    for (let place = 0; place < bytes.length; place += 1) {
      const changed = Buffer.from(bytes);
      changed[place] = (changed[place] as number) ^ 0x80;
      expect(await endOf(own.open(hsm, key, version, `version-1.${changed.toString('base64url')}`))).toBe('seal: cannot open');
    }
  });

  test('empty, of another format, or written otherwise', async () => {
    const own = seals();
    const { hsm, key, blob } = await newWorld(own);
    const base64 = Buffer.from(blob.slice('version-1.'.length), 'base64url').toString('base64');
    const others = [
      '',
      'version-1.',
      'version-1',
      blob.slice('version-1.'.length),
      blob.replace('version-1', 'version-2'),
      `${blob} `,
      `${blob}=`,
      `${blob}.`,
      `version-1. ${blob.slice(10)}`,
      `version-1.${base64}=`,
      `version-1.${'A'.repeat(70_000)}`,
    ];
    for (const other of others) expect(await endOf(own.open(hsm, key, version, other))).toBe('seal: cannot open');
    expect(await endOf(own.open(hsm, key, version, blob))).toBe('accepted');
  });

  test('and failures say nothing else', async () => {
    const own = seals();
    const { hsm, key } = await newWorld(own);
    const error = await own.open(hsm, key, version, 'version-1.AAAA').catch((thrown: Error) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect({ ...error, message: (error as Error).message, cause: (error as Error).cause }).toEqual({ message: 'seal: cannot open', cause: undefined });
  });
});

test('what the root key says of an outage passes as it is', async () => {
  const { rootKey } = glassRootKey();
  const hsm = await newHsm(sealing(rootKey, { now }));
  const outage = sealing({ ...rootKey, unwrap: () => Promise.reject(new Error('outage')) }, { now });
  expect(await endOf(outage.newDataKey(hsm, KEY))).toBe('outage');
});

describe('the cache', () => {
  /** Every buffer that is filled with zero from now on, with what it held. */
  const watchCleared = () => {
    const cleared: { readonly buffer: Buffer; readonly held: string }[] = [];
    const fill = Buffer.prototype.fill;
    jest.spyOn(Buffer.prototype, 'fill').mockImplementation(function (this: Buffer, ...args: unknown[]) {
      cleared.push({ buffer: this, held: this.toString('hex') });
      return (fill as (...args: unknown[]) => Buffer).apply(this, args);
    });
    return {
      times: (key: Buffer) => cleared.filter(({ buffer, held }) => held === key.toString('hex') && buffer.every((byte) => byte === 0)).length,
    };
  };

  /** A world whose keys the test knows, read once, so that both are in the cache. */
  const knownWorld = async (cacheEntriesMax?: number) => {
    const glass = glassRootKey();
    const seals = sealing(glass.rootKey, { now, ...(cacheEntriesMax !== undefined && { cacheEntriesMax }) });
    const world = await newWorld(seals);
    const sealingKey = Buffer.from((glass.contents[0] as Buffer).subarray(-32));
    const dataKey = Buffer.from(decrypted(sealingKey, 'data-key-1', [INCARNATION, KEY], world.key.wrappedDataKey));
    return { ...world, seals, sealingKey, dataKey, seen: glass.seen, open: () => seals.open(world.hsm, world.key, version, world.blob) };
  };

  beforeEach(() => jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] }));
  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  test('spares the root key, for as long as it lasts', async () => {
    const world = await knownWorld();
    expect(world.seen.unwraps).toBe(1);
    await world.open();
    expect(world.seen.unwraps).toBe(1);
    time += FIVE_MINUTES;
    expect(await world.open()).toEqual(SECRET);
    expect(world.seen.unwraps).toBe(2);
  });

  test('forgets and clears both keys when told to', async () => {
    const world = await knownWorld();
    const cleared = watchCleared();
    world.seals.forget();
    expect([cleared.times(world.sealingKey), cleared.times(world.dataKey)]).toEqual([1, 1]);
    expect(await world.open()).toEqual(SECRET);
    expect(world.seen.unwraps).toBe(2);
  });

  test('clears within five minutes what nobody asks for again, and holds the process up for none of it', async () => {
    const world = await knownWorld();
    const cleared = watchCleared();
    time += FIVE_MINUTES;
    expect([cleared.times(world.sealingKey), cleared.times(world.dataKey)]).toEqual([0, 0]);
    jest.advanceTimersByTime(FIVE_MINUTES * 1000);
    expect([cleared.times(world.sealingKey), cleared.times(world.dataKey)]).toEqual([1, 1]);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('counts each key from its own arrival, however often it is used', async () => {
    const world = await knownWorld();
    time += 200;
    jest.advanceTimersByTime(200_000);
    const later = await newWorld(world.seals, world.hsm, OTHER_KEY);
    await world.open();
    const cleared = watchCleared();
    time += 100;
    jest.advanceTimersByTime(100_000);
    expect([cleared.times(world.sealingKey), cleared.times(world.dataKey)]).toEqual([1, 1]);
    // The later key is still there: it opens without the root key.
    expect(await world.seals.open(later.hsm, later.key, version, later.blob)).toEqual(SECRET);
    expect(world.seen.unwraps).toBe(1);
  });

  test('a clock that is set back makes everything old', async () => {
    const world = await knownWorld();
    const cleared = watchCleared();
    time -= 10_000;
    expect(await world.open()).toEqual(SECRET);
    expect(world.seen.unwraps).toBe(2);
    expect(cleared.times(world.dataKey)).toBeGreaterThan(0);
    time += 10_000;
  });

  test('keeps a bounded number, and clears the oldest for the newest', async () => {
    const world = await knownWorld(2);
    await newWorld(world.seals, world.hsm, OTHER_KEY);
    await world.open();
    const cleared = watchCleared();
    const third = { incarnation: INCARNATION, wrappedDataKey: await world.seals.newDataKey(world.hsm, INCARNATION) };
    expect(cleared.times(world.dataKey)).toBe(0);
    await world.seals.seal(world.hsm, third, version, SECRET);
    expect(cleared.times(world.dataKey)).toBe(1);
    expect(await world.open()).toEqual(SECRET);
  });

  test('a key that is cleared while it is in use is not all zero to its user', async () => {
    const world = await knownWorld(1);
    const runs = Array.from({ length: 20 }, async (_, i) => {
      for (let turn = 0; turn < i; turn += 1) await undefined;
      const blob = await world.seals.seal(world.hsm, world.key, version, SECRET);
      return decrypted(world.dataKey, 'version-1', [INCARNATION, KEY, version.version, 'RSA-HSM', '2048', false, null], blob).equals(SECRET);
    });
    for (let turn = 0; turn < 40; turn += 1) {
      world.seals.forget();
      await undefined;
    }
    expect(await Promise.all(runs)).toEqual(Array(20).fill(true));
  });

  test('a record whose keys were wrapped anew, or are gone, is not served from it', async () => {
    const world = await knownWorld();
    const reborn = await newHsm(world.seals, 'contoso', INCARNATION);
    expect(await endOf(world.seals.open(reborn, world.key, version, world.blob))).toBe('seal: cannot open');
    expect(await endOf(world.seals.open({ ...world.hsm, wrappedSealingKey: '' }, world.key, version, world.blob))).toBe('seal: cannot open');
    expect(await endOf(world.seals.open(world.hsm, { ...world.key, wrappedDataKey: '' }, version, world.blob))).toBe('seal: cannot open');
    expect(await endOf(world.open())).toBe('accepted');
  });
});
