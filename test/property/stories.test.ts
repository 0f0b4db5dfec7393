// The stories that break a design which looks right: each played by hand on the simulator's world, with its oracle watching.
import type { OrchestrationContext } from 'durable-functions';
import type { HsmRecord } from '../../shared/domain/managedHsm';
import { appInItsPlace as mockApp } from './simulator/orchestrator';
import { given, key, put, secondsOf, task } from './simulator/story';

jest.mock('../../shared/app', () => mockApp);
jest.mock('durable-functions', () => ({ app: { orchestration: () => undefined, activity: () => undefined } }));

const DAY = 86_400;
const deletionOf = (record: HsmRecord | undefined): string | undefined => record?.deletion?.deletionId;

test('story 1: a clean-up message that comes before the purge commits erases nothing, and the purge leaves a debt that needs no message', async () => {
  const world = await given();
  await world.run(put());
  await world.run(key('keyCreate'));
  await world.run(task('remove'));
  const { incarnation } = world.record() as HsmRecord;
  const purge = await world.begin(task('purge'));
  await purge.to('write');
  expect(await world.erase(incarnation)).toBe('no debt');
  expect(world.rows(incarnation)).toEqual(['keys/k!first']);
  await purge.end();
  world.loseMessages();
  await world.sweep();
  await world.workOffMessages();
  expect(world.rows(incarnation)).toEqual([]);
});

test('story 2: a timer that fires before the deletion is stored looks again', async () => {
  const world = await given();
  await world.run(put());
  const remove = await world.begin(task('remove'));
  await remove.to('write');
  const [deletionId] = [...world.world.timers.keys()];
  expect(await world.fire(deletionId)).toEqual({ kind: 'lookAgain', lookAgainAt: secondsOf('2027-01-08T00:00:00Z') });
  await remove.end();
  world.at('2027-01-08T00:00:00Z');
  expect(await world.fire(deletionId)).toEqual({ kind: 'done' });
  expect(world.record()).toBeUndefined();
});

test('story 3: a deletion that is stored and whose answer is lost is told as done, once', async () => {
  const world = await given();
  await world.run(put());
  const remove = await world.begin(task('remove'));
  await remove.to('write');
  await remove.meets('fail after');
  expect(await remove.end()).toMatchObject({ record: { deletion: { purgeAt: secondsOf('2027-01-08T00:00:00Z') } } });
});

test('story 3, the other half: a deletion that was not stored and whose answer is lost is sent once more', async () => {
  const world = await given();
  await world.run(put());
  const remove = await world.begin(task('remove'));
  await remove.to('write');
  await remove.meets('fail before');
  expect(await remove.end()).toMatchObject({ record: { deletion: { purgeAt: secondsOf('2027-01-08T00:00:00Z') } } });
  expect(deletionOf(world.record())).toBeDefined();
});

test('story 4: after an unknown answer nothing is decided again: a deletion does not undo the recovery of its own deletion', async () => {
  const world = await given();
  await world.run(put());
  const remove = await world.begin(task('remove'));
  await remove.to('write');
  await remove.meets('fail after');
  await world.run(task('recover'));
  expect(await remove.end()).toBe('Unfinished');
  expect(deletionOf(world.record())).toBeUndefined();
});

test('story 5: a purger whose answer is lost is told success when that incarnation is gone', async () => {
  const world = await given();
  await world.run(put());
  await world.run(task('remove'));
  const purge = await world.begin(task('purge'));
  await purge.to('write');
  await purge.meets('fail after');
  expect(await purge.end()).toMatchObject({ record: { name: 'contoso' } });
});

test('story 6: an insert is never sent again: what was purged meanwhile does not come back', async () => {
  const world = await given();
  const create = await world.begin(put());
  await create.to('write');
  await create.meets('fail after');
  await world.run(task('remove'));
  await world.run(task('purge'));
  await world.workOffMessages();
  expect(await create.end()).toBe('Unfinished');
  expect(world.record()).toBeUndefined();
});

test('story 7: a host five minutes fast neither replaces nor expires what is due in three minutes', async () => {
  const world = await given({ skews: [300, 0] });
  await world.run(put({ purgeProtection: true }));
  await world.run(task('remove'));
  const deletionId = deletionOf(world.record());
  world.at('2027-01-07T23:57:00Z');
  expect(await world.run(put())).toBe('NameHeldByDeleted');
  expect(await world.fire(deletionId)).toEqual({ kind: 'lookAgain', lookAgainAt: secondsOf('2027-01-08T00:00:00Z') });
  expect(await world.run(task('recover'))).toMatchObject({ record: { name: 'contoso' } });
});

test('story 7, the other clock: a host five minutes slow does not expire what is due, and a create over it is refused until it can', async () => {
  const world = await given({ skews: [-300, 0] });
  await world.run(put());
  await world.run(task('remove'));
  world.at('2027-01-08T00:03:00Z');
  expect(await world.run(put(), 'h1')).toBe('Contended');
  expect(await world.run(put(), 'h2')).toMatchObject({ record: { name: 'contoso' } });
});

test('story 8: a host eight days slow deletes with the date of the storage', async () => {
  const world = await given({ skews: [-8 * DAY, 0] });
  await world.run(put());
  await world.run(task('remove'));
  expect(world.record()?.deletion).toMatchObject({ deletedAt: secondsOf('2027-01-01T00:00:00Z'), purgeAt: secondsOf('2027-01-08T00:00:00Z') });
});

test("story 9: a debt's age is the storage's, whatever the host's or the development clock say", async () => {
  const world = await given({ skews: [8 * DAY, -8 * DAY] });
  await world.run(put());
  const { incarnation } = world.record() as HsmRecord;
  await world.run(task('remove'));
  await world.run(task('purge'), 'h1');
  await world.workOffMessages();
  world.later(1199);
  world.moveDevelopmentClock(30 * DAY);
  expect([await world.erase(incarnation, 'h1'), await world.erase(incarnation, 'h2')]).toEqual(['nothing left', 'nothing left']);
  world.later(1);
  expect(await world.erase(incarnation, 'h2')).toBe('closed');
});

test('story 10: a host that finds an HSM overdue by its own clock erases nothing of it', async () => {
  const world = await given({ skews: [8 * DAY, 0] });
  await world.run(put());
  await world.run(key('keyCreate'));
  await world.run(task('remove'));
  const { incarnation } = world.record() as HsmRecord;
  expect(await world.erase(incarnation, 'h1')).toBe('no debt');
  await world.run(task('recover'), 'h2');
  expect(world.rows(incarnation)).toEqual(['keys/k!first']);
});

test('story 11: a key that lands after its HSM was purged and erased to the end is erased as well', async () => {
  const world = await given();
  await world.run(put());
  const { incarnation } = world.record() as HsmRecord;
  const create = await world.begin(key('keyCreate'));
  await create.to('write');
  await create.meets('fail, land later');
  await world.run(task('remove'));
  await world.run(task('purge'));
  await world.workOffMessages();
  world.later(1199);
  expect(await world.erase(incarnation)).toBe('nothing left');
  world.landStragglers();
  expect(world.rows(incarnation)).toEqual(['keys/k!first']);
  world.later(1);
  await world.sweep();
  await world.workOffMessages();
  expect([world.rows(incarnation), world.rows('contoso')]).toEqual([[], []]);
});

test('story 12: an empty page that continues is not the end', async () => {
  const world = await given();
  await world.run(put());
  await world.run(key('keyCreate'));
  const { incarnation } = world.record() as HsmRecord;
  await world.run(task('remove'));
  await world.run(task('purge'));
  world.loseMessages();
  world.later(1200);
  world.emptyNextPage();
  expect(await world.erase(incarnation)).toBe('erased a page');
});

test("story 13: the old owner's debt does not erase what the name's new owner was granted", async () => {
  const world = await given();
  await world.run(put());
  await world.run(task('grant'));
  const { incarnation } = world.record() as HsmRecord;
  await world.run(task('remove'));
  await world.run(task('purge'));
  await world.run(put());
  const erase = await world.begin({ kind: 'erase', debt: { hsm: 'contoso', incarnation }, message: undefined });
  await erase.to('write');
  await world.run(task('grant'));
  await erase.end();
  await world.workOffMessages();
  expect(world.rows('contoso')).toContain('hsms/a!0');
});

test('story 17: a create that read its group as live lands after the group was deleted, and goes with it', async () => {
  const world = await given();
  const create = await world.begin(put());
  await create.to('write');
  await create.meets('fail, land later');
  await world.run(task('groupRemove'));
  world.later(1199);
  await world.sweep();
  world.landStragglers();
  world.later(1);
  await world.sweep();
  expect(world.record()?.deletion).toBeDefined();
  await world.sweep();
  expect(world.rows('s1')).toEqual(['subscriptions/g!g2']);
});

test('story 18: a group that is made again while it is being deleted is live at once, and its HSM can be recovered', async () => {
  const world = await given();
  await world.run(put());
  await world.run(task('groupRemove'));
  expect(await world.run(task('recover'))).toBe('ResourceGroupNotFound');
  await world.run(task('groupPut'));
  expect(await world.run(task('recover'))).toMatchObject({ record: { name: 'contoso' } });
  world.later(3600);
  await world.sweep();
  expect([deletionOf(world.record()), world.rows('s1')]).toEqual([undefined, ['subscriptions/g!g1', 'subscriptions/g!g2']]);
});

/** An active HSM, and a key in it of one version. */
async function givenKey(more: Parameters<typeof given>[0] = {}) {
  const world = await given(more);
  await world.run(put());
  await world.run(key('keyCreate'));
  const { incarnation } = world.record() as HsmRecord;
  return { ...world, incarnation, keyIds: { name: 'first', incarnation: world.keyRecord()?.incarnation ?? '' } };
}

const protect = () => task('protect', { request: { ...task('protect').request, purgeProtection: true } });

test('story 4 of a key: after an unknown answer one create makes one version, and says that it does not know when others have gone on', async () => {
  const world = await given();
  await world.run(put());
  const create = await world.begin(key('keyCreate'));
  await create.to('write');
  await create.meets('fail after');
  await world.run(key('keyUpdate'), 'h2');
  expect(await create.end()).toMatchObject({ told: { record: { name: 'first', versions: 1 } } });
  const version = await world.begin(key('keyCreate'));
  await version.to('write');
  await version.meets('fail after');
  await world.run(key('keyCreate'), 'h2');
  expect(await version.end()).toBe('Unfinished');
  expect(world.keyRecord()?.versions).toBe(3);
});

test('story 4 of a key, the other shape: a deletion does not undo the recovery of its own deletion', async () => {
  const world = await givenKey();
  const remove = await world.begin(key('keyRemove'));
  await remove.to('write');
  await remove.meets('fail after');
  await world.run(key('keyRecover'), 'h2');
  expect(await remove.end()).toBe('Unfinished');
  expect(world.keyRecord()?.deletion).toBeUndefined();
});

test('story 10 of a key: a host that finds a key overdue by its own clock erases nothing of it, and it is recovered with all its versions', async () => {
  const world = await givenKey({ skews: [8 * DAY, 0] });
  await world.run(key('keyCreate'));
  await world.run(key('keyRemove'));
  expect(await world.erase(world.incarnation, 'h1', world.keyIds)).toBe('no debt');
  expect(await world.run(key('keyRecover'), 'h2')).toMatchObject({ told: { versions: 2 } });
  expect(await world.run(key('keyVersions'), 'h2')).toMatchObject({ told: { items: [{}, {}] } });
});

test('story 11 of a key: a create that lands after its HSM was purged and erased to the end is acknowledged, and erased as well', async () => {
  const world = await given();
  await world.run(put());
  const { incarnation } = world.record() as HsmRecord;
  const create = await world.begin(key('keyCreate'));
  await create.to('write');
  await world.run(task('remove'));
  await world.run(task('purge'));
  await world.workOffMessages();
  expect(await create.end()).toMatchObject({ told: { record: { name: 'first' } } });
  expect(world.rows(incarnation)).toEqual(['keys/k!first']);
  world.later(1200);
  await world.sweep();
  await world.workOffMessages();
  await world.sweep();
  await world.workOffMessages();
  expect([world.rows(incarnation), world.rows('contoso')]).toEqual([[], []]);
});

test('story 11, a new version: one that was decided on before the purge of its key is refused, and does not bring the key back', async () => {
  const world = await givenKey();
  const create = await world.begin(key('keyCreate'));
  await create.to('write');
  await world.run(key('keyRemove'), 'h2');
  await world.run(key('keyPurge'), 'h2');
  expect(await create.end()).toMatchObject({ told: { record: { versions: 1 } } });
  expect(world.keyRecord()?.incarnation).not.toBe(world.keyIds.incarnation);
});

test("story 13 of a key: the old key's debt does not erase what was granted at the new one of its name", async () => {
  const world = await givenKey();
  await world.run(key('keyGrant'));
  await world.run(key('keyRemove'));
  await world.run(key('keyPurge'));
  await world.run(key('keyCreate'));
  const erase = await world.begin({ kind: 'erase', debt: { hsm: 'contoso', incarnation: world.incarnation, key: world.keyIds }, message: undefined });
  await erase.to('write');
  await world.run(key('keyGrant'));
  expect(await erase.end()).toBe('erased a page');
  await world.workOffMessages();
  expect(world.rows('contoso')).toContain('hsms/s!first!0');
});

test('story 13, before that: an old grant at a key does not work for the new key of its name', async () => {
  const world = await givenKey();
  await world.run(key('keyGrant'));
  expect(await world.run(key('keyGet'))).toMatchObject({ grants: [{}, { key: 'first' }] });
  await world.run(key('keyRemove'));
  await world.run(key('keyPurge'));
  world.loseMessages();
  await world.run(key('keyCreate'));
  expect(await world.run(key('keyGet'))).toMatchObject({ grants: [{}] });
});

test('story 13, the late grant: one that was decided on before the purge of its key lands and is erased with it', async () => {
  const world = await givenKey();
  const grant = await world.begin(key('keyGrant'));
  await grant.to('write');
  await grant.meets('fail, land later');
  await world.run(key('keyRemove'));
  await world.run(key('keyPurge'));
  await world.workOffMessages();
  world.later(1199);
  expect(await world.erase(world.incarnation, 'h1', world.keyIds)).toBe('nothing left');
  world.landStragglers();
  world.later(1);
  await world.sweep();
  await world.workOffMessages();
  await world.sweep();
  await world.workOffMessages();
  expect(world.rows('contoso')).not.toContain('hsms/s!first!0');
});

test('story 14: a purge of a key that read the protection as off does not commit after it was acknowledged', async () => {
  const world = await givenKey();
  await world.run(key('keyRemove'));
  const purge = await world.begin(key('keyPurge'));
  await purge.to('write');
  expect(await world.run(protect(), 'h2')).toMatchObject({ record: { settings: { purgeProtection: true } } });
  expect(await purge.end()).toBe('KeyPurgeProtected');
  expect(world.keyRecord()?.deletion).toBeDefined();
});

test('story 14, the first purge of an HSM and the second: the fence is there before anything needed it, and while it is open', async () => {
  const world = await givenKey();
  await world.run(key('keyCreate', { key: 'second' }));
  await world.run(key('keyRemove'));
  await world.run(key('keyRemove', { key: 'second' }));
  await world.run(key('keyPurge', { key: 'second' }));
  expect(world.rows(world.incarnation)).toEqual(expect.arrayContaining(['keys/guard', 'keys/open']));
  const purge = await world.begin(key('keyPurge'));
  await purge.to('write');
  await world.run(protect(), 'h2');
  expect(await purge.end()).toBe('KeyPurgeProtected');
});

test('story 14, a torn look at the fence: a purge that opens it while protection is being switched on leaves nothing open', async () => {
  const world = await givenKey();
  await world.run(key('keyRemove'));
  const on = await world.begin(protect(), 'h2');
  await on.to('write');
  await world.run(key('keyPurge'));
  expect(await on.end()).toMatchObject({ record: { settings: { purgeProtection: true } } });
  expect(world.rows(world.incarnation)).not.toContain('keys/open');
});

test('story 15: a refused switching on closes the fence; two time-outs later the sweeper opens it, and keys are purged by hand again', async () => {
  const world = await givenKey();
  await world.run(key('keyRemove'));
  const on = await world.begin(protect(), 'h2');
  await on.to('write');
  await on.meets('through');
  await world.run(task('remove'));
  expect(await on.end()).toBe('NameHeldByDeleted');
  await world.run(task('recover'));
  expect(await world.run(key('keyPurge'))).toBe('KeyPurgeProtected');
  world.later(1199);
  await world.sweep();
  expect(await world.run(key('keyPurge'))).toBe('KeyPurgeProtected');
  world.later(1);
  await world.sweep();
  expect(await world.run(key('keyPurge'))).toMatchObject({ told: undefined });
  expect(world.keyRecord()).toBeUndefined();
});

test('story 15, the sweeper against a protection on its way: the touch refuses it, and it closes the fence anew', async () => {
  const world = await givenKey();
  await world.run(key('keyRemove'));
  const lost = await world.begin(protect(), 'h2');
  await lost.to('write');
  await lost.meets('fail after');
  world.later(1200);
  const on = await world.begin(protect(), 'h2');
  const sweep = await world.begin({ kind: 'sweep' }, 'h1');
  await sweep.to('write');
  await sweep.meets('through');
  await sweep.to('write');
  expect(await on.end()).toMatchObject({ record: { settings: { purgeProtection: true } } });
  await sweep.end();
  expect(world.rows(world.incarnation)).not.toContain('keys/open');
  expect(await world.run(key('keyPurge'))).toBe('KeyPurgeProtected');
});

test('story 16: purges of an HSM’s keys pass the fence side by side, and none refuses another', async () => {
  const world = await givenKey();
  const names = ['first', 'second', 'third', 'fourth'];
  for (const name of names.slice(1)) await world.run(key('keyCreate', { key: name }));
  for (const name of names) await world.run(key('keyRemove', { key: name }));
  await world.run(key('keyPurge', { key: 'fourth' }));
  const purges = [];
  for (const name of names.slice(0, 3)) {
    const purge = await world.begin(key('keyPurge', { key: name }));
    await purge.to('write');
    purges.push(purge);
  }
  for (const purge of purges) {
    expect(await purge.end()).toMatchObject({ told: undefined });
    expect(purge.execution.refusals).toBe(0);
  }
});

test('story 22 of a key: a purge that was decided before a recovery does not destroy what was recovered', async () => {
  const world = await givenKey();
  await world.run(key('keyRemove'));
  const purge = await world.begin(key('keyPurge'));
  await purge.to('write');
  await world.run(key('keyRecover'), 'h2');
  expect(await purge.end()).toBe('KeyNotFound');
  expect(world.keyRecord()?.incarnation).toBe(world.keyIds.incarnation);
});

test("I10, a key's own deadline runs on while its HSM is deleted: after the recovery that key is gone, the others are as they were", async () => {
  const world = await givenKey();
  await world.run(key('keyCreate', { key: 'second' }));
  await world.run(key('keyRemove'));
  world.at('2027-01-03T00:00:00Z');
  await world.run(key('keyRemove', { key: 'second' }));
  await world.run(task('remove'));
  expect(await world.run(key('keyShowDeleted'))).toBe('HsmUnavailable');
  world.at('2027-01-08T00:00:00Z');
  await world.sweep();
  expect(await world.run(task('recover'))).toMatchObject({ record: { name: 'contoso' } });
  expect(await world.run(key('keyShowDeleted'))).toBe('KeyNotFound');
  expect(await world.run(key('keyShowDeleted', { key: 'second' }))).toMatchObject({ told: { deletion: { purgeAt: secondsOf('2027-01-10T00:00:00Z') } } });
});

test('I11 of a key: the timer of an old deletion never touches a newer one', async () => {
  const world = await givenKey();
  await world.run(key('keyRemove'));
  const old = world.keyRecord()?.deletion?.deletionId;
  await world.run(key('keyRecover'));
  world.at('2027-01-06T00:00:00Z');
  await world.run(key('keyRemove'));
  world.at('2027-01-08T00:00:00Z');
  expect(await world.fire(old)).toEqual({ kind: 'done' });
  expect(await world.run(key('keyShowDeleted'))).toMatchObject({ told: { deletion: { purgeAt: secondsOf('2027-01-13T00:00:00Z') } } });
});

test('TRANSITION_SECONDS: for a moment after its deletion and its recovery a key is on neither side, and only a purge is taken', async () => {
  const world = await givenKey({ transitionSeconds: 3 });
  await world.run(key('keyRemove'));
  expect([await world.run(key('keyGet')), await world.run(key('keyShowDeleted')), await world.run(key('keyRecover'))]).toEqual([
    'KeyNotFound',
    'KeyNotFound',
    'OperationInProgress',
  ]);
  world.later(3);
  expect(await world.run(key('keyRecover'))).toMatchObject({ told: { name: 'first' } });
  expect([await world.run(key('keyGet')), await world.run(key('keyRemove'))]).toEqual(['KeyNotFound', 'OperationInProgress']);
  world.later(3);
  await world.run(key('keyRemove'));
  expect(await world.run(key('keyPurge'))).toMatchObject({ told: undefined });
});

/** Plays the orchestrator on a clock of its own, which leads the storage's; answers each look. @returns the instants at which it looked, and its longest timer */
function orchestrate(purgeAt: string, answers: readonly ({ kind: 'done' } | { kind: 'lookAgain'; lookAgainAt: number } | 'error')[]) {
  const { purgeAtDeadline } = require('../../functions/purgeAtDeadline') as typeof import('../../functions/purgeAtDeadline');
  let now = secondsOf('2027-01-01T00:00:00Z') * 1000;
  const looks: string[] = [];
  let longestMs = 0;
  const df = {
    getInput: () => ({ deletionId: 'd', hsm: 'contoso', incarnation: 'i', purgeAt: secondsOf(purgeAt) }),
    get currentUtcDateTime() {
      return new Date(now);
    },
    createTimer: (fireAt: Date) => ({ fireAt: fireAt.getTime() }),
    callActivity: (name: string) => ({ name }),
  };
  const run = purgeAtDeadline({ df } as unknown as OrchestrationContext);
  for (let next = run.next(), turns = 0; !next.done; turns++) {
    if (turns > 1000) throw new Error('it spins');
    const asked = next.value as unknown as { fireAt?: number };
    if (asked.fireAt !== undefined) {
      longestMs = Math.max(longestMs, asked.fireAt - now);
      // A real timer fires up to a second early.
      now = asked.fireAt - 1000;
      next = run.next();
      continue;
    }
    const answer = answers[looks.length];
    looks.push(new Date(now).toISOString().slice(0, 19));
    next = answer === 'error' ? run.throw(new Error('storage')) : run.next(answer);
  }
  return { looks, longestDays: longestMs / 1000 / DAY };
}

test('story 19: a next look that lies in the orchestrator’s past is a minute ahead at least, and ever longer', () => {
  const past = { kind: 'lookAgain', lookAgainAt: secondsOf('2027-01-08T00:00:00Z') } as const;
  expect(orchestrate('2027-01-08T00:00:00Z', [past, past, { kind: 'done' }]).looks).toEqual(['2027-01-08T00:00:00', '2027-01-08T00:01:00', '2027-01-08T00:03:00']);
});

test('story 20: 90 days are slept in plain hops, each short enough to be ended', () => {
  const { looks, longestDays } = orchestrate('2027-04-01T00:00:00Z', ['error', 'error', 'error', { kind: 'done' }]);
  expect(looks).toEqual(['2027-04-01T00:00:00', '2027-04-01T00:01:00', '2027-04-01T00:03:00', '2027-04-01T00:07:00']);
  expect(longestDays).toBeLessThanOrEqual(5);
});

test('story 21: a recovery decided before the date may commit within its time-out after it, though a reader saw absence in between', async () => {
  const world = await given();
  await world.run(put());
  await world.run(task('remove'));
  world.at('2027-01-07T23:57:00Z');
  const recover = await world.begin(task('recover'));
  await recover.to('write');
  world.at('2027-01-08T00:01:00Z');
  expect(await world.run(task('showDeleted'))).toBe('DeletedHsmNotFound');
  expect(await recover.end()).toMatchObject({ record: { name: 'contoso' } });
  expect(await world.run(task('recover'))).toMatchObject({ record: { name: 'contoso' } });
});

test('story 21, the bound: one decided on the date is refused', async () => {
  const world = await given();
  await world.run(put());
  await world.run(task('remove'));
  world.at('2027-01-08T00:00:00Z');
  expect(await world.run(task('recover'))).toBe('NotRecoverable');
});

test('story 22: a purge that was decided before a recovery does not destroy what was recovered', async () => {
  const world = await given();
  await world.run(put());
  await world.run(task('remove'));
  const purge = await world.begin(task('purge'));
  await purge.to('write');
  await world.run(task('recover'));
  expect(await purge.end()).toBe('DeletedHsmNotFound');
  expect(world.record()).toBeDefined();
});

test('found by the simulator: a deletion that meets another incarnation when it decides again has a timer for that one', async () => {
  const world = await given();
  await world.run(put({ retentionDays: 90 }));
  const remove = await world.begin(task('remove'));
  await remove.to('startTimer');
  await remove.meets('through');
  await world.run(task('remove'), 'h2');
  await world.run(task('purge'), 'h2');
  await world.run(put({ retentionDays: 7 }), 'h2');
  await remove.end();
  const record = world.record() as HsmRecord;
  expect(world.timer(deletionOf(record))?.input).toMatchObject({ incarnation: record.incarnation, purgeAt: record.deletion?.purgeAt });
});
