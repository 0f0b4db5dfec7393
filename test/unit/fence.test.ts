// Purge protection is switched on in this order: the keys' fence is closed, the record is written, the answer given; what happens between is noticed.
import { hsms } from '../../shared/service/hsms';
import { retention } from '../../shared/service/retention';
import { alice, contoso, INCARNATION, path } from './support/contoso';
import { endingOfAsync } from './support/refusals';
import { createShelf, parameters } from './support/shelf';

function given(fence: readonly string[], purgeProtection = false) {
  const shelf = createShelf();
  shelf.set('2027-01-05T00:00:00Z');
  shelf.putHsm(contoso({ settings: { purgeProtection } }));
  for (const row of fence) shelf.put('keys', INCARNATION, row, {});
  const { put, patch } = hsms(shelf.ports, parameters(), retention(shelf.ports, parameters()));
  const writes = (): readonly string[] => shelf.happened().filter((event) => event.startsWith('transact'));
  const isProtected = (): unknown => shelf.find<{ readonly settings: { readonly purgeProtection: boolean } }>('hsms', 'contoso', '!hsm')?.value.settings.purgeProtection;
  return {
    shelf,
    writes,
    isProtected,
    protect: () => patch(path(), { recover: false, purgeProtection: true }, alice),
    protectByPut: () => put(path(), { recover: false, location: 'West US', purgeProtection: true }, alice),
    tag: () => patch(path(), { recover: false, tags: { a: 'b' } }, alice),
  };
}

test.each<[string, readonly string[], string]>([
  ['no fence yet: its guard is put up alone', [], 'transact insert guard'],
  ['the fence open: it is closed', ['guard', 'open'], 'transact replace guard, delete open'],
  ['the fence closed: its guard is written anew', ['guard'], 'transact replace guard'],
])('I4 the fence is closed before the record is written, by PATCH and by PUT: %s', async (_, rows, closing) => {
  for (const way of ['protect', 'protectByPut'] as const) {
    const world = given(rows);
    await world[way]();
    expect(world.writes()).toEqual([closing, 'transact replace !hsm']);
    expect([world.shelf.rows('keys', INCARNATION), world.isProtected()]).toEqual([['guard'], true]);
  }
});

test.each([
  ['an update of something else', false, 'tag' as const],
  ['an update of an HSM that is protected', true, 'tag' as const],
  ['protection switched on where it is on', true, 'protect' as const],
])('%s leaves the fence alone', async (_, purgeProtection, way) => {
  const world = given(['guard', 'open'], purgeProtection);
  await world[way]();
  expect(world.writes()).toEqual(['transact replace !hsm']);
});

test('a fence that changed since it was read is read anew, and closed then', async () => {
  const { shelf, writes, isProtected, protect } = given([]);
  shelf.meanwhile(() => {
    shelf.put('keys', INCARNATION, 'guard', {});
    shelf.put('keys', INCARNATION, 'open', {});
  });
  await protect();
  expect(writes()).toEqual(['transact insert guard', 'transact replace guard, delete open', 'transact replace !hsm']);
  expect([shelf.rows('keys', INCARNATION), isProtected()]).toEqual([['guard'], true]);
});

test('of a fence whose closing got no answer nobody knows: the record is not written', async () => {
  const { shelf, isProtected, protect } = given([]);
  Object.assign(shelf.ports.store, { transact: async () => ({ kind: 'unknown' }) });
  expect(await endingOfAsync(protect)).toBe('Unfinished');
  expect(isProtected()).toBe(false);
});

test('story 15: a refused record leaves the fence closed, for the sweeper to heal', async () => {
  const { shelf, protect } = given(['guard', 'open']);
  const { transact } = shelf.ports.store;
  Object.assign(shelf.ports.store, {
    transact: async (transaction: Parameters<typeof transact>[0]) => (transaction.table === 'hsms' ? { kind: 'refused', status: 412 } : transact(transaction)),
  });
  expect(await endingOfAsync(protect)).toBe('Contended');
  expect(shelf.rows('keys', INCARNATION)).toEqual(['guard']);
});
