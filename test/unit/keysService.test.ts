// The service of keys on the memory store: what a command reads, decides and stores, in which order, and what a race between its decision and its write comes to.
import type { KeyRecord } from '../../shared/domain/key';
import { at, contoso, INCARNATION } from './support/contoso';
import { F0, F1, F2, FIRST, firstKey, keyDeletion, keyPath, keyVersion } from './support/first';
import { at5th, DUE, deleted, first, given, onCurve } from './support/keyService';
import { endingOfAsync } from './support/refusals';
import type { createShelf } from './support/shelf';

const id = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
const versionId = (number: number): string => id(number).replaceAll('-', '');

const stored = (shelf: ReturnType<typeof createShelf>, row = 'k!first') => shelf.find<KeyRecord>('keys', INCARNATION, row)?.value;

describe('create', () => {
  test('of a free name stores the key under a data key of its own, bound to HSM, key and version', async () => {
    const { shelf, hsm, create } = given();
    const seen = await create(hsm, first, onCurve);
    const current = {
      version: versionId(2),
      publicParts: { kty: 'EC-HSM', crv: 'P-256', x: 'x', y: 'y' },
      sizeOrCurve: 'P-256',
      keyOps: ['sign'],
      attributes: { enabled: true, exportable: false },
      tags: { a: 'b' },
      created: at(at5th),
      updated: at(at5th),
      sealed: `sealed(${[id(1), `data-key(contoso ${INCARNATION} wrapped-sealing-key ${id(1)})`, versionId(2), 'EC-HSM', 'P-256', 'false', '', 'secret-1'].join(' ')})`,
    };
    const record = { name: 'FIRST', incarnation: id(1), wrappedDataKey: `data-key(contoso ${INCARNATION} wrapped-sealing-key ${id(1)})`, versions: 1, current };
    expect(seen).toEqual({ record, version: current });
    expect(stored(shelf)).toEqual({ ...record, writeId: id(3) });
    expect(shelf.happened()).toEqual([`row keys ${INCARNATION} k!first`, 'generate EC-HSM', `newDataKey ${id(1)}`, 'transact insert k!first']);
  });

  test('of a live name adds a version under the key’s own data key, and puts the one before away', async () => {
    const { shelf, hsm, create } = given({ key: firstKey() });
    const { record, version } = await create(hsm, first, { ...onCurve, spec: { kty: 'oct-HSM', bits: 128 } });
    expect([record.name, record.incarnation, record.versions, version.version]).toEqual(['First', FIRST, 2, versionId(2)]);
    expect(version.sealed).toBe(`sealed(${[FIRST, 'wrapped-data-key', versionId(2), 'oct-HSM', '128', 'false', '', 'secret-1'].join(' ')})`);
    expect(shelf.rows('keys', INCARNATION)).toEqual(['k!first', `v!${FIRST}!${F1}`]);
    expect(stored(shelf, `v!${FIRST}!${F1}`)).toEqual({ ...keyVersion(), keyIncarnation: FIRST });
    expect(shelf.happened()).toEqual([`row keys ${INCARNATION} k!first`, 'generate oct-HSM', `transact replace k!first, insert v!${FIRST}!${F1}`]);
  });

  test.each([
    ['a free name', undefined, 'accepted', 1],
    ['a deleted key', deleted, 'KeyNameHeld', 0],
    ['a key of 100 versions', firstKey({ versions: 100 }), 'TooManyVersions', 0],
    ['a key of 99 versions', firstKey({ versions: 99 }), 'accepted', 1],
    ['a key in transition', firstKey({ window: { operation: 'recover', startedAt: at(at5th), readyAt: at(at5th) + 3 } }), 'OperationInProgress', 0],
  ])('makes key material only for what will be stored: over %s', async (_, key, ending, made) => {
    const { shelf, hsm, create } = given({ ...(key && { key }) });
    expect(await endingOfAsync(() => create(hsm, first, onCurve))).toBe(ending);
    expect(shelf.secrets).toHaveLength(made);
  });

  test('clears the private part, whether the key was stored or not', async () => {
    const { shelf, hsm, create } = given();
    await create(hsm, first, onCurve);
    shelf.fail('transact insert k!second');
    expect(await endingOfAsync(() => create(hsm, keyPath({ name: 'second' }), onCurve))).toBe('Unavailable');
    expect(shelf.secrets.map((secret) => secret.every((byte) => byte === 0))).toEqual([true, true]);
    expect(shelf.secrets.map(({ length }) => length)).toEqual([8, 8]);
  });

  test('over an overdue key purges it first, in its own transaction, and says who did', async () => {
    const { shelf, hsm, create } = given({ key: deleted, now: '2027-01-09T00:00:00Z' });
    await create(hsm, first, onCurve);
    expect(shelf.happened().filter((event) => /^(transact|send)/.test(event))).toEqual([
      `transact delete k!first, delete ${DUE}, insert gone!${FIRST}`,
      `send contoso ${INCARNATION} first ${FIRST}`,
      'transact insert k!first',
    ]);
    expect(shelf.rows('keys', INCARNATION)).toEqual([`gone!${FIRST}`, 'k!first']);
    expect(stored(shelf, `gone!${FIRST}`)).toEqual({ name: 'first', incarnation: FIRST, hsm: 'contoso', hsmIncarnation: INCARNATION, by: 'create' });
    expect(stored(shelf)?.incarnation).toBe(id(1));
  });

  test('I4 over a key that is overdue by the storage’s clock alone is a conflict, and nothing changes', async () => {
    const { shelf, hsm, create } = given({ key: deleted });
    shelf.set('2027-01-09T00:00:00Z', -1);
    const before = shelf.memory.snapshot();
    expect(await endingOfAsync(() => create(hsm, first, onCurve))).toBe('Contended');
    expect(shelf.memory.snapshot()).toEqual(before);
    shelf.set('2027-01-09T00:00:00Z', 0);
    expect(await endingOfAsync(() => create(hsm, first, onCurve))).toBe('accepted');
  });

  test('against another creation of the same name becomes its second version: one command, one version, one piece of material', async () => {
    const { shelf, hsm, create } = given();
    shelf.meanwhile(() => shelf.put('keys', INCARNATION, 'k!first', firstKey()));
    const { record, version } = await create(hsm, first, onCurve);
    expect([record.name, record.versions, version.version]).toEqual(['First', 2, versionId(2)]);
    expect(version.sealed).toContain('wrapped-data-key');
    expect(shelf.secrets).toHaveLength(1);
  });

  test('against another creation that was purged at once decides again with what it coined: one incarnation, one data key, one piece of material', async () => {
    const { shelf, hsm, create } = given();
    const { transact } = shelf.ports.store;
    let refusals = 0;
    Object.assign(shelf.ports.store, {
      transact: async (transaction: Parameters<typeof transact>[0]) => (refusals++ === 0 ? { kind: 'refused', status: 409 } : transact(transaction)),
    });
    const { record } = await create(hsm, first, onCurve);
    expect([record.incarnation, record.current.version, shelf.find<KeyRecord>('keys', INCARNATION, 'k!first')?.value.incarnation]).toEqual([id(1), versionId(2), id(1)]);
    expect(shelf.happened().filter((event) => !event.startsWith('row'))).toEqual(['generate EC-HSM', `newDataKey ${id(1)}`, 'transact insert k!first']);
  });

  test('against a deletion of the key is refused: nothing is resurrected', async () => {
    const { shelf, hsm, create } = given({ key: firstKey() });
    shelf.meanwhile(() => shelf.put('keys', INCARNATION, 'k!first', deleted));
    expect(await endingOfAsync(() => create(hsm, first, onCurve))).toBe('KeyNameHeld');
    expect(stored(shelf)).toEqual(deleted);
  });
});

describe('update', () => {
  const disable = () => ({ attributes: { enabled: false } });

  test('of the latest version changes the key’s row', async () => {
    const { shelf, hsm, update } = given({ key: firstKey() });
    const { version } = await update(hsm, first, undefined, disable);
    expect(version).toEqual({ ...keyVersion(), attributes: { enabled: false, exportable: false }, updated: at(at5th) });
    expect(stored(shelf)).toEqual({ ...firstKey(), current: version, writeId: id(1) });
  });

  test('of an older version changes its row alone, the key’s goes along unchanged', async () => {
    const { shelf, hsm, update } = given({ key: firstKey({ versions: 2 }) });
    shelf.put('keys', INCARNATION, `v!${FIRST}!${F0}`, { ...keyVersion({ version: F0 }), keyIncarnation: FIRST });
    const { record, version } = await update(hsm, first, F0, disable);
    expect([record.current.attributes.enabled, version.attributes.enabled, version.version]).toEqual([true, false, F0]);
    expect(stored(shelf)).toEqual({ ...firstKey({ versions: 2 }), writeId: id(1) });
    expect(stored(shelf, `v!${FIRST}!${F0}`)).toEqual({
      ...keyVersion({ version: F0, updated: at(at5th) }),
      attributes: { enabled: false, exportable: false },
      keyIncarnation: FIRST,
    });
  });

  test.each([
    ['a version that is not there', F2, 'KeyNotFound'],
    ['the latest version by its id', F1, 'accepted'],
  ])('of %s: %s', async (_, version, ending) => {
    const { hsm, update } = given({ key: firstKey() });
    expect(await endingOfAsync(() => update(hsm, first, version, disable))).toBe(ending);
  });

  test('asks what to change of the version that it replaces, at each decision anew', async () => {
    const { shelf, hsm, update } = given({ key: firstKey() });
    const asked: unknown[] = [];
    shelf.meanwhile(() => shelf.put('keys', INCARNATION, 'k!first', firstKey({ current: keyVersion({ tags: { other: 'x' } }) })));
    await update(hsm, first, undefined, ({ tags }) => {
      asked.push(tags);
      return { keyOps: ['sign'] };
    });
    expect(asked).toEqual([{ dept: 'hsm' }, { other: 'x' }]);
    expect(stored(shelf)?.current).toMatchObject({ tags: { other: 'x' }, keyOps: ['sign'] });
  });

  test('of an older version against a deletion of the key is refused', async () => {
    const { shelf, hsm, update } = given({ key: firstKey({ versions: 2 }) });
    shelf.put('keys', INCARNATION, `v!${FIRST}!${F0}`, { ...keyVersion({ version: F0 }), keyIncarnation: FIRST });
    shelf.meanwhile(() => shelf.put('keys', INCARNATION, 'k!first', deleted));
    expect(await endingOfAsync(() => update(hsm, first, F0, disable))).toBe('KeyNotFound');
    expect(stored(shelf, `v!${FIRST}!${F0}`)).toMatchObject({ attributes: { enabled: true } });
  });
});

describe('delete', () => {
  test('I1 starts the timer, then writes record and obligation in one transaction', async () => {
    const { shelf, hsm, remove } = given({ key: firstKey(), now: '2027-01-02T00:00:00Z' });
    const record = await remove(hsm, first);
    const deletion = { deletionId: id(1), deletedAt: at('2027-01-02T00:00:00Z'), purgeAt: at('2027-01-09T00:00:00Z') };
    const row = `due!2027-01-09T00:00:00Z!${id(1)}`;
    expect(record.deletion).toEqual(deletion);
    expect(stored(shelf)).toEqual({ ...firstKey(), deletion, writeId: id(2) });
    expect(stored(shelf, row)).toEqual({ name: 'first', incarnation: FIRST, deletionId: id(1) });
    expect(shelf.happened()).toEqual([
      `row keys ${INCARNATION} k!first`,
      `start ${id(1)} contoso ${INCARNATION} first ${FIRST} ${deletion.purgeAt}`,
      `transact replace k!first, insert ${row}`,
    ]);
  });

  test('without a timer writes nothing', async () => {
    const { shelf, hsm, remove } = given({ key: firstKey(), now: '2027-01-02T00:00:00Z' });
    shelf.fail(`start ${id(1)} contoso ${INCARNATION} first ${FIRST} ${at('2027-01-09T00:00:00Z')}`);
    expect(await endingOfAsync(() => remove(hsm, first))).toBe('Unavailable');
    expect(stored(shelf)).toEqual(firstKey());
  });

  test('that decides again keeps its deletion id for the same key, and coins another for a key created anew', async () => {
    const again = async (meanwhile: KeyRecord): Promise<readonly string[]> => {
      const { shelf, hsm, remove } = given({ key: firstKey() });
      shelf.meanwhile(() => shelf.put('keys', INCARNATION, 'k!first', meanwhile));
      await remove(hsm, first);
      return shelf.happened().flatMap((event) => (event.startsWith('start') ? [event.split(' ')[1] as string] : []));
    };
    expect(await again(firstKey({ versions: 2 }))).toEqual([id(1), id(1)]);
    expect(await again(firstKey({ incarnation: 'another' }))).toEqual([id(1), id(3)]);
  });
});

describe('recover', () => {
  test('I10 brings back the record, removes the obligation with it, and ends the timer afterwards', async () => {
    const { shelf, hsm, recover } = given({ key: deleted });
    expect(await recover(hsm, first)).toEqual(firstKey());
    expect(shelf.rows('keys', INCARNATION)).toEqual(['k!first']);
    expect(shelf.happened().slice(-2)).toEqual([`transact replace k!first, delete ${DUE}`, `end ${keyDeletion.deletionId}`]);
  });

  test('is done even if the timer cannot be ended', async () => {
    const { shelf, hsm, recover } = given({ key: deleted });
    shelf.fail(`end ${keyDeletion.deletionId}`);
    expect(await endingOfAsync(() => recover(hsm, first))).toBe('accepted');
    expect(stored(shelf)?.deletion).toBeUndefined();
  });

  test('I8 against a purge is refused: nothing is resurrected', async () => {
    const { shelf, hsm, recover, purge } = given({ key: deleted });
    shelf.meanwhile(() => purge(hsm, first));
    expect(await endingOfAsync(() => recover(hsm, first))).toBe('KeyNotFound');
    expect(shelf.rows('keys', INCARNATION)).toEqual([`gone!${FIRST}`, 'guard', 'open']);
  });
});

describe('purge', () => {
  const close = (shelf: ReturnType<typeof createShelf>): void => {
    const open = shelf.find('keys', INCARNATION, 'open');
    shelf.put('keys', INCARNATION, 'guard', {});
    if (open) shelf.memory.transact({ table: 'keys', partition: INCARNATION, writes: [{ kind: 'delete', row: 'open', etag: '*' }] });
  };
  const withFence = (...rows: readonly string[]) => {
    const world = given({ key: deleted });
    for (const row of rows) world.shelf.put('keys', INCARNATION, row, {});
    return world;
  };

  test('I2 removes the key with its data key, its obligation, and leaves the debt; the rest is for the clean-up', async () => {
    const { shelf, hsm, purge } = given({ key: deleted });
    shelf.put('keys', INCARNATION, `v!${FIRST}!${F0}`, { ...keyVersion({ version: F0 }), keyIncarnation: FIRST });
    await purge(hsm, first);
    expect(shelf.rows('keys', INCARNATION)).toEqual([`gone!${FIRST}`, 'guard', 'open', `v!${FIRST}!${F0}`]);
    expect(stored(shelf, `gone!${FIRST}`)).toEqual({ name: 'first', incarnation: FIRST, hsm: 'contoso', hsmIncarnation: INCARNATION, by: 'caller' });
    expect(shelf.happened().slice(-2)).toEqual([`send contoso ${INCARNATION} first ${FIRST}`, `end ${keyDeletion.deletionId}`]);
  });

  test.each<[string, readonly string[], string]>([
    ['no fence yet: it is put up', [], 'accepted'],
    ['the fence open', ['guard', 'open'], 'accepted'],
    ['the guard alone', ['guard'], 'KeyPurgeProtected'],
  ])('%s', async (_, rows, ending) => {
    const { shelf, hsm, purge } = withFence(...rows);
    expect(await endingOfAsync(() => purge(hsm, first))).toBe(ending);
    expect(shelf.find('keys', INCARNATION, 'k!first') === undefined).toBe(ending === 'accepted');
  });

  test.each<[string, readonly string[]]>([
    ['the first of its HSM', []],
    ['a later one', ['guard', 'open']],
  ])('I4 that was decided before purge protection closed the fence does not commit: %s', async (_, rows) => {
    const { shelf, hsm, purge } = withFence(...rows);
    shelf.meanwhile(() => close(shelf));
    expect(await endingOfAsync(() => purge(hsm, first))).toBe('KeyPurgeProtected');
    expect(stored(shelf)).toEqual(deleted);
    expect(stored(shelf, DUE)).toBeDefined();
  });

  test('I4 under protection is refused, whatever the fence says', async () => {
    const { hsm, shelf, purge } = given({ key: deleted, hsm: contoso({ settings: { purgeProtection: true } }) });
    for (const row of ['guard', 'open']) shelf.put('keys', INCARNATION, row, {});
    expect(await endingOfAsync(() => purge(hsm, first))).toBe('KeyPurgeProtected');
    expect(stored(shelf)).toEqual(deleted);
  });

  test.each<[string, boolean, string]>([
    ['its HSM is being erased, the key before the fence: the key is gone', true, 'KeyNotFound'],
    ['the key is still there: the fence is closed', false, 'KeyPurgeProtected'],
  ])('that finds the guard and then no way through: %s', async (_, isErased, ending) => {
    const { shelf, hsm, purge } = withFence('guard');
    const { row } = shelf.ports.store;
    let isGuardRead = false;
    Object.assign(shelf.ports.store, {
      row: async (...read: Parameters<typeof row>) => {
        const answer = await row(...read);
        const isKey = read[2] === 'k!first';
        if (read[2] === 'guard') isGuardRead = true;
        return isErased && isKey && isGuardRead ? { ...answer, found: undefined } : answer;
      },
    });
    expect(await endingOfAsync(() => purge(hsm, first))).toBe(ending);
  });

  test('I8 against a recovery is refused', async () => {
    const { shelf, hsm, purge, recover } = given({ key: deleted });
    shelf.meanwhile(() => recover(hsm, first));
    expect(await endingOfAsync(() => purge(hsm, first))).toBe('KeyNotFound');
    expect(stored(shelf)?.deletion).toBeUndefined();
  });

  test('of one key against that of another: neither is in the other’s way', async () => {
    const { shelf, hsm, purge } = withFence();
    shelf.put('keys', INCARNATION, 'k!second', firstKey({ name: 'second', incarnation: 'second', deletion: { ...keyDeletion, deletionId: 'of second' } }));
    shelf.meanwhile(() => purge(hsm, keyPath({ name: 'second', display: 'second' })));
    await purge(hsm, first);
    expect(shelf.rows('keys', INCARNATION)).toEqual([`gone!${FIRST}`, 'gone!second', 'guard', 'open']);
  });
});
