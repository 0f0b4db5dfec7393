// The first read of a data-plane request: the HSM if it is active, and the grants of its own incarnation; grants at a key count for that incarnation of the key alone.
import type { Value } from '../../shared/domain/plan';
import { type KeyAssignment, rights } from '../../shared/service/rights';
import { ALICE, alice, at, BOB, contoso, deletion, GROUP_OF_ALICE, INCARNATION } from './support/contoso';
import { FIRST, firstKey } from './support/first';
import { createShelf } from './support/shelf';

const ROLE = '21dbd100-6940-42c2-9190-5d6cb909625b';
const wide = (principalId: string, incarnation = INCARNATION) => ({ principalId, roleGuid: ROLE, incarnation, scope: '/' });
const atFirst = (more: Partial<KeyAssignment> = {}): KeyAssignment & Value => ({
  principalId: ALICE,
  roleGuid: ROLE,
  incarnation: INCARNATION,
  keyIncarnation: FIRST,
  key: 'first',
  ...more,
});

function given(now = '2027-01-05T00:00:00Z') {
  const shelf = createShelf();
  shelf.set(now);
  return { shelf, ...rights(shelf.ports) };
}

describe('the HSM', () => {
  const window = { startedAt: at('2027-01-05T00:00:00Z'), readyAt: at('2027-01-05T00:10:00Z') };

  test.each([
    ['active', contoso(), '2027-01-05T00:00:00Z', true],
    ['deleted', contoso({ deletion }), '2027-01-05T00:00:00Z', false],
    ['overdue', contoso({ deletion }), '2027-01-09T00:00:00Z', false],
    ['being updated', contoso({ window: { operation: 'update', ...window } }), '2027-01-05T00:00:01Z', true],
    ['being created', contoso({ window: { operation: 'create', ...window } }), '2027-01-05T00:09:59Z', false],
    ['created, its window over', contoso({ window: { operation: 'create', ...window } }), '2027-01-05T00:10:00Z', true],
    ['being recovered', contoso({ window: { operation: 'recover', ...window } }), '2027-01-05T00:09:59Z', false],
    ['recovered, its window over', contoso({ window: { operation: 'recover', ...window } }), '2027-01-05T00:10:00Z', true],
  ])('I6 is there for requests only while it is active: %s', async (_, record, now, there) => {
    const { shelf, read } = given(now);
    shelf.putHsm(record);
    shelf.put('hsms', 'contoso', 'a!1', wide(ALICE));
    const { hsm, grants } = await read('contoso', undefined);
    expect([hsm !== undefined, grants.length]).toEqual([there, there ? 1 : 0]);
  });

  test('that nobody created is not there, nor are grants that were left behind', async () => {
    const { shelf, read } = given();
    shelf.put('hsms', 'contoso', 'a!1', wide(ALICE));
    shelf.put('hsms', 'contoso', 's!first!1', atFirst());
    expect(await read('contoso', 'first')).toEqual({ hsm: undefined, grants: [] });
  });

  test('and the rights in it are one read; a named key costs one more beside it, at the same time', async () => {
    const { shelf, read } = given();
    shelf.putHsm();
    await read('contoso', undefined);
    expect(shelf.happened()).toEqual(['page hsms contoso !hsm']);
    await read('contoso', 'first');
    expect(shelf.happened()).toEqual(['page hsms contoso !hsm', 'page hsms contoso s!first!']);
  });
});

describe('grants', () => {
  test('are those of the incarnation that stands; those of another count as absent', async () => {
    const { shelf, read } = given();
    shelf.putHsm();
    shelf.put('hsms', 'contoso', 'a!1', wide(ALICE));
    shelf.put('hsms', 'contoso', 'a!2', wide(BOB, 'an earlier one'));
    shelf.put('hsms', 'contoso', 's!first!3', atFirst());
    shelf.put('hsms', 'contoso', 's!first!4', atFirst({ incarnation: 'an earlier one' }));
    const { grants } = await read('contoso', 'first');
    expect(grants).toEqual([{ principalId: ALICE, roleGuid: ROLE }, atFirst()]);
  });

  test('of definitions and debts there are none', async () => {
    const { shelf, read } = given();
    shelf.putHsm();
    shelf.put('hsms', 'contoso', 'd!1', { ...wide(ALICE), name: 'a definition' });
    shelf.put('hsms', 'contoso', 'gone!1', { hsm: 'contoso', incarnation: INCARNATION, by: 'caller' });
    expect((await read('contoso', undefined)).grants).toEqual([]);
  });

  test('of other keys and of other HSMs there are none', async () => {
    const { shelf, read } = given();
    shelf.putHsm();
    shelf.put('hsms', 'contoso', 's!first-b!1', atFirst({ key: 'first-b' }));
    shelf.put('hsms', 'contoso', 's!firs!1', atFirst({ key: 'firs' }));
    shelf.put('hsms', 'contoso-b', 'a!1', wide(ALICE));
    expect((await read('contoso', 'first')).grants).toEqual([]);
  });

  test('are read to the end: a page may be empty and yet continue', async () => {
    const shelf = createShelf({ emptyPages: true });
    shelf.putHsm();
    for (let count = 0; count < 120; count++) shelf.put('hsms', 'contoso', `a!${count}`, wide(`principal ${count}`));
    shelf.put('hsms', 'contoso', 's!first!1', atFirst());
    const { hsm, grants } = await rights(shelf.ports).read('contoso', 'first');
    expect([hsm?.name, grants.length]).toEqual(['Contoso', 121]);
  });
});

describe('a grant at a key', () => {
  const valid = async (keyIncarnation: string | undefined, ...grants: readonly KeyAssignment[]) => {
    const { shelf, valid: validOf } = given();
    if (keyIncarnation !== undefined) shelf.put('keys', INCARNATION, 'k!first', firstKey({ incarnation: keyIncarnation }));
    const found = await validOf(contoso(), [{ principalId: BOB, roleGuid: ROLE }, ...grants], alice);
    return [found.slice(1).length, shelf.happened()];
  };
  const looked = [`row keys ${INCARNATION} k!first`];

  test.each<[string, string | undefined, readonly KeyAssignment[], number, readonly string[]]>([
    ['made for the key that stands', FIRST, [atFirst()], 1, looked],
    ['made for an earlier key of that name', 'another', [atFirst()], 0, looked],
    ['whose key is no more', undefined, [atFirst()], 0, looked],
    ['of a group of the caller', FIRST, [atFirst({ principalId: GROUP_OF_ALICE })], 1, looked],
    ['of somebody else: the key is not looked at', FIRST, [atFirst({ principalId: BOB })], 0, []],
    ['and one of an earlier key', FIRST, [atFirst({ keyIncarnation: 'another' }), atFirst()], 1, looked],
    ['none: the key is not looked at', FIRST, [], 0, []],
  ])('counts for the incarnation it was made for: %s', async (_, stands, grants, count, events) => {
    expect(await valid(stands, ...grants)).toEqual([count, events]);
  });

  test('never takes away what holds for all keys', async () => {
    const { shelf, valid: validOf } = given();
    expect(await validOf(contoso(), [{ principalId: ALICE, roleGuid: ROLE }, atFirst()], alice)).toEqual([{ principalId: ALICE, roleGuid: ROLE }]);
    expect(shelf.happened()).toEqual(looked);
  });
});
