// The sweeper, and what deadlines and debts of keys come to by whichever hint: each rule on the memory store, with the storage's clock set by hand.
import type { KeyRecord, VersionRecord } from '../../shared/domain/key';
import type { Deletion } from '../../shared/domain/lifecycle';
import type { Debt, Timer, Value } from '../../shared/domain/plan';
import { retention } from '../../shared/service/retention';
import { sweeper } from '../../shared/service/sweep';
import { at, contoso, DELETION, deletion, INCARNATION, SUBSCRIPTION } from './support/contoso';
import { F0, F1, F2, FIRST, firstKey, KEY_DELETION, keyDeletion, keyVersion } from './support/first';
import { endingOfAsync } from './support/refusals';
import { createShelf, parameters } from './support/shelf';

const nothing = { expired: 0, softDeleted: 0, groupsClosed: 0, debtsSent: 0, guardsHealed: 0, failed: 0 };

function given({ now = '2027-01-05T00:00:00Z', emptyPages = false, erasePageRows = 100 } = {}) {
  const shelf = createShelf({ emptyPages });
  shelf.set('2027-01-01T00:00:00Z');
  const values = parameters({ erasePageRows });
  const kept = retention(shelf.ports, values);
  /** A deleted key with its obligation; due on the 9th unless said otherwise. */
  const putDeleted = (name: string, by: Partial<Deletion> = {}, hsm = INCARNATION): void => {
    const of: Deletion = { ...keyDeletion, deletionId: `deletion-of-${name}`, ...by };
    const text = new Date(of.purgeAt * 1000).toISOString().replace('.000', '');
    shelf.put('keys', hsm, `k!${name}`, firstKey({ name, incarnation: `incarnation-of-${name}`, deletion: of }));
    shelf.put('keys', hsm, `due!${text}!${of.deletionId}`, { name, incarnation: `incarnation-of-${name}`, deletionId: of.deletionId });
  };
  return { shelf, putDeleted, ...kept, ...sweeper(shelf.ports, values, kept), begin: () => shelf.set(now) };
}

describe('the sweeper and keys', () => {
  test.each([
    ['a second before', '2027-01-08T23:59:59Z', 0, ['due!2027-01-09T00:00:00Z!deletion-of-first', 'k!first']],
    ['at its deadline', '2027-01-09T00:00:00Z', 1, ['gone!incarnation-of-first']],
    ['days later', '2027-01-19T00:00:00Z', 1, ['gone!incarnation-of-first']],
  ])('I15 a key goes at its deadline with every other hint lost: %s', async (_, now, expired, rows) => {
    const { shelf, putDeleted, sweep, begin } = given({ now });
    shelf.putHsm();
    putDeleted('first');
    begin();
    const report = await sweep();
    expect([report.expired, report.failed, shelf.rows('keys', INCARNATION)]).toEqual([expired, 0, rows]);
    if (expired) expect(shelf.find('keys', INCARNATION, 'gone!incarnation-of-first')?.value).toMatchObject({ by: 'sweeper', hsm: 'contoso', hsmIncarnation: INCARNATION });
  });

  test('a deleted HSM’s keys keep their own deadlines', async () => {
    const { shelf, putDeleted, sweep, begin } = given({ now: '2027-01-09T00:00:00Z' });
    shelf.putHsm(contoso({ deletion: { ...deletion, purgeAt: at('2027-02-01T00:00:00Z') } }));
    putDeleted('first');
    putDeleted('second', { purgeAt: at('2027-01-10T00:00:00Z') });
    begin();
    expect(await sweep()).toMatchObject({ expired: 1, failed: 0 });
    expect(shelf.rows('keys', INCARNATION)).toEqual(['due!2027-01-10T00:00:00Z!deletion-of-second', 'gone!incarnation-of-first', 'k!second']);
  });

  test('I4 the host’s clock has its veto', async () => {
    const { shelf, putDeleted, sweep } = given();
    shelf.putHsm();
    putDeleted('first');
    shelf.set('2027-01-09T00:00:00Z', -1);
    expect(await sweep()).toEqual(nothing);
    shelf.set('2027-01-09T00:00:00Z', 0);
    expect(await sweep()).toMatchObject({ expired: 1 });
  });

  test('purge protection does not ask at the deadline', async () => {
    const { shelf, putDeleted, sweep, begin } = given({ now: '2027-01-09T00:00:00Z' });
    shelf.putHsm(contoso({ settings: { purgeProtection: true } }));
    shelf.put('keys', INCARNATION, 'guard', {});
    putDeleted('first');
    begin();
    expect(await sweep()).toMatchObject({ expired: 1, guardsHealed: 0, failed: 0 });
    expect(shelf.rows('keys', INCARNATION)).toEqual(['gone!incarnation-of-first', 'guard']);
  });

  test('what waits costs nothing: a hundred deleted keys, two reads', async () => {
    const { shelf, putDeleted, sweep, begin } = given({ now: '2027-01-08T00:00:00Z' });
    shelf.putHsm();
    for (let count = 0; count < 100; count++) putDeleted(`key-${count}`);
    begin();
    expect(await sweep()).toEqual(nothing);
    expect(shelf.happened().filter((event) => event.includes(INCARNATION))).toEqual([`page keys ${INCARNATION} due!`, `page keys ${INCARNATION} gone!`]);
  });

  test('debts of keys and of HSMs are sent again, each with its ids', async () => {
    const { shelf, sweep, begin } = given();
    shelf.putHsm();
    shelf.put('keys', INCARNATION, `gone!${FIRST}`, { name: 'first', incarnation: FIRST, hsm: 'contoso', hsmIncarnation: INCARNATION, by: 'caller' });
    shelf.put('hsms', 'fabrikam', 'gone!earlier', { hsm: 'fabrikam', incarnation: 'earlier', by: 'timer' });
    begin();
    expect(await sweep()).toEqual({ ...nothing, debtsSent: 2 });
    expect(shelf.happened().filter((event) => event.startsWith('send'))).toEqual([`send contoso ${INCARNATION} first ${FIRST}`, 'send fabrikam earlier']);
  });

  test('one failing entry does not stop it, nor does one failing HSM', async () => {
    const { shelf, putDeleted, sweep, begin } = given({ now: '2027-01-09T00:00:00Z' });
    shelf.putHsm();
    shelf.putHsm(contoso({ name: 'adatum', incarnation: 'of-adatum' }));
    for (const name of ['first', 'second', 'third']) putDeleted(name);
    begin();
    shelf.fail(`row keys ${INCARNATION} k!second`);
    shelf.fail('page keys of-adatum due!');
    const report = await sweep();
    expect([report.expired, report.failed]).toEqual([2, 2]);
    expect(shelf.rows('keys', INCARNATION)).toEqual(['due!2027-01-09T00:00:00Z!deletion-of-second', 'gone!incarnation-of-first', 'gone!incarnation-of-third', 'k!second']);
    expect(shelf.events).toContain('error: sweep: expired failed for deletion-of-second');
    shelf.heal();
    expect(await sweep()).toMatchObject({ expired: 1, failed: 0 });
  });

  test('reads on over empty pages', async () => {
    const { shelf, putDeleted, sweep, begin } = given({ now: '2027-01-09T00:00:00Z', emptyPages: true });
    shelf.putHsm();
    putDeleted('first');
    shelf.put('keys', INCARNATION, 'guard', {});
    shelf.put('hsms', 'fabrikam', 'gone!earlier', { hsm: 'fabrikam', incarnation: 'earlier', by: 'timer' });
    begin();
    expect(await sweep()).toEqual({ ...nothing, expired: 1, debtsSent: 2, guardsHealed: 1 });
  });
});

describe('the sweeper and the fence', () => {
  const closedOver = (hsm = contoso(), rows: readonly string[] = ['guard']) => {
    const world = given();
    world.shelf.putHsm(hsm);
    for (const row of rows) world.shelf.put('keys', INCARNATION, row, {});
    return world;
  };

  /** Closed at midnight on the 1st; two function time-outs are ten minutes. */
  test.each<[string, Parameters<typeof contoso>[0], readonly string[], string, boolean]>([
    ['closed for ten minutes', {}, ['guard'], '2027-01-01T00:10:00Z', true],
    ['closed for a second less: its protection may be on its way', {}, ['guard'], '2027-01-01T00:09:59Z', false],
    ['over a protected HSM', { settings: { purgeProtection: true } }, ['guard'], '2027-01-01T00:10:00Z', false],
    ['over a deleted HSM', { deletion }, ['guard'], '2027-01-02T00:00:00Z', true],
    ['open', {}, ['guard', 'open'], '2027-01-01T00:10:00Z', false],
    ['not there', {}, [], '2027-01-01T00:10:00Z', false],
  ])('a guard closed over an unprotected HSM is opened after two time-outs: %s', async (_, more, rows, now, heals) => {
    const { shelf, sweep } = closedOver(contoso(more), rows);
    const before = shelf.find('hsms', 'contoso', '!hsm');
    shelf.set(now);
    expect((await sweep()).guardsHealed).toBe(heals ? 1 : 0);
    expect(shelf.rows('keys', INCARNATION)).toEqual(heals ? ['guard', 'open'] : rows);
    const after = shelf.find('hsms', 'contoso', '!hsm');
    expect(after?.value).toEqual(before?.value);
    expect(after?.etag !== before?.etag).toBe(heals);
  });

  test('touches the record first, so that a protection on its way fails; only then opens', async () => {
    const { shelf, sweep } = closedOver();
    shelf.set('2027-01-01T00:10:00Z');
    await sweep();
    expect(shelf.happened().filter((event) => event.startsWith('transact'))).toEqual(['transact replace !hsm', 'transact replace guard, insert open']);
  });

  test('I4 leaves it closed when the protection was written meanwhile', async () => {
    const { shelf, sweep } = closedOver();
    shelf.set('2027-01-01T00:10:00Z');
    shelf.meanwhile(() => shelf.putHsm(contoso({ settings: { purgeProtection: true } })));
    expect((await sweep()).guardsHealed).toBe(0);
    expect(shelf.rows('keys', INCARNATION)).toEqual(['guard']);
    expect(shelf.find<Value>('hsms', 'contoso', '!hsm')?.value).toMatchObject({ settings: { purgeProtection: true } });
  });

  test('I4 leaves it closed when somebody has closed it anew since it was read', async () => {
    const { shelf, sweep } = closedOver();
    shelf.set('2027-01-01T00:10:00Z');
    shelf.meanwhile(() => shelf.put('keys', INCARNATION, 'guard', {}));
    expect((await sweep()).guardsHealed).toBe(0);
    expect(shelf.rows('keys', INCARNATION)).toEqual(['guard']);
  });

  test('leaves the guard of an HSM that was created anew meanwhile', async () => {
    const { shelf, sweep } = closedOver();
    shelf.set('2027-01-01T00:10:00Z');
    const { row } = shelf.ports.store;
    Object.assign(shelf.ports.store, {
      row: async (...read: Parameters<typeof row>) => {
        if (read[2] === '!hsm') shelf.putHsm(contoso({ incarnation: 'another' }));
        return row(...read);
      },
    });
    expect((await sweep()).guardsHealed).toBe(0);
    expect(shelf.rows('keys', INCARNATION)).toEqual(['guard']);
  });
});

describe('the sweeper, HSMs and groups', () => {
  test.each([
    ['2027-01-08T23:59:59Z', 0, ['!hsm']],
    ['2027-01-09T00:00:00Z', 1, [`gone!${INCARNATION}`]],
  ])('an HSM due on the 9th, at %s', async (now, expired, rows) => {
    const { shelf, sweep, begin } = given({ now });
    shelf.putHsm(contoso({ deletion }));
    begin();
    expect(await sweep()).toMatchObject({ expired, failed: 0 });
    expect(shelf.rows('hsms', 'contoso')).toEqual(rows);
  });

  test('story 17: an HSM that landed in a group being deleted is soft-deleted; the group goes once none did for two time-outs', async () => {
    const { shelf, sweep } = given();
    shelf.putHsm();
    shelf.put('subscriptions', SUBSCRIPTION, 'g!team', { name: 'Team', location: 'westus', tags: {}, deleting: { since: at('2027-01-01T00:00:00Z') } });
    shelf.set('2027-01-01T00:10:00Z');
    expect(await sweep()).toEqual({ ...nothing, softDeleted: 1 });
    expect(shelf.find<Value>('hsms', 'contoso', '!hsm')?.value).toMatchObject({ deletion: { deletedAt: at('2027-01-01T00:10:00Z'), purgeAt: at('2027-01-08T00:10:00Z') } });
    shelf.set('2027-01-01T00:09:59Z');
    expect(await sweep()).toEqual(nothing);
    shelf.set('2027-01-01T00:10:00Z');
    expect(await sweep()).toEqual({ ...nothing, groupsClosed: 1 });
    expect(shelf.rows('subscriptions', SUBSCRIPTION)).toEqual([]);
  });
});

describe('the timer of a key', () => {
  const timer: Timer = { deletionId: KEY_DELETION, hsm: 'contoso', incarnation: INCARNATION, key: { name: 'first', incarnation: FIRST }, purgeAt: keyDeletion.purgeAt };
  const lookAgain = { kind: 'lookAgain', lookAgainAt: at('2027-01-09T00:00:00Z') };
  const deleted = firstKey({ deletion: keyDeletion });
  const world = (key: KeyRecord | undefined, hsm = contoso()) => {
    const { shelf, look } = given();
    shelf.putHsm(hsm);
    if (key) shelf.put('keys', INCARNATION, 'k!first', key);
    if (key?.deletion)
      shelf.put('keys', INCARNATION, `due!2027-01-09T00:00:00Z!${key.deletion.deletionId}`, { name: 'first', incarnation: FIRST, deletionId: key.deletion.deletionId });
    return { shelf, look };
  };

  test.each<[string, KeyRecord | undefined]>([
    ['deleted', deleted],
    ['live: the write of the deletion may not have come yet', firstKey()],
    ['not there', undefined],
  ])('story 2: before its own date it always looks again, whatever it finds: %s', async (_, key) => {
    const { shelf, look } = world(key);
    shelf.set('2027-01-08T23:59:59Z');
    expect(await look(timer)).toEqual(lookAgain);
  });

  test.each<[string, KeyRecord | undefined, Parameters<typeof contoso>[0], readonly string[]]>([
    ['its key goes', deleted, {}, [`gone!${FIRST}`]],
    ['its key goes, its HSM deleted', deleted, { deletion: { ...deletion, purgeAt: at('2027-02-01T00:00:00Z') } }, [`gone!${FIRST}`]],
    ['a recovered key stays', firstKey(), {}, ['k!first']],
    ['I11 a newer deletion of the same key stays', firstKey({ deletion: { ...keyDeletion, deletionId: DELETION } }), {}, [`due!2027-01-09T00:00:00Z!${DELETION}`, 'k!first']],
    ['no key', undefined, {}, []],
    ['its HSM of another incarnation', deleted, { incarnation: 'another' }, [`due!2027-01-09T00:00:00Z!${KEY_DELETION}`, 'k!first']],
  ])('at its date it is done: %s', async (_, key, hsm, rows) => {
    const { shelf, look } = world(key, contoso(hsm));
    shelf.set('2027-01-09T00:00:00Z');
    expect(await look(timer)).toEqual({ kind: 'done' });
    expect(shelf.rows('keys', INCARNATION)).toEqual(rows);
    if (rows[0] === `gone!${FIRST}`) expect(shelf.find<Value>('keys', INCARNATION, `gone!${FIRST}`)?.value).toMatchObject({ by: 'timer' });
    expect(await look(timer)).toEqual({ kind: 'done' });
  });

  test('I4 it looks again while the host’s clock is behind', async () => {
    const { shelf, look } = world(deleted);
    shelf.set('2027-01-09T00:00:00Z', -1);
    expect(await look(timer)).toEqual(lookAgain);
    expect(shelf.find('keys', INCARNATION, 'k!first')).toBeDefined();
  });

  test('a key without its obligation goes as well', async () => {
    const { shelf, look } = given();
    shelf.putHsm();
    shelf.put('keys', INCARNATION, 'k!first', deleted);
    shelf.set('2027-01-09T00:00:00Z');
    expect(await look(timer)).toEqual({ kind: 'done' });
    expect(shelf.rows('keys', INCARNATION)).toEqual([`gone!${FIRST}`]);
  });
});

describe('erasing what a purged key owned', () => {
  const debt: Debt = { hsm: 'contoso', incarnation: INCARNATION, key: { name: 'first', incarnation: FIRST } };
  const owed = { name: 'first', incarnation: FIRST, hsm: 'contoso', hsmIncarnation: INCARNATION, by: 'caller' };
  const version = (keyIncarnation: string): VersionRecord => ({ ...keyVersion({ version: F0 }), keyIncarnation });
  const grant = (keyIncarnation: string) => ({ incarnation: INCARNATION, keyIncarnation, key: 'first', principalId: 'p', roleGuid: 'r' });

  /** The purged key's rows, and those of a key of the same name that was created since. */
  const world = (more: { erasePageRows?: number; emptyPages?: boolean } = {}) => {
    const { shelf, erase } = given(more);
    shelf.putHsm();
    shelf.put('keys', INCARNATION, `gone!${FIRST}`, owed);
    for (const one of [F0, F1, F2]) shelf.put('keys', INCARNATION, `v!${FIRST}!${one}`, version(FIRST));
    shelf.put('keys', INCARNATION, 'k!first', firstKey({ incarnation: 'created-since' }));
    shelf.put('keys', INCARNATION, `v!created-since!${F0}`, version('created-since'));
    shelf.put('hsms', 'contoso', 's!first!1', grant(FIRST));
    shelf.put('hsms', 'contoso', 's!first!2', grant('created-since'));
    shelf.put('hsms', 'contoso', 's!second!3', { ...grant('of second'), key: 'second' });
    shelf.happened();
    return { shelf, erase };
  };
  const kept = ['k!first', `v!created-since!${F0}`];

  test('I3 takes versions and assignments of that incarnation, page by page, and nothing of the key created since', async () => {
    const { shelf, erase } = world();
    expect(await erase(debt)).toBe('erased a page');
    expect(shelf.rows('keys', INCARNATION)).toEqual([`gone!${FIRST}`, ...kept]);
    expect(await erase(debt)).toBe('erased a page');
    expect(shelf.rows('hsms', 'contoso')).toEqual(['!hsm', 's!first!2', 's!second!3']);
    expect(await erase(debt)).toBe('nothing left');
    expect(shelf.happened().filter((event) => event.startsWith('send'))).toEqual([1, 2].map(() => `send contoso ${INCARNATION} first ${FIRST}`));
  });

  test('takes at most so many rows a message', async () => {
    const { shelf, erase } = world({ erasePageRows: 2 });
    expect(await erase(debt)).toBe('erased a page');
    expect(shelf.rows('keys', INCARNATION)).toEqual([`gone!${FIRST}`, ...kept, `v!${FIRST}!${F2}`].sort());
  });

  test.each([
    ['a second less', '2027-01-01T00:09:59Z', 'nothing left', [`gone!${FIRST}`]],
    ['two time-outs', '2027-01-01T00:10:00Z', 'closed', []],
  ])('closes the debt when there is nothing left and it is two time-outs old: %s', async (_, now, answer, rows) => {
    const { shelf, erase } = given();
    shelf.put('keys', INCARNATION, `gone!${FIRST}`, owed);
    shelf.set(now);
    expect(await erase(debt)).toBe(answer);
    expect(shelf.rows('keys', INCARNATION)).toEqual(rows);
  });

  test('story 12: an empty page is not the end', async () => {
    const { shelf, erase } = world({ emptyPages: true });
    shelf.set('2027-01-01T00:10:00Z');
    expect(await erase(debt)).toBe('erased a page');
  });

  test('story 10: without a debt it erases nothing, whatever there is', async () => {
    const { shelf, erase } = world();
    shelf.memory.transact({ table: 'keys', partition: INCARNATION, writes: [{ kind: 'delete', row: `gone!${FIRST}`, etag: '*' }] });
    const before = shelf.memory.snapshot();
    shelf.set('2027-02-01T00:00:00Z');
    expect(await erase(debt)).toBe('no debt');
    expect(shelf.memory.snapshot()).toEqual(before);
  });

  test('what is owed stands in the debt: a message with a live id and other names erases nothing else', async () => {
    const { shelf, erase } = world();
    shelf.put('hsms', 'fabrikam', 's!second!4', grant(FIRST));
    await erase({ hsm: 'fabrikam', incarnation: INCARNATION, key: { name: 'second', incarnation: FIRST } });
    await erase({ hsm: 'fabrikam', incarnation: INCARNATION, key: { name: 'second', incarnation: FIRST } });
    expect([shelf.rows('hsms', 'fabrikam'), shelf.rows('hsms', 'contoso')]).toEqual([['s!second!4'], ['!hsm', 's!first!2', 's!second!3']]);
  });

  test('a page that is not known to be erased is for the queue to bring again: no message of its own is sent', async () => {
    const { shelf, erase } = world();
    Object.assign(shelf.ports.store, { transact: async () => ({ kind: 'unknown' }) });
    expect(await endingOfAsync(() => erase(debt))).toBe('Unavailable');
    expect(shelf.events.filter((event) => event.startsWith('send'))).toEqual([]);
  });

  test('of a purged HSM takes everything in its partition of keys, and its assignments at keys', async () => {
    const { shelf, erase } = world();
    shelf.put('hsms', 'contoso', `gone!${INCARNATION}`, { hsm: 'contoso', incarnation: INCARNATION, by: 'timer' });
    shelf.put('keys', 'another', 'k!first', firstKey());
    const answers: string[] = [];
    for (let message = 0; message < 3; message++) answers.push(await erase({ hsm: 'contoso', incarnation: INCARNATION }));
    expect(answers).toEqual(['erased a page', 'erased a page', 'nothing left']);
    expect([shelf.rows('keys', INCARNATION), shelf.rows('keys', 'another')]).toEqual([[], ['k!first']]);
    expect(shelf.rows('hsms', 'contoso')).toEqual(['!hsm', `gone!${INCARNATION}`]);
  });
});
