// What the service of keys shows: a key and its versions, its seconds of transition, lists and their pages, and what each costs in reads.
import type { KeyRecord, VersionRecord } from '../../shared/domain/key';
import type { Range } from '../../shared/ports';
import { at, contoso, INCARNATION } from './support/contoso';
import { F0, F1, F2, FIRST, firstKey, keyDeletion, keyPath, keyVersion } from './support/first';
import { at5th, deleted, first, given, onCurve } from './support/keyService';
import { endingOfAsync } from './support/refusals';

describe('a look at a key', () => {
  const older: VersionRecord = { ...keyVersion({ version: F0 }), keyIncarnation: FIRST };
  const withOlder = () => {
    const world = given({ key: firstKey({ versions: 2 }) });
    world.shelf.put('keys', INCARNATION, `v!${FIRST}!${F0}`, older);
    return world;
  };

  test.each([
    ['the latest version', undefined, F1, 1],
    ['the latest version by its id', F1, F1, 1],
    ['an older version', F0, F0, 2],
  ])('finds %s, at the cost of so many reads', async (_, asked, version, reads) => {
    const { shelf, hsm, loadUsableKey } = withOlder();
    const seen = await loadUsableKey(hsm, first, asked);
    expect([seen.version.version, seen.record.name, shelf.happened().length]).toEqual([version, 'First', reads]);
  });

  test('names a version that is not there', async () => {
    const { hsm, loadUsableKey } = withOlder();
    await expect(loadUsableKey(hsm, first, F2)).rejects.toThrow(`Key not found: https://contoso.managedhsm.azure.net/keys/FIRST/${F2}`);
    await expect(loadUsableKey(hsm, keyPath({ name: 'second', display: 'Second' }), F0)).rejects.toThrow('Key not found: https://contoso.managedhsm.azure.net/keys/Second');
  });

  test('never finds a version of an earlier key of the same name', async () => {
    const { shelf, hsm, loadUsableKey, versions } = given({ key: firstKey({ incarnation: 'another' }) });
    shelf.put('keys', INCARNATION, `v!${FIRST}!${F0}`, older);
    expect(await endingOfAsync(() => loadUsableKey(hsm, first, F0))).toBe('KeyNotFound');
    expect((await versions(hsm, first, 25, undefined)).items.map(({ version }) => version)).toEqual([F1]);
  });

  test('finds nothing in another incarnation of the HSM', async () => {
    const { hsm, loadUsableKey } = given({ key: firstKey() });
    expect(await endingOfAsync(() => loadUsableKey({ ...hsm, record: contoso({ incarnation: 'another' }) }, first, undefined))).toBe('KeyNotFound');
    expect(await endingOfAsync(() => loadUsableKey(hsm, first, undefined))).toBe('accepted');
  });
});

describe('with three seconds of transition', () => {
  type World = ReturnType<typeof given>;
  const commands: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
    get: ({ hsm, loadUsableKey }) => loadUsableKey(hsm, first, undefined),
    getDeleted: ({ hsm, showDeleted }) => showDeleted(hsm, first),
    create: ({ hsm, create }) => create(hsm, first, onCurve),
    update: ({ hsm, update }) => update(hsm, first, undefined, () => ({ tags: {} })),
    updateByVersion: ({ hsm, update }) => update(hsm, first, F1, () => ({ tags: {} })),
    delete: ({ hsm, remove }) => remove(hsm, first),
    recover: ({ hsm, recover }) => recover(hsm, first),
    purge: ({ hsm, purge }) => purge(hsm, first),
  };

  test.each<[command: string, during: string, after: string]>([
    ['get', 'KeyNotFound', 'KeyNotFound'],
    ['getDeleted', 'KeyNotFound', 'accepted'],
    ['create', 'OperationInProgress', 'KeyNameHeld'],
    ['update', 'OperationInProgress', 'KeyNotFound'],
    ['updateByVersion', 'OperationInProgress', 'KeyNotFound'],
    ['delete', 'OperationInProgress', 'KeyNotFound'],
    ['recover', 'OperationInProgress', 'accepted'],
    ['purge', 'accepted', 'accepted'],
  ])('after a deletion: %s is %s, and three seconds later %s', async (command, during, after) => {
    for (const [now, ending] of [
      ['2027-01-05T00:00:02Z', during],
      ['2027-01-05T00:00:03Z', after],
    ] as const) {
      const world = given({ key: firstKey(), transitionSeconds: 3 });
      await world.remove(world.hsm, first);
      world.shelf.set(now);
      expect([now, await endingOfAsync(() => (commands[command] as (world: World) => Promise<unknown>)(world))]).toEqual([now, ending]);
    }
  });

  test.each<[command: string, during: string, after: string]>([
    ['get', 'KeyNotFound', 'accepted'],
    ['getDeleted', 'KeyNotFound', 'KeyNotFound'],
    ['create', 'OperationInProgress', 'accepted'],
    ['update', 'OperationInProgress', 'accepted'],
    ['updateByVersion', 'OperationInProgress', 'accepted'],
    ['delete', 'OperationInProgress', 'accepted'],
    ['recover', 'OperationInProgress', 'KeyNotFound'],
    ['purge', 'KeyNotFound', 'KeyNotFound'],
  ])('after a recovery: %s is %s, and three seconds later %s', async (command, during, after) => {
    for (const [now, ending] of [
      ['2027-01-05T00:00:02Z', during],
      ['2027-01-05T00:00:03Z', after],
    ] as const) {
      const world = given({ key: deleted, transitionSeconds: 3 });
      await world.recover(world.hsm, first);
      world.shelf.set(now);
      expect([now, await endingOfAsync(() => (commands[command] as (world: World) => Promise<unknown>)(world))]).toEqual([now, ending]);
    }
  });

  test('neither list shows the key, nor do its versions show, until it is over', async () => {
    const { shelf, hsm, remove, recover, list, versions } = given({ key: firstKey(), transitionSeconds: 3 });
    const shown = async (): Promise<readonly number[]> => [
      (await list(hsm, 'active', 25, undefined)).items.length,
      (await list(hsm, 'deleted', 25, undefined)).items.length,
      (await versions(hsm, first, 25, undefined)).items.length,
    ];
    await remove(hsm, first);
    shelf.set('2027-01-05T00:00:02Z');
    expect(await shown()).toEqual([0, 0, 0]);
    shelf.set('2027-01-05T00:00:03Z');
    expect(await shown()).toEqual([0, 1, 0]);
    await recover(hsm, first);
    expect(await shown()).toEqual([0, 0, 0]);
    shelf.set('2027-01-05T00:00:06Z');
    expect(await shown()).toEqual([1, 0, 1]);
  });
});

describe('a list', () => {
  const names = ['a', 'a-', 'a-b', 'a0', 'ab', 'b'];
  const filled = (emptyPages = false) => {
    const world = given({ emptyPages });
    for (const name of names) world.shelf.put('keys', INCARNATION, `k!${name}`, firstKey({ name: name.toUpperCase(), ...(name === 'ab' && { deletion: keyDeletion }) }));
    for (const row of ['due!x', 'gone!x', 'guard', 'open', `v!${FIRST}!${F0}`]) world.shelf.put('keys', INCARNATION, row, {});
    return world;
  };

  test.each<['active' | 'deleted', number, string | undefined, readonly string[], string | undefined]>([
    ['active', 25, undefined, ['A', 'A-', 'A-B', 'A0', 'B'], undefined],
    ['active', 5, undefined, ['A', 'A-', 'A-B', 'A0', 'B'], undefined],
    ['active', 4, undefined, ['A', 'A-', 'A-B', 'A0'], 'a0'],
    ['active', 25, 'a0', ['B'], undefined],
    ['active', 1, undefined, ['A'], 'a'],
    ['active', 1, 'a', ['A-'], 'a-'],
    ['active', 1, 'a-', ['A-B'], 'a-b'],
    ['active', 25, 'b', [], undefined],
    ['active', 25, 'aa', ['B'], undefined],
    ['deleted', 25, undefined, ['AB'], undefined],
    ['deleted', 1, undefined, ['AB'], undefined],
    ['deleted', 25, 'ab', [], undefined],
  ])('of %s keys, %j at a time, after %j: %j, and then on from %j', async (state, limit, after, shown, next) => {
    const { hsm, list } = filled();
    const page = await list(hsm, state, limit, after);
    expect([page.items.map(({ name }) => name), page.next]).toEqual([shown, next]);
  });

  test('I5 leaves out what is overdue', async () => {
    const { shelf, hsm, list } = filled();
    shelf.set('2027-01-08T23:59:59Z');
    expect((await list(hsm, 'deleted', 25, undefined)).items).toHaveLength(1);
    shelf.set('2027-01-09T00:00:00Z');
    expect([(await list(hsm, 'deleted', 25, undefined)).items, (await list(hsm, 'active', 25, undefined)).items.length]).toEqual([[], 5]);
  });

  test('reads on over empty pages', async () => {
    const { hsm, list } = filled(true);
    expect((await list(hsm, 'active', 25, undefined)).items).toHaveLength(5);
  });

  test('reads rows for what it shows, never all to cut them afterwards', async () => {
    const { shelf, hsm, list } = given();
    for (let count = 1000; count < 1100; count++) shelf.put('keys', INCARNATION, `k!${count}`, firstKey({ name: String(count) }));
    const limits: number[] = [];
    const { page } = shelf.ports.store;
    Object.assign(shelf.ports.store, {
      page: (range: Range, limit: number, next?: string) => {
        limits.push(limit);
        return page(range, limit, next);
      },
    });
    const { items, next } = await list(hsm, 'active', 25, '1049');
    expect([items.at(0)?.name, items.at(-1)?.name, next, limits]).toEqual(['1050', '1074', '1074', [26]]);
  });
});

describe('a list of versions', () => {
  const second = (number: number): number => at('2027-01-01T00:00:00Z') + number;
  const versionOf = (number: number) => String(99 - number).padStart(32, '0');
  const filled = (emptyPages = false) => {
    const world = given({ emptyPages, key: firstKey({ versions: 30, current: keyVersion({ version: versionOf(29), created: second(29) }) }) });
    for (let number = 0; number < 29; number++)
      world.shelf.put('keys', INCARNATION, `v!${FIRST}!${versionOf(number)}`, { ...keyVersion({ version: versionOf(number), created: second(number) }), keyIncarnation: FIRST });
    return world;
  };

  test.each<[number, string | undefined, number, number, string | undefined]>([
    [25, undefined, 0, 25, versionOf(24)],
    [25, versionOf(24), 25, 5, undefined],
    [5, versionOf(24), 25, 5, undefined],
    [1, undefined, 0, 1, versionOf(0)],
    [25, versionOf(29), 30, 0, undefined],
  ])('is oldest first: %i at a time, after %j', async (limit, after, from, count, next) => {
    for (const emptyPages of [false, true]) {
      const { hsm, versions } = filled(emptyPages);
      const page = await versions(hsm, first, limit, after);
      expect([page.items.map(({ version }) => version), page.next]).toEqual([Array.from({ length: count }, (_, index) => versionOf(from + index)), next]);
      expect(page.record?.name).toBe('First');
    }
  });

  test.each<[string, KeyRecord | undefined, string, number]>([
    ['a live key', firstKey(), at5th, 1],
    ['a deleted key', deleted, at5th, 0],
    ['an overdue key', deleted, '2027-01-09T00:00:00Z', 0],
    ['no key', undefined, at5th, 0],
  ])('K4 is empty, no refusal, for a key that is not active: %s', async (_, key, now, count) => {
    const { hsm, versions } = given({ ...(key && { key }), now });
    const { items, next } = await versions(hsm, first, 25, undefined);
    expect([items.length, next]).toEqual([count, undefined]);
  });

  test('shows a version once that was put away between the two reads', async () => {
    const { shelf, hsm, versions } = given({ key: firstKey() });
    shelf.put('keys', INCARNATION, `v!${FIRST}!${F1}`, { ...keyVersion(), keyIncarnation: FIRST });
    expect((await versions(hsm, first, 25, undefined)).items.map(({ version }) => version)).toEqual([F1]);
  });
});

test('what is deleted is shown to who asks for deleted keys, and nothing else is', async () => {
  const { hsm, showDeleted } = given({ key: deleted });
  expect(await showDeleted(hsm, first)).toEqual(deleted);
  const path = keyPath({ name: 'second', display: 'Second' });
  await expect(showDeleted(hsm, path)).rejects.toThrow('Key not found: https://contoso.managedhsm.azure.net/deletedkeys/Second');
});
