/**
 * Timer triggers: NCRONTAB schedules in UTC on the host's clock. It owns the schedule status, which survives a restart, so that an instant
 * that passed meanwhile is made good once, with IsPastDue.
 */
import { Cron } from 'croner';
import type { SteeredClock } from './clock';
import type { FunctionsCore, RegisteredFunction } from './functionsCore';
import { resolveSettings } from './settings';

/** Milliseconds since the epoch; `last` is undefined before the first run. */
export type ScheduleStatus = { readonly last: number | undefined; readonly next: number; readonly updated: number };

/** Where schedule statuses are kept, by function name. */
export type ScheduleStore = { read(name: string): ScheduleStatus | undefined; write(name: string, status: ScheduleStatus): Promise<void> };

/** `next` is the first instant after the given one, `last` the last up to and including it; both undefined where there is none. */
export type Schedule = { next(after: number): number | undefined; last(upTo: number): number | undefined };

export type TimerOptions = {
  readonly core: Pick<FunctionsCore, 'invoke'>;
  readonly clock: SteeredClock;
  readonly store: ScheduleStore;
  readonly log: (line: string) => void;
};

const NEVER = '0001-01-01T00:00:00+00:00';

/** A schedule of five or six fields (seconds first), in UTC or in WEBSITE_TIME_ZONE. Throws an Error if it is none. */
export function parseSchedule(text: string, timezone: string = process.env.WEBSITE_TIME_ZONE ?? 'UTC'): Schedule {
  const fields = text.trim().split(/\s+/);
  const isNcrontab = (fields.length === 5 || fields.length === 6) && fields.every((field) => /^[\d*,\-/A-Za-z]+$/.test(field) && !/^(\d*L|\d*W)$/i.test(field));
  if (!isNcrontab) throw new Error(`the schedule "${text}" is no NCRONTAB expression of six fields`);
  let cron: Cron;
  try {
    // NCRONTAB wants day of month and day of week both to match.
    cron = new Cron(text, { timezone, paused: true, domAndDow: true });
  } catch (error) {
    throw new Error(`the schedule "${text}" is no NCRONTAB expression: ${(error as Error).message}`);
  }
  return {
    next: (after) => cron.nextRun(new Date(after))?.getTime(),
    last: (upTo) => cron.previousRuns(1, new Date(Math.floor(upTo / 1000) * 1000 + 1000))[0]?.getTime(),
  };
}

/** A timer trigger: `start` resolves when it waits for its next instant or has begun to make good a missed one, `stop` when no run is left. */
export type TimerTrigger = { start(): Promise<void>; stop(): Promise<void> };

/** Throws an Error that names the function if its schedule cannot be read. */
export function createTimerTrigger(fn: RegisteredFunction, options: TimerOptions): TimerTrigger {
  const { clock, store } = options;
  const schedule = readSchedule(fn);
  let cancel: () => void = () => undefined;
  let stopped = false;
  let current: Promise<void> = Promise.resolve();

  const waitFor = (instant: number | undefined, due: (instant: number) => Promise<void>) => {
    if (instant !== undefined && !stopped) cancel = clock.at(instant, () => due(instant), `timer trigger ${fn.name}`);
  };

  const fire = (isPastDue: boolean): Promise<void> => {
    current = run(isPastDue);
    return current;
  };

  const run = async (isPastDue: boolean) => {
    const status = store.read(fn.name);
    const began = clock.now();
    try {
      await options.core.invoke(fn, [{ name: fn.trigger.name, data: { json: timerInfo(status, isPastDue) } }]);
    } catch (error) {
      options.log(`[error] Functions.${fn.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
    await scheduleAfter(began, began);
  };

  const scheduleAfter = async (instant: number, last: number | undefined) => {
    const next = schedule.next(instant);
    if (next !== undefined) await store.write(fn.name, { last, next, updated: clock.now() });
    waitFor(next, onTime);
  };

  /** Within one advance the trigger fires once, at the last of its instants. */
  const onTime = async (instant: number): Promise<void> => {
    const aim = clock.aim();
    const advancing = aim > clock.now();
    const last = advancing ? (schedule.last(aim) ?? instant) : instant;
    if (last > instant) return waitFor(last, () => fire(true));
    await fire(advancing);
  };

  return {
    start: async () => {
      const status = store.read(fn.name);
      const missed = status !== undefined && fn.trigger.useMonitor !== false && status.next <= clock.now();
      if (missed || fn.trigger.runOnStartup === true) void clock.track(fire(missed));
      else await scheduleAfter(clock.now(), status?.last);
    },
    stop: async () => {
      stopped = true;
      cancel();
      await current;
    },
  };
}

function readSchedule(fn: RegisteredFunction): Schedule {
  try {
    return parseSchedule(resolveSettings(String(fn.trigger.schedule ?? '')));
  } catch (error) {
    throw new Error(`function "${fn.name}": ${(error as Error).message}`);
  }
}

function timerInfo(status: ScheduleStatus | undefined, isPastDue: boolean): string {
  const iso = (instant: number | undefined) => (instant === undefined ? NEVER : new Date(instant).toISOString().replace('Z', '+00:00'));
  const known = status && { Last: iso(status.last), LastUpdated: iso(status.updated), Next: iso(status.next) };
  return JSON.stringify({ Schedule: { AdjustForDST: true }, ScheduleStatus: known ?? null, IsPastDue: isPastDue });
}
