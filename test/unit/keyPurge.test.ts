// The end of a key: the purge by a caller under the fence of purge protection, the purge at the deadline, and the fence itself, down to each row and each hint.
import { closingFence, expireKey, type Fence, type FoundKey, type KeySetting, openingFence, purgeKey } from '../../shared/domain/key';
import { at, contoso, INCARNATION } from './support/contoso';
import { FIRST, firstKey, KEY_DELETION, keyDeletion, keyRowOf, keySetting, rowBeside } from './support/first';
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

const dueRow = rowBeside('due!2027-01-09T00:00:00Z!bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', 'due-etag');
const guard = rowBeside('guard', 'guard-etag');
const open = rowBeside('open', 'open-etag');
const unfenced: Fence = { guard: undefined, open: undefined };
const opened: Fence = { guard, open };
const closed: Fence = { guard, open: undefined };

type Asked = readonly [what: string, found: FoundKey, now: number, ending: Ending];

/** The record goes, its obligation goes, the debt comes. */
const removal = (by: string, ...fence: readonly object[]) => ({
  table: 'keys',
  partition: INCARNATION,
  writes: [
    { kind: 'delete', row: 'k!first', etag: 'key-etag' },
    { kind: 'delete', row: `due!2027-01-09T00:00:00Z!${KEY_DELETION}`, etag: 'due-etag' },
    ...fence,
    { kind: 'insert', row: `gone!${FIRST}`, value: { name: 'first', incarnation: FIRST, hsm: 'contoso', hsmIncarnation: INCARNATION, by } },
  ],
});
const erase = { kind: 'erase', debt: { hsm: 'contoso', incarnation: INCARNATION, key: { name: 'first', incarnation: FIRST } } };

describe('a purge by a caller', () => {
  const purge = (found: FoundKey, fence: Fence, now = during, more: Partial<KeySetting> = {}) => purgeKey(found, dueRow, fence, keySetting(now, more));
  const protectedHsm = { hsm: contoso({ settings: { purgeProtection: true } }) };

  test('I4 the first of an HSM inserts both rows of the fence, so that whoever switches protection on meanwhile is noticed', () => {
    expect(purge(deleted, unfenced)).toEqual({
      write: removal('caller', { kind: 'insert', row: 'guard', value: {} }, { kind: 'insert', row: 'open', value: {} }),
      removes: FIRST,
      hurry: [erase, { kind: 'endTimer', deletionId: KEY_DELETION }],
    });
  });

  test('I4 each later one touches `open`, and so fails when it is gone at the commit', () => {
    expect(purge(deleted, opened)).toEqual({
      write: removal('caller', { kind: 'touch', row: 'open' }),
      removes: FIRST,
      hurry: [erase, { kind: 'endTimer', deletionId: KEY_DELETION }],
    });
  });

  test('of a key without obligation removes none', () => {
    const { write } = purgeKey(deleted, undefined, opened, keySetting(during));
    expect(write.writes.map(({ kind, row }) => `${kind} ${row}`)).toEqual(['delete k!first', 'touch open', `insert gone!${FIRST}`]);
  });

  test.each<[string, Fence, Partial<KeySetting>, Ending]>([
    ['protection off, no fence yet', unfenced, {}, 'accepted'],
    ['protection off, the fence open', opened, {}, 'accepted'],
    ['protection off, the fence closed: somebody is switching it on', closed, {}, 'KeyPurgeProtected'],
    ['protection on, no fence yet', unfenced, protectedHsm, 'KeyPurgeProtected'],
    ['protection on, the fence open', opened, protectedHsm, 'KeyPurgeProtected'],
    ['protection on, the fence closed', closed, protectedHsm, 'KeyPurgeProtected'],
  ])('I4 %s', (_, fence, more, ending) => {
    expect(endingOf(() => purge(deleted, fence, during, more))).toBe(ending);
  });

  test.each<Asked>([
    ['a deleted key', deleted, during, 'accepted'],
    ['a deleted key, a second before it is due', deleted, lastSecond, 'accepted'],
    ['I5 an overdue key', deleted, due, 'KeyNotFound'],
    ['a live key', live, during, 'KeyNotFound'],
    ['no key', undefined, during, 'KeyNotFound'],
    ['a key just deleted: a purge has no window', deletedJustNow, inside, 'accepted'],
    ['a key just recovered', recoveredJustNow, inside, 'KeyNotFound'],
  ])('of %s', (_, found, now, ending) => {
    expect(endingOf(() => purge(found, opened, now))).toBe(ending);
  });

  test('what is not there is not found, protected or not', () => {
    expect(endingOf(() => purge(undefined, closed, during, protectedHsm))).toBe('KeyNotFound');
    expect(messageOf(() => purge(live, opened))).toBe('Key not found: https://contoso.managedhsm.azure.net/deletedkeys/FIRST');
    expect(messageOf(() => purge(deleted, closed))).toBe('Operation purge is not allowed on key First: purge protection is on, and the key goes at its scheduled purge date.');
  });
});

describe('the purge at the deadline', () => {
  type Hint = Parameters<typeof expireKey>[2];
  const expire = (found: FoundKey, hint: Partial<Hint> = {}) =>
    expireKey(found, dueRow, { deletionId: KEY_DELETION, by: 'timer', now: due, hostNow: due, ...hint }, { name: 'contoso', incarnation: INCARNATION });
  const lookAgain = { lookAgainAt: at('2027-01-09T00:00:00Z') };

  test.each(['timer', 'sweeper', 'create'] as const)('is a removal that asks no fence and ends no timer; the debt says who: %s', (by) => {
    expect(expire(deleted, { by })).toEqual({ write: removal(by), removes: FIRST, hurry: [erase] });
  });

  test.each<[string, FoundKey, Partial<Hint>, unknown]>([
    ['I11 another deletion of the same key', deleted, { deletionId: 'another' }, 'nothing'],
    ['a key that was recovered', live, {}, 'nothing'],
    ['no key', undefined, {}, 'nothing'],
    ['I4 the storage’s clock a second short', deleted, { now: lastSecond }, lookAgain],
    ['I4 the host’s clock a second short', deleted, { hostNow: lastSecond }, lookAgain],
    ['both clocks short', deleted, { now: during, hostNow: during }, lookAgain],
  ])('%s', (_, found, hint, answer) => {
    expect(expire(found, hint)).toEqual(answer);
  });

  test('works while a window is open: it has none', () => {
    const window = { operation: 'delete', startedAt: lastSecond, readyAt: at('2027-01-09T00:01:00Z') } as const;
    expect(expire(keyRowOf(firstKey({ deletion: keyDeletion, window })))).toMatchObject({ removes: FIRST });
  });
});

describe('the fence', () => {
  test.each<[string, Fence, readonly object[]]>([
    ['by its guard alone where there is none yet', unfenced, [{ kind: 'insert', row: 'guard', value: {} }]],
    [
      'by removing `open`, the guard written anew under its ETag',
      opened,
      [
        { kind: 'replace', row: 'guard', etag: 'guard-etag', value: {} },
        { kind: 'delete', row: 'open', etag: '*' },
      ],
    ],
    ['once more where it is closed, so that its age tells when somebody last closed it', closed, [{ kind: 'replace', row: 'guard', etag: 'guard-etag', value: {} }]],
  ])('is closed %s', (_, fence, writes) => {
    expect(closingFence(INCARNATION, fence)).toEqual({ table: 'keys', partition: INCARNATION, writes });
  });

  test('is opened only if nobody has closed it anew since the guard was read', () => {
    expect(openingFence(guard)).toEqual({
      table: 'keys',
      partition: INCARNATION,
      writes: [
        { kind: 'replace', row: 'guard', etag: 'guard-etag', value: {} },
        { kind: 'insert', row: 'open', value: {} },
      ],
    });
  });
});
