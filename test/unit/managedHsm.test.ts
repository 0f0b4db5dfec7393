// Every decision about an HSM: what is refused, what is planned, down to each row and each hint, and that a path which is not the record's finds nothing.
import {
  activeAt,
  type DeletedHsmPath,
  deletedAt,
  deleteHsm,
  expireHsm,
  type Found,
  type HsmPath,
  type HsmRecord,
  nameRefusal,
  patchHsm,
  purgeHsm,
  putHsm,
  type Setting,
  softDelete,
  switchesProtectionOn,
} from '../../shared/domain/managedHsm';
import {
  ALICE,
  alice,
  at,
  BOB,
  contoso,
  contosoSettings,
  creation,
  DELETION,
  deletedPath,
  deletion,
  INCARNATION,
  OTHER_SUBSCRIPTION,
  path,
  robot,
  SUBSCRIPTION,
  setting,
  stored,
  TENANT,
} from './support/contoso';
import { type Ending, endingOf, messageOf } from './support/refusals';

const during = at('2027-01-05T00:00:00Z');
const lastSecond = at('2027-01-08T23:59:59Z');
const due = at('2027-01-09T00:00:00Z');
const live = stored(contoso());
const deleted = stored(contoso({ deletion }));
const guarded = stored(contoso({ deletion, settings: { purgeProtection: true } }));
const COINED = { incarnation: 'coined', wrappedSealingKey: 'sealing-key-of-coined' };

const openWindow = { operation: 'update', startedAt: at('2027-01-04T23:00:00Z'), readyAt: at('2027-01-05T00:00:01Z') } as const;
const busy = stored(contoso({ window: openWindow }));

const put = (found: Found, more: Parameters<typeof creation>[0] = {}, to: Partial<HsmPath> = {}, now = during, with_: Partial<Setting> = {}) =>
  putHsm(found, path(to), creation(more), COINED, setting(now, with_));
const recover = (found: Found, to: Partial<HsmPath> = {}, now = during, location = 'West US') => putHsm(found, path(to), { recover: true, location }, COINED, setting(now));

const elsewhere: readonly [string, Partial<HsmPath>][] = [
  ['another subscription', { subscription: OTHER_SUBSCRIPTION }],
  ['another group', { group: 'teams' }],
];

test.each<[string, Found, Partial<HsmPath>, number, Ending]>([
  ['live, by its own path', live, {}, during, 'accepted'],
  ['live, by another subscription', live, { subscription: OTHER_SUBSCRIPTION }, during, 'HsmNotFound'],
  ['live, by another group', live, { group: 'teams' }, during, 'HsmNotFound'],
  ['deleted', deleted, {}, during, 'HsmNotFound'],
  ['overdue', deleted, {}, due, 'HsmNotFound'],
  ['absent', undefined, {}, during, 'HsmNotFound'],
])('I14 a live HSM is found by its own path alone: %s', (_, found, to, now, ending) => {
  expect(endingOf(() => activeAt(found, path(to), now))).toBe(ending);
});

test.each<[string, Found, Partial<DeletedHsmPath>, number, Ending]>([
  ['deleted, by its own location', deleted, {}, during, 'accepted'],
  ['deleted, a second before it is due', deleted, {}, lastSecond, 'accepted'],
  ['I5 overdue', deleted, {}, due, 'DeletedHsmNotFound'],
  ['deleted, by another subscription', deleted, { subscription: OTHER_SUBSCRIPTION }, during, 'DeletedHsmNotFound'],
  ['deleted, by another location', deleted, { location: 'eastus' }, during, 'DeletedHsmNotFound'],
  ['live', live, {}, during, 'DeletedHsmNotFound'],
  ['absent', undefined, {}, during, 'DeletedHsmNotFound'],
])('I14 a deleted HSM is found by its own location alone, for a look and for a purge: %s', (_, found, to, now, ending) => {
  expect(endingOf(() => deletedAt(found, deletedPath(to), now))).toBe(ending);
  expect(endingOf(() => purgeHsm(found, deletedPath(to), now))).toBe(ending);
});

describe('a creation', () => {
  test('inserts the record and an assignment for each administrator in one transaction', () => {
    const now = at('2027-01-01T00:00:00Z');
    const by = { at: now, by: 'alice@contoso.test', byType: 'User' };
    const record = {
      group: 'Team',
      name: 'Contoso',
      incarnation: 'coined',
      wrappedSealingKey: 'sealing-key-of-coined',
      subscription: SUBSCRIPTION,
      settings: { ...contosoSettings, tags: {}, administrators: [ALICE, BOB], retentionDays: 90 },
      created: by,
      modified: by,
    };
    const assignment = { incarnation: 'coined', roleGuid: 'a290e904-7015-4bba-90c8-60543313cdb4', scope: '/' };
    expect(put(undefined, { administrators: [ALICE, BOB] }, {}, now)).toEqual({
      record,
      plan: {
        write: {
          table: 'hsms',
          partition: 'contoso',
          writes: [
            { kind: 'insert', row: '!hsm', value: record },
            { kind: 'insert', row: 'a!id-1', value: { ...assignment, principalId: ALICE } },
            { kind: 'insert', row: 'a!id-2', value: { ...assignment, principalId: BOB } },
          ],
        },
        coins: 'coined',
        hurry: [],
      },
    });
  });

  test('grants what the development setting names beside the administrators, in the same transaction', () => {
    const decided = put(undefined, {}, {}, during, { grantsAtCreation: [{ principalId: BOB, roleGuid: '21dbd100-6940-42c2-9190-5d6cb909625b' }] });
    expect(decided).toMatchObject({
      plan: {
        write: {
          writes: [
            { kind: 'insert', row: '!hsm' },
            { kind: 'insert', row: 'a!id-1', value: { incarnation: 'coined', scope: '/', principalId: ALICE, roleGuid: 'a290e904-7015-4bba-90c8-60543313cdb4' } },
            { kind: 'insert', row: 'a!id-2', value: { incarnation: 'coined', scope: '/', principalId: BOB, roleGuid: '21dbd100-6940-42c2-9190-5d6cb909625b' } },
          ],
        },
      },
    });
  });

  test('by an application is stamped with it', () => {
    expect(put(undefined, {}, {}, during, { caller: robot })).toMatchObject({ record: { created: { by: '99999999-9999-4999-8999-999999999999', byType: 'Application' } } });
  });

  test.each<[string, Partial<HsmPath>, Ending]>([
    ['a name', {}, 'accepted'],
    ['no name', { name: undefined, display: { group: 'Team', name: 'a--b' } }, 'InvalidHsmName'],
  ])('needs a name: %s', (_, to, ending) => {
    expect(endingOf(() => put(undefined, {}, to))).toBe(ending);
  });

  test('quotes at most 64 characters of what is no name', () => {
    expect(messageOf(() => put(undefined, {}, { name: undefined, display: { group: 'Team', name: 'x'.repeat(100) } }))).toContain(`'${'x'.repeat(64)}'`);
  });

  test('opens a window if creations take their time', () => {
    expect(put(undefined, {}, {}, at('2027-01-01T00:00:00Z'), { lroSeconds: (operation) => (operation === 'create' ? 645 : 0) })).toMatchObject({
      record: { window: { operation: 'create', startedAt: at('2027-01-01T00:00:00Z'), readyAt: at('2027-01-01T00:10:45Z') } },
    });
  });
});

describe('a PUT', () => {
  test.each<[string, Found, number, Ending]>([
    ['of a live HSM updates it', live, during, 'accepted'],
    ['of a deleted name is refused: the name is held', deleted, during, 'NameHeldByDeleted'],
    ['of a live HSM whose window is open is refused', busy, during, 'OperationInProgress'],
    ['of that HSM at the end of its window updates it', busy, at('2027-01-05T00:00:01Z'), 'accepted'],
  ])('%s', (_, found, now, ending) => {
    expect(endingOf(() => put(found, {}, {}, now))).toBe(ending);
  });

  test.each(elsewhere)('at %s finds the name in use, live or deleted, and free once it is overdue', (_, to) => {
    expect(endingOf(() => put(live, {}, to))).toBe('NameInUse');
    expect(endingOf(() => put(deleted, {}, to))).toBe('NameInUse');
    expect(endingOf(() => recover(deleted, to))).toBe('NameInUse');
    expect(put(deleted, {}, to, due)).toBe('expire');
  });

  test('of an overdue name asks for the purge first: no plan replaces a record by another incarnation', () => {
    expect(put(deleted, {}, {}, due)).toBe('expire');
  });

  test.each<[string, string | undefined, Ending]>([
    ['a location', 'West US', 'accepted'],
    ['no location', undefined, 'LocationRequired'],
    ['an unknown location', 'Atlantis', 'LocationNotAvailable'],
  ])('must have a location, an update and a recovery as well: %s', (_, location, ending) => {
    const request = { ...(location !== undefined && { location }) };
    expect(endingOf(() => putHsm(live, path(), { recover: false, ...request }, COINED, setting(during)))).toBe(ending);
    expect(endingOf(() => putHsm(deleted, path(), { recover: true, ...request }, COINED, setting(during)))).toBe(ending);
  });
});

describe('an update', () => {
  test('replaces the record under the ETag that was read, and keeps everything but settings and stamp', () => {
    const decided = putHsm(live, path(), { recover: false, location: 'West US', tags: { a: 'b' } }, COINED, setting(during, { caller: robot }));
    const record = {
      ...contoso(),
      settings: { ...contosoSettings, tags: { a: 'b' } },
      modified: { at: during, by: '99999999-9999-4999-8999-999999999999', byType: 'Application' },
    };
    expect(decided).toEqual({
      record,
      plan: { hurry: [], write: { table: 'hsms', partition: 'contoso', writes: [{ kind: 'replace', row: '!hsm', etag: 'etag-1', value: record }] } },
    });
  });

  test.each<[string, Found, boolean, boolean]>([
    ['off, then on', live, true, true],
    ['off, then off', live, false, false],
    ['on, then on', stored(contoso({ settings: { purgeProtection: true } })), true, false],
    ['new, and on', undefined, true, false],
  ])('switches purge protection on, and so needs the fence, only from off: %s', (_, before, purgeProtection, switches) => {
    expect(switchesProtectionOn(before, contoso({ settings: { purgeProtection } }))).toBe(switches);
  });

  test('closes the window that has ended, and opens its own', () => {
    const after = at('2027-01-06T00:00:00Z');
    expect(patchHsm(busy, path(), { recover: false }, setting(after)).record).not.toHaveProperty('window');
    expect(patchHsm(busy, path(), { recover: false }, setting(after, { lroSeconds: () => 245 })).record.window).toEqual({
      operation: 'update',
      startedAt: at('2027-01-06T00:00:00Z'),
      readyAt: at('2027-01-06T00:04:05Z'),
    });
  });

  test.each<[string, Found, Partial<HsmPath>, number, Ending]>([
    ['a live HSM', live, {}, during, 'accepted'],
    ['another subscription', live, { subscription: OTHER_SUBSCRIPTION }, during, 'HsmNotFound'],
    ['another group', live, { group: 'teams' }, during, 'HsmNotFound'],
    ['a deleted HSM', deleted, {}, during, 'HsmNotFound'],
    ['an overdue HSM', deleted, {}, due, 'HsmNotFound'],
    ['no HSM', undefined, {}, during, 'HsmNotFound'],
    ['an open window', busy, {}, during, 'OperationInProgress'],
  ])('by PATCH: %s', (_, found, to, now, ending) => {
    expect(endingOf(() => patchHsm(found, path(to), { recover: false }, setting(now)))).toBe(ending);
  });
});

describe('a recovery', () => {
  test('I10 brings back the record as it was, but for the stamp, and ends the timer after the commit', () => {
    const record: HsmRecord = { ...contoso(), modified: { at: during, by: 'alice@contoso.test', byType: 'User' } };
    expect(recover(deleted)).toEqual({
      record,
      plan: {
        hurry: [{ kind: 'endTimer', deletionId: DELETION }],
        write: { table: 'hsms', partition: 'contoso', writes: [{ kind: 'replace', row: '!hsm', etag: 'etag-1', value: record }] },
      },
    });
  });

  test('looks at nothing in the request but its location', () => {
    const decided = putHsm(
      deleted,
      path(),
      { recover: true, location: 'westus', tags: { other: 'x' }, retentionDays: 90, administrators: [BOB], enableSoftDelete: false },
      COINED,
      setting(during),
    );
    expect(decided).toMatchObject({ record: { settings: contosoSettings } });
  });

  test('of a purge-protected HSM keeps its protection', () => {
    expect(recover(guarded)).toMatchObject({ record: { settings: { purgeProtection: true } } });
  });

  test('of a live HSM at its own path leaves it as it is and writes nothing', () => {
    expect(recover(live)).toEqual({ plan: undefined, record: contoso() });
  });

  test.each<[string, Found, number, string, Ending]>([
    ['deleted', deleted, during, 'West US', 'accepted'],
    ['deleted, a second before it is due', deleted, lastSecond, 'West US', 'accepted'],
    ['I8 overdue', deleted, due, 'West US', 'NotRecoverable'],
    ['absent', undefined, during, 'West US', 'NotRecoverable'],
    ['deleted, to another location', deleted, during, 'East US', 'NotRecoverable'],
    ['deleted, to its location in another writing', deleted, during, 'westus', 'accepted'],
    ['live, its window open', busy, during, 'West US', 'OperationInProgress'],
  ])('%s', (_, found, now, location, ending) => {
    expect(endingOf(() => recover(found, {}, now, location))).toBe(ending);
  });

  test('opens a window if recoveries take their time', () => {
    const decided = putHsm(deleted, path(), { recover: true, location: 'West US' }, COINED, setting(during, { lroSeconds: (operation) => (operation === 'recover' ? 217 : 0) }));
    expect(decided).toMatchObject({ record: { window: { operation: 'recover', startedAt: at('2027-01-05T00:00:00Z'), readyAt: at('2027-01-05T00:03:37Z') } } });
  });
});

describe('a deletion', () => {
  const now = at('2027-01-02T00:00:00Z');

  test('I1 writes the due date with the record, and has its timer', () => {
    const record = { ...contoso(), deletion, modified: { at: now, by: 'alice@contoso.test', byType: 'User' } };
    expect(deleteHsm(live, path(), DELETION, setting(now))).toEqual({
      record,
      plan: {
        timer: { deletionId: DELETION, hsm: 'contoso', incarnation: INCARNATION, purgeAt: at('2027-01-09T00:00:00Z') },
        coins: DELETION,
        hurry: [],
        write: { table: 'hsms', partition: 'contoso', writes: [{ kind: 'replace', row: '!hsm', etag: 'etag-1', value: record }] },
      },
    });
  });

  test('I9 counts the retention of the record, from its acceptance, not from the end of its window', () => {
    const lroSeconds = (operation: string): number => (operation === 'delete' ? 246 : 0);
    const decided = deleteHsm(stored(contoso({ settings: { retentionDays: 90 } })), path(), DELETION, setting(now, { lroSeconds }));
    expect(decided?.record).toMatchObject({
      deletion: { deletedAt: at('2027-01-02T00:00:00Z'), purgeAt: at('2027-04-02T00:00:00Z') },
      window: { operation: 'delete', startedAt: at('2027-01-02T00:00:00Z'), readyAt: at('2027-01-02T00:04:06Z') },
    });
  });

  test.each<[string, Found, Partial<HsmPath>, number]>([
    ['by another subscription', live, { subscription: OTHER_SUBSCRIPTION }, now],
    ['by another group', live, { group: 'teams' }, now],
    ['of a deleted HSM', deleted, {}, during],
    ['of an overdue HSM', deleted, {}, due],
    ['of no HSM', undefined, {}, now],
  ])('%s finds nothing to delete', (_, found, to, when) => {
    expect(deleteHsm(found, path(to), DELETION, setting(when))).toBeUndefined();
    expect(deleteHsm(live, path(), DELETION, setting(when))).toBeDefined();
  });

  test.each<[string, readonly string[], Ending]>([
    ['no secondary region', [], 'accepted'],
    ['secondary regions', ['uksouth', 'eastus2'], 'HasSecondaryRegions'],
  ])('of an HSM with %s', (_, secondaryRegions, ending) => {
    expect(endingOf(() => deleteHsm(stored(contoso({ settings: { secondaryRegions } })), path(), DELETION, setting(now)))).toBe(ending);
  });

  test('names the regions that are in its way', () => {
    expect(messageOf(() => deleteHsm(stored(contoso({ settings: { secondaryRegions: ['uksouth', 'eastus2'] } })), path(), DELETION, setting(now)))).toBe(
      'Soft delete of a pool Contoso that is extended to regions (uksouth, eastus2) is not allowed.',
    );
  });

  test('waits for an open window, but not at a path that is not the record’s', () => {
    expect(endingOf(() => deleteHsm(busy, path(), DELETION, setting(during)))).toBe('OperationInProgress');
    expect(deleteHsm(busy, path({ group: 'teams' }), DELETION, setting(during))).toBeUndefined();
  });

  test('with its group takes secondary regions along', () => {
    expect(softDelete(stored(contoso({ settings: { secondaryRegions: ['uksouth'] } })), DELETION, setting(now)).record.deletion).toEqual(deletion);
  });
});

describe('a purge', () => {
  const removal = (by: string) => ({
    table: 'hsms',
    partition: 'contoso',
    writes: [
      { kind: 'delete', row: '!hsm', etag: 'etag-1' },
      { kind: 'insert', row: `gone!${INCARNATION}`, value: { hsm: 'contoso', incarnation: INCARNATION, by } },
    ],
  });
  const erase = { kind: 'erase', debt: { hsm: 'contoso', incarnation: INCARNATION } };

  test('removes the record and leaves the debt in one transaction, then hurries the erasure and ends the timer', () => {
    expect(purgeHsm(deleted, deletedPath(), during)).toEqual({ write: removal('caller'), removes: INCARNATION, hurry: [erase, { kind: 'endTimer', deletionId: DELETION }] });
  });

  test('I4 is refused under purge protection, and only the deadline purges', () => {
    expect(endingOf(() => purgeHsm(guarded, deletedPath(), during))).toBe('MethodNotAllowed');
    expect(endingOf(() => purgeHsm(deleted, deletedPath(), during))).toBe('accepted');
    expect(expireHsm(guarded, DELETION, 'timer', due, due)).toMatchObject({ removes: INCARNATION });
  });

  test('has no window to wait for', () => {
    const closing = stored(contoso({ deletion, window: { operation: 'delete', startedAt: deletion.deletedAt, readyAt: at('2027-01-20T00:00:00Z') } }));
    expect(endingOf(() => purgeHsm(closing, deletedPath(), during))).toBe('accepted');
    expect(expireHsm(closing, DELETION, 'sweeper', due, due)).toMatchObject({ removes: INCARNATION });
  });

  test.each<'timer' | 'sweeper' | 'create'>(['timer', 'sweeper', 'create'])('at the deadline by the %s says so in the debt, and ends no timer', (by) => {
    expect(expireHsm(deleted, DELETION, by, due, due)).toEqual({ write: removal(by), removes: INCARNATION, hurry: [erase] });
  });

  test.each<[string, number, number]>([
    ['both clocks a second before', lastSecond, lastSecond],
    ['only the host’s clock there', lastSecond, due],
    ['only the storage’s clock there', due, lastSecond],
  ])('I4 at the deadline needs both clocks: %s, look again', (_, now, hostNow) => {
    expect(expireHsm(deleted, DELETION, 'timer', now, hostNow)).toEqual({ lookAgainAt: due });
    expect(expireHsm(deleted, DELETION, 'timer', due, due)).toHaveProperty('removes');
  });

  test.each<[string, Found, string]>([
    ['I11 of an older deletion', deleted, '00000000-0000-4000-8000-000000000000'],
    ['of a recovered HSM', live, DELETION],
    ['of no HSM', undefined, DELETION],
  ])('at the deadline %s does nothing', (_, found, deletionId) => {
    expect(expireHsm(found, deletionId, 'timer', due, due)).toBe('nothing');
  });
});

test.each<[string, Found, number, string | undefined]>([
  ['Contoso', live, during, 'AlreadyExists'],
  ['contoso', deleted, during, 'AlreadyExists'],
  ['contoso', deleted, due, undefined],
  ['contoso', undefined, during, undefined],
  ['a--b', undefined, during, 'AccountNameInvalid'],
  ['', undefined, during, 'AccountNameInvalid'],
])('the name %j: %#', (name, found, now, refusal) => {
  expect(nameRefusal(name, found, now)).toBe(refusal);
});

test('the service’s tenant and the caller are all that a setting adds', () => {
  expect(put(undefined, { tenantId: TENANT })).toMatchObject({ record: { settings: { tenantId: TENANT }, created: { by: alice.displayName } } });
});
