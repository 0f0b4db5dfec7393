/** Timer schedules, and one trigger on a clock that stands still but for its advances. */
import { createClock } from '../clock';
import type { FunctionsCore, RegisteredFunction } from '../functionsCore';
import { createTimerTrigger, parseSchedule, type ScheduleStatus } from '../timers';

const iso = (instant: number | undefined) => instant && new Date(instant).toISOString();
const at = (text: string) => Date.parse(text);

test.each([
  ['0 */15 * * * *', '2027-01-01T00:00:00Z', '2027-01-01T00:15:00.000Z', '2027-01-01T00:00:00.000Z'],
  ['30 0 12 * * MON-FRI', '2027-01-01T12:00:30Z', '2027-01-04T12:00:30.000Z', '2027-01-01T12:00:30.000Z'],
  ['*/15 * * * *', '2027-01-01T00:01:00Z', '2027-01-01T00:15:00.000Z', '2027-01-01T00:00:00.000Z'],
  ['0 0 0 13 * FRI', '2027-01-01T00:00:00Z', '2027-08-13T00:00:00.000Z', '2026-11-13T00:00:00.000Z'],
])('%s at %s: next %s, last %s', (text, now, next, last) => {
  const schedule = parseSchedule(text, 'UTC');
  expect([iso(schedule.next(at(now))), iso(schedule.last(at(now)))]).toEqual([next, last]);
});

test.each(['', 'every hour', '0 0 * *', '0 0 0 L * *', '00:05:00', '61 * * * * *'])('"%s" is no schedule', (text) => expect(() => parseSchedule(text)).toThrow(`"${text}"`));

function world(trigger: Record<string, unknown> = {}, kept?: ScheduleStatus) {
  const start = at('2027-01-01T00:10:00Z');
  const clock = createClock({ realNow: () => start });
  const runs: { readonly at: string | number | undefined; readonly isPastDue: boolean; readonly last: string | undefined }[] = [];
  const invoke: FunctionsCore['invoke'] = async (_, inputs) => {
    const info = JSON.parse(inputs[0]?.data.json ?? '') as { IsPastDue: boolean; ScheduleStatus?: { Last: string } };
    runs.push({ at: iso(clock.now()), isPastDue: info.IsPastDue, last: info.ScheduleStatus?.Last });
    return { outputData: [] };
  };
  let status = kept;
  const store = {
    read: () => status,
    write: async (_: string, next: ScheduleStatus) => {
      status = next;
    },
  };
  const binding = { type: 'timerTrigger', direction: 'in', name: 'timer', schedule: '0 0 * * * *', ...trigger };
  const fn: RegisteredFunction = { name: 'hourly', id: 'hourly', bindings: [binding], trigger: binding, callback: undefined };
  return { clock, runs, status: () => status, timer: createTimerTrigger(fn, { core: { invoke }, clock, store, log: () => undefined }) };
}

test('within one advance it runs once, at the last of its instants, past due; the next advance goes on from there', async () => {
  const { clock, runs, timer } = world();
  await timer.start();
  await clock.advance(4 * 3_600_000);
  await clock.advance(3_600_000);
  expect(runs).toEqual([
    { at: '2027-01-01T04:00:00.000Z', isPastDue: true, last: '0001-01-01T00:00:00+00:00' },
    { at: '2027-01-01T05:00:00.000Z', isPastDue: true, last: '2027-01-01T04:00:00.000+00:00' },
  ]);
  await timer.stop();
  clock.stop();
});

test('an advance that ends before its next instant does not run it', async () => {
  const { clock, runs, timer } = world();
  await timer.start();
  await clock.advance(49 * 60_000);
  expect(runs).toEqual([]);
  await timer.stop();
  clock.stop();
});

const missed: ScheduleStatus = { last: undefined, next: at('2027-01-01T00:00:00Z'), updated: 0 };
const ahead: ScheduleStatus = { ...missed, next: at('2027-01-01T01:00:00Z') };

test.each([
  ['a missed instant is made good at start, past due', {}, missed, [true]],
  ['an instant ahead is not', {}, ahead, []],
  ['a missed instant without monitoring is not', { useMonitor: false }, missed, []],
  ['runOnStartup runs at start', { runOnStartup: true }, undefined, [false]],
])('%s', async (_, trigger, kept, pastDue) => {
  const { clock, runs, status, timer } = world(trigger, kept);
  await timer.start();
  await clock.settle();
  expect(runs.map(({ isPastDue }) => isPastDue)).toEqual(pastDue);
  expect(iso(status()?.next)).toBe('2027-01-01T01:00:00.000Z');
  await timer.stop();
  clock.stop();
});
