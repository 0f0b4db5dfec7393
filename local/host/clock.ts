/**
 * The host's clock: real time plus an offset that only grows, and everything that waits for an instant of it.
 * It owns the order in which due instants happen while the clock is advanced; what is due is its callers' affair.
 */

/** `setTimeout` takes 32 bits of milliseconds; longer waits are cut into pieces. */
const REAL_TIMER_MS_MAX = 2 ** 31 - 1;

export type HostClock = {
  /** Milliseconds since the epoch, the offset included. */
  now(): number;
  offsetMs(): number;
  /**
   * Calls `due` once, when `now() >= instant`, by real time or by advance; answers a function that cancels.
   * During an advance the promise that `due` returns is awaited before the next instant.
   */
  at(instant: number, due: () => void | Promise<void>, label?: string): () => void;
  /** Work in flight that advance and settle wait for. Answers the same promise. */
  track<T>(work: Promise<T>): Promise<T>;
  /** `settle` awaits `idle` too: it resolves when a source of work has nothing to do right now. Answers a function that removes it. */
  onSettle(idle: () => Promise<void>): () => void;
  /** Resolves when no tracked work is left and every source of work has been idle since. Must not be awaited inside tracked work. */
  settle(): Promise<void>;
  /** Persists where it aims first, steps through what becomes due in its order, settles after each, resolves when all has settled. */
  advance(ms: number): Promise<void>;
  /** Advances to `instant`. Throws a RangeError if that has passed. */
  set(instant: number): Promise<void>;
};

/** What the host's own parts may ask besides: `aim` is where the running advance ends, or `now()` when none runs. */
export type SteeredClock = HostClock & { aim(): number; stop(): void };

export type ClockOptions = {
  readonly offsetMs?: number;
  /** Called, and awaited, before the clock moves. */
  readonly persist?: (offsetMs: number) => Promise<void>;
  /** Called at once and whenever the offset has changed. */
  readonly onOffset?: (offsetMs: number) => void;
  readonly onError?: (error: unknown, label: string) => void;
  readonly realNow?: () => number;
};

type Wait = { readonly instant: number; readonly order: number; readonly label: string; readonly due: () => void | Promise<void> };

/** A clock that runs until `stop`. */
export function createClock(options: ClockOptions): SteeredClock {
  const realNow = options.realNow ?? Date.now;
  const onError = options.onError ?? ((error) => void Promise.reject(error));
  const waits = new Set<Wait>();
  const inFlight = new Set<Promise<unknown>>();
  const sources = new Set<() => Promise<void>>();
  let offset = options.offsetMs ?? 0;
  let aimedOffset: number | undefined;
  let started = 0; // tracked works begun: tells a settled round from one that made work
  let order = 0;
  let timer: NodeJS.Timeout | undefined;
  let armedFor = Number.POSITIVE_INFINITY;
  let stopped = false;
  let advances: Promise<unknown> = Promise.resolve();

  const now = () => realNow() + offset;
  const aim = () => realNow() + (aimedOffset ?? offset);

  const moveTo = (next: number) => {
    offset = next;
    options.onOffset?.(offset);
  };

  const earliest = (limit: number) => {
    let first: Wait | undefined;
    for (const wait of waits) {
      if (wait.instant > limit) continue;
      if (!first || wait.instant < first.instant || (wait.instant === first.instant && wait.order < first.order)) first = wait;
    }
    return first;
  };

  const run = async (wait: Wait) => {
    waits.delete(wait);
    try {
      await wait.due();
    } catch (error) {
      onError(error, wait.label);
    }
  };

  /** One real timer for the earliest wait; none while an advance steps through them itself. */
  const arm = () => {
    clearTimeout(timer);
    armedFor = Number.POSITIVE_INFINITY;
    const next = stopped || aimedOffset !== undefined ? undefined : earliest(Number.POSITIVE_INFINITY);
    if (!next) return;
    armedFor = next.instant;
    timer = setTimeout(
      () => {
        for (let wait = earliest(now()); wait; wait = earliest(now())) void track(run(wait));
        arm();
      },
      Math.min(Math.max(next.instant - now(), 0), REAL_TIMER_MS_MAX),
    );
  };

  const track = <T>(work: Promise<T>): Promise<T> => {
    started += 1;
    inFlight.add(work);
    const done = () => void inFlight.delete(work);
    work.then(done, done);
    return work;
  };

  const settle = async () => {
    for (;;) {
      while (inFlight.size > 0 && !stopped) await Promise.allSettled([...inFlight]);
      const before = started;
      for (const idle of [...sources]) await idle();
      if (stopped || (started === before && inFlight.size === 0)) return;
    }
  };

  const steer = async (ms: number) => {
    const target = offset + ms;
    await options.persist?.(target);
    aimedOffset = target;
    clearTimeout(timer);
    try {
      await settle();
      for (let wait = earliest(aim()); wait && !stopped; wait = earliest(aim())) {
        const step = Math.min(Math.max(offset, wait.instant - realNow()), target);
        if (step !== offset) moveTo(step);
        await run(wait);
        await settle();
      }
      moveTo(target);
    } finally {
      aimedOffset = undefined;
      arm();
    }
    await settle();
  };

  const inTurn = (work: () => Promise<void>) => {
    const turn = advances.then(work);
    advances = turn.catch(() => undefined);
    return turn;
  };

  options.onOffset?.(offset);
  return {
    now,
    aim,
    offsetMs: () => offset,
    at: (instant, due, label = 'a due instant') => {
      order += 1;
      const wait: Wait = { instant, order, label, due };
      waits.add(wait);
      if (instant < armedFor) arm();
      return () => {
        if (waits.delete(wait) && waits.size === 0) arm();
      };
    },
    track,
    onSettle: (idle) => {
      sources.add(idle);
      return () => void sources.delete(idle);
    },
    settle,
    advance: (ms) => inTurn(() => steer(requireForward(ms))),
    set: (instant) => inTurn(() => steer(requireForward(instant - now()))),
    stop: () => {
      stopped = true;
      waits.clear();
      clearTimeout(timer);
    },
  };
}

function requireForward(ms: number): number {
  if (!Number.isFinite(ms)) throw new RangeError('The clock moves by a finite number of milliseconds.');
  if (ms < 0) throw new RangeError(`The clock only moves forward; that instant is ${-ms} ms in the past.`);
  return ms;
}
