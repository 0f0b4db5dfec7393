// The stories that break a design which looks right, as far as they need no key: each played by hand on the simulator's world, with its oracle watching.
import type { OrchestrationContext } from 'durable-functions';
import type { HsmRecord } from '../../shared/domain/managedHsm';
import { appInItsPlace as mockApp } from './simulator/orchestrator';
import { given, put, secondsOf, task } from './simulator/story';

jest.mock('../../shared/app', () => mockApp);
jest.mock('durable-functions', () => ({ app: { orchestration: () => undefined, activity: () => undefined } }));

const DAY = 86_400;
const deletionOf = (record: HsmRecord | undefined): string | undefined => record?.deletion?.deletionId;

test('story 1: a clean-up message that comes before the purge commits erases nothing, and the purge leaves a debt that needs no message', async () => {
  const world = await given();
  await world.run(put());
  await world.run(task('keyCreate'));
  await world.run(task('remove'));
  const { incarnation } = world.record() as HsmRecord;
  const purge = await world.begin(task('purge'));
  await purge.to('write');
  expect(await world.erase(incarnation)).toBe('no debt');
  expect(world.rows(incarnation)).toEqual(['keys/k!0']);
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
  await world.run(task('keyCreate'));
  await world.run(task('remove'));
  const { incarnation } = world.record() as HsmRecord;
  expect(await world.erase(incarnation, 'h1')).toBe('no debt');
  await world.run(task('recover'), 'h2');
  expect(world.rows(incarnation)).toEqual(['keys/k!0']);
});

test('story 11: a key that lands after its HSM was purged and erased to the end is erased as well', async () => {
  const world = await given();
  await world.run(put());
  const { incarnation } = world.record() as HsmRecord;
  const create = await world.begin(task('keyCreate'));
  await create.to('write');
  await create.meets('fail, land later');
  await world.run(task('remove'));
  await world.run(task('purge'));
  await world.workOffMessages();
  world.later(1199);
  expect(await world.erase(incarnation)).toBe('nothing left');
  world.landStragglers();
  expect(world.rows(incarnation)).toEqual(['keys/k!0']);
  world.later(1);
  await world.sweep();
  await world.workOffMessages();
  expect([world.rows(incarnation), world.rows('contoso')]).toEqual([[], []]);
});

test('story 12: an empty page that continues is not the end', async () => {
  const world = await given();
  await world.run(put());
  await world.run(task('keyCreate'));
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
