// Every decision about a key but its purge: what is refused, what is planned, down to each row and each hint, and the windows of transition.
import {
  activeKey,
  checkVersions,
  createKey,
  deletedKey,
  deleteKey,
  type FoundKey,
  type KeyChange,
  type KeyRecord,
  type KeySetting,
  recoverKey,
  updateKey,
  updateVersion,
} from '../../shared/domain/key';
import { at, contoso, INCARNATION } from './support/contoso';
import { F0, F1, F2, FIRST, firstKey, KEY_DELETION, keyDeletion, keyPath, keyRowOf, keySetting, keyVersion, olderVersion, rowBeside } from './support/first';
import { type Ending, endingOf, messageOf } from './support/refusals';

const during = at('2027-01-05T00:00:00Z');
const lastSecond = at('2027-01-08T23:59:59Z');
const due = at('2027-01-09T00:00:00Z');

const live = keyRowOf(firstKey());
const deleted = keyRowOf(firstKey({ deletion: keyDeletion }));
/** Deleted, or recovered, on the 5th at midnight, with three seconds of transition. */
const inTransition = { startedAt: at('2027-01-05T00:00:00Z'), readyAt: at('2027-01-05T00:00:03Z') };
const deletedJustNow = keyRowOf(firstKey({ deletion: keyDeletion, window: { operation: 'delete', ...inTransition } }));
const recoveredJustNow = keyRowOf(firstKey({ window: { operation: 'recover', ...inTransition } }));
const inside = at('2027-01-05T00:00:02Z');
const over = at('2027-01-05T00:00:03Z');

const dueRow = rowBeside('due!2027-01-09T00:00:00Z!bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', 'due-etag');

const made = keyVersion({ version: F2, sealed: 'sealed-f2', created: during, updated: during });
const coined = { incarnation: 'coined', wrappedDataKey: 'data-key-of-coined' };
const create = (found: FoundKey, now = during, more: Partial<KeySetting> = {}) => createKey(found, coined, made, keySetting(now, more));

type Asked = readonly [what: string, found: FoundKey, now: number, ending: Ending];

describe('a look', () => {
  test.each<Asked>([
    ['at a live key', live, during, 'accepted'],
    ['at a key just recovered, a second before its transition ends', recoveredJustNow, inside, 'KeyNotFound'],
    ['at it when its transition ends', recoveredJustNow, over, 'accepted'],
    ['at a deleted key', deleted, during, 'KeyNotFound'],
    ['at an overdue key', deleted, due, 'KeyNotFound'],
    ['at no key', undefined, during, 'KeyNotFound'],
  ])('I6 %s, as a live one', (_, found, now, ending) => {
    expect(endingOf(() => activeKey(found, keyPath(), now))).toBe(ending);
  });

  test.each<Asked>([
    ['at a deleted key', deleted, during, 'accepted'],
    ['at a deleted key, a second before it is due', deleted, lastSecond, 'accepted'],
    ['I5 at an overdue key', deleted, due, 'KeyNotFound'],
    ['at a key just deleted, a second before its transition ends', deletedJustNow, inside, 'KeyNotFound'],
    ['at it when its transition ends', deletedJustNow, over, 'accepted'],
    ['at a live key', live, during, 'KeyNotFound'],
    ['at no key', undefined, during, 'KeyNotFound'],
  ])('%s, as a deleted one', (_, found, now, ending) => {
    expect(endingOf(() => deletedKey(found, keyPath(), now))).toBe(ending);
  });

  test('finds the record as it is stored', () => {
    expect(activeKey(live, keyPath(), during)).toBe(live.value);
    expect(deletedKey(deleted, keyPath(), during)).toEqual(deleted.value);
  });

  test('K1 and K2 name the key as the caller wrote it, each on its own side', () => {
    expect(messageOf(() => activeKey(undefined, keyPath(), during))).toBe('Key not found: https://contoso.managedhsm.azure.net/keys/FIRST');
    expect(messageOf(() => deletedKey(undefined, keyPath(), during))).toBe('Key not found: https://contoso.managedhsm.azure.net/deletedkeys/FIRST');
  });
});

describe('a creation', () => {
  test('of a free name inserts the key with its whole version, in the case of the caller, under the name in lower case', () => {
    const record = { name: 'FIRST', incarnation: 'coined', wrappedDataKey: 'data-key-of-coined', versions: 1, current: made };
    expect(create(undefined)).toEqual({
      record,
      plan: { write: { table: 'keys', partition: INCARNATION, writes: [{ kind: 'insert', row: 'k!first', value: record }] }, coins: 'coined', hurry: [] },
    });
  });

  test('of a live name adds a version: the one before goes into a row of its own, everything else of the key stays, and so does its name', () => {
    const record = { name: 'First', incarnation: FIRST, wrappedDataKey: 'wrapped-data-key', versions: 2, current: made, writeId: 'write-1' };
    expect(create(live)).toEqual({
      record,
      plan: {
        write: {
          table: 'keys',
          partition: INCARNATION,
          writes: [
            { kind: 'replace', row: 'k!first', etag: 'key-etag', value: record },
            { kind: 'insert', row: `v!${FIRST}!${F1}`, value: { ...keyVersion(), keyIncarnation: FIRST } },
          ],
        },
        hurry: [],
      },
    });
  });

  test('of a live name leaves no window behind that has ended', () => {
    expect((create(recoveredJustNow, over) as { record: KeyRecord }).record).not.toHaveProperty('window');
  });

  test('of an overdue name asks for the purge first: no plan replaces a record by another incarnation', () => {
    expect(create(deleted, due)).toBe('expire');
    expect(create(deletedJustNow, due)).toBe('expire');
  });

  test.each<Asked>([
    ['no key', undefined, during, 'accepted'],
    ['a live key', live, during, 'accepted'],
    ['a live key of 99 versions', keyRowOf(firstKey({ versions: 99 })), during, 'accepted'],
    ['a live key of 100 versions', keyRowOf(firstKey({ versions: 100 })), during, 'TooManyVersions'],
    ['a deleted key', deleted, during, 'KeyNameHeld'],
    ['a deleted key, a second before it is due', deleted, lastSecond, 'KeyNameHeld'],
    ['a key just deleted', deletedJustNow, inside, 'OperationInProgress'],
    ['a key just recovered', recoveredJustNow, inside, 'OperationInProgress'],
    ['a key just recovered, when its transition ends', recoveredJustNow, over, 'accepted'],
  ])('over %s', (_, found, now, ending) => {
    expect(endingOf(() => create(found, now))).toBe(ending);
  });

  test('K5 names the key as the caller wrote it', () => {
    expect(messageOf(() => create(deleted))).toBe(
      'Key FIRST is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.',
    );
  });

  test('is told of its limit before any work is done', () => {
    expect(endingOf(() => checkVersions(firstKey({ versions: 99 })))).toBe('accepted');
    expect(endingOf(() => checkVersions(firstKey({ versions: 100 })))).toBe('TooManyVersions');
    expect(messageOf(() => checkVersions(firstKey({ versions: 100 })))).toBe('Key First has 100 versions, the most that a key can have. Create a key of another name.');
  });
});

describe('an update', () => {
  const latest = (found: FoundKey, change: KeyChange, now = during) => updateKey(found, change, keySetting(now));

  test.each<[string, KeyChange, object]>([
    ['nothing', {}, {}],
    ['key_ops', { keyOps: ['verify'] }, { keyOps: ['verify'] }],
    ['tags, all of them', { tags: { a: 'b' } }, { tags: { a: 'b' } }],
    ['tags, to none', { tags: {} }, { tags: {} }],
    ['enabled', { attributes: { enabled: false } }, { attributes: { enabled: false, exportable: false } }],
    ['exp', { attributes: { exp: 2_000_000_000 } }, { attributes: { enabled: true, exportable: false, exp: 2_000_000_000 } }],
  ])('of the latest version changes what it names and the time of the update, and nothing else: %s', (_, change, changed) => {
    const record = { ...firstKey(), current: { ...keyVersion(), updated: during, ...changed } };
    expect(latest(live, change)).toEqual({
      record,
      plan: { write: { table: 'keys', partition: INCARNATION, writes: [{ kind: 'replace', row: 'k!first', etag: 'key-etag', value: record }] }, hurry: [] },
    });
  });

  test('keeps an attribute that it does not name', () => {
    const found = keyRowOf(firstKey({ current: keyVersion({ attributes: { enabled: true, exportable: false, nbf: 1, exp: 5 } }) }));
    expect(latest(found, { attributes: { exp: 6 } }).record.current.attributes).toEqual({ enabled: true, exportable: false, nbf: 1, exp: 6 });
  });

  test('of an older version replaces its row, and the key beside it as it is: so no deletion slips between', () => {
    const version = { ...olderVersion.value, keyOps: ['verify'], updated: during };
    expect(updateVersion(live, olderVersion, { keyOps: ['verify'] }, keySetting(during))).toEqual({
      version,
      plan: {
        write: {
          table: 'keys',
          partition: INCARNATION,
          writes: [
            { kind: 'replace', row: 'k!first', etag: 'key-etag', value: firstKey() },
            { kind: 'replace', row: `v!${FIRST}!${F0}`, etag: 'older-etag', value: version },
          ],
        },
        hurry: [],
      },
    });
  });

  test.each<Asked>([
    ['a live key', live, during, 'accepted'],
    ['a deleted key', deleted, during, 'KeyNotFound'],
    ['an overdue key', deleted, due, 'KeyNotFound'],
    ['no key', undefined, during, 'KeyNotFound'],
    ['a key just recovered', recoveredJustNow, inside, 'OperationInProgress'],
    ['a key just deleted', deletedJustNow, inside, 'OperationInProgress'],
    ['a key just recovered, when its transition ends', recoveredJustNow, over, 'accepted'],
    ['a key just deleted, when its transition ends', deletedJustNow, over, 'KeyNotFound'],
  ])('of %s, latest version or older', (_, found, now, ending) => {
    expect(endingOf(() => latest(found, {}, now))).toBe(ending);
    expect(endingOf(() => updateVersion(found, olderVersion, {}, keySetting(now)))).toBe(ending);
  });
});

describe('a deletion', () => {
  const now = at('2027-01-02T00:00:00Z');
  const remove = (found: FoundKey, more: Partial<KeySetting> = {}, when = now) => deleteKey(found, KEY_DELETION, keySetting(when, more));

  test('I1 writes the obligation with the record, and has its timer', () => {
    const record = { ...firstKey(), deletion: keyDeletion };
    const key = { name: 'first', incarnation: FIRST };
    expect(remove(live)).toEqual({
      record,
      plan: {
        timer: { deletionId: KEY_DELETION, hsm: 'contoso', incarnation: INCARNATION, key, purgeAt: at('2027-01-09T00:00:00Z') },
        write: {
          table: 'keys',
          partition: INCARNATION,
          writes: [
            { kind: 'replace', row: 'k!first', etag: 'key-etag', value: record },
            { kind: 'insert', row: `due!2027-01-09T00:00:00Z!${KEY_DELETION}`, value: { ...key, deletionId: KEY_DELETION } },
          ],
        },
        coins: KEY_DELETION,
        hurry: [],
      },
    });
  });

  test.each<[number, number, string]>([
    [7, 86_400, '2027-01-09T00:00:00Z'],
    [90, 86_400, '2027-04-02T00:00:00Z'],
    [7, 1, '2027-01-02T00:00:07Z'],
  ])('I9 is kept for the %i days of its HSM, of %i seconds each', (retentionDays, daySeconds, purgeAt) => {
    expect(remove(live, { hsm: contoso({ settings: { retentionDays } }), daySeconds }).record.deletion).toEqual({ deletionId: KEY_DELETION, deletedAt: now, purgeAt: at(purgeAt) });
  });

  test('opens a window if transitions take their time, and drops the one that has ended', () => {
    expect(remove(live, { transitionSeconds: 3 }).record.window).toEqual({ operation: 'delete', startedAt: now, readyAt: at('2027-01-02T00:00:03Z') });
    expect(remove(recoveredJustNow, {}, over).record).not.toHaveProperty('window');
  });

  test.each<Asked>([
    ['a live key', live, during, 'accepted'],
    ['a deleted key', deleted, during, 'KeyNotFound'],
    ['an overdue key', deleted, due, 'KeyNotFound'],
    ['no key', undefined, during, 'KeyNotFound'],
    ['a key just recovered', recoveredJustNow, inside, 'OperationInProgress'],
    ['a key just deleted', deletedJustNow, inside, 'OperationInProgress'],
    ['a key just recovered, when its transition ends', recoveredJustNow, over, 'accepted'],
  ])('of %s', (_, found, when, ending) => {
    expect(endingOf(() => remove(found, {}, when))).toBe(ending);
  });
});

describe('a recovery', () => {
  test('I10 brings back the record as it was, removes the obligation under its ETag, and ends the timer after the commit', () => {
    expect(recoverKey(deleted, dueRow, keySetting(during))).toEqual({
      record: firstKey(),
      plan: {
        write: {
          table: 'keys',
          partition: INCARNATION,
          writes: [
            { kind: 'replace', row: 'k!first', etag: 'key-etag', value: firstKey() },
            { kind: 'delete', row: `due!2027-01-09T00:00:00Z!${KEY_DELETION}`, etag: 'due-etag' },
          ],
        },
        hurry: [{ kind: 'endTimer', deletionId: KEY_DELETION }],
      },
    });
  });

  test('needs no obligation: one that is not there is not removed', () => {
    expect(recoverKey(deleted, undefined, keySetting(during)).plan.write.writes).toEqual([{ kind: 'replace', row: 'k!first', etag: 'key-etag', value: firstKey() }]);
  });

  test('opens a window if transitions take their time, and drops the one that has ended', () => {
    expect(recoverKey(deletedJustNow, dueRow, keySetting(over, { transitionSeconds: 3 })).record.window).toEqual({
      operation: 'recover',
      startedAt: at('2027-01-05T00:00:03Z'),
      readyAt: at('2027-01-05T00:00:06Z'),
    });
    expect(recoverKey(deletedJustNow, dueRow, keySetting(over)).record).not.toHaveProperty('window');
  });

  test.each<Asked>([
    ['a deleted key', deleted, during, 'accepted'],
    ['a deleted key, a second before it is due', deleted, lastSecond, 'accepted'],
    ['I8 an overdue key', deleted, due, 'KeyNotFound'],
    ['a live key', live, during, 'KeyNotFound'],
    ['no key', undefined, during, 'KeyNotFound'],
    ['a key just deleted', deletedJustNow, inside, 'OperationInProgress'],
    ['a key just deleted, when its transition ends', deletedJustNow, over, 'accepted'],
    ['a key just recovered', recoveredJustNow, inside, 'OperationInProgress'],
  ])('of %s', (_, found, now, ending) => {
    expect(endingOf(() => recoverKey(found, dueRow, keySetting(now)))).toBe(ending);
  });
});
