/** What the engine is given: the clock, the functions and how to invoke them, and the switches. */
import type { RpcValue } from './protocol';

/** The part of the host's clock that the engine uses. Instants are milliseconds since the epoch. */
export type DurableClock = {
  now(): number;
  at(instant: number, due: () => void | Promise<void>, label?: string): () => void;
  track<T>(work: Promise<T>): Promise<T>;
};

/** The part of a registered function that the engine uses. */
export type DurableFunction = { readonly name: string; readonly trigger: { readonly type: string; readonly name: string } };

type DurableCore<F extends DurableFunction> = {
  functions(): readonly F[];
  /** Rejects with the error that the function threw. */
  invoke(fn: F, inputs: { name: string; data: { string: string } }[]): Promise<{ readonly returnValue?: RpcValue | null | undefined }>;
};

/** A timer about to be scheduled; instants in milliseconds, `fireAt` rounded up. */
export type TimerInQuestion = { readonly instanceId: string; readonly timerId: number; readonly fireAt: number; readonly createdAt: number };

/** A piece of work about to start. */
export type Work = { readonly kind: 'episode' | 'activity'; readonly instanceId: string; readonly name: string };

export type DurableOptions<F extends DurableFunction> = {
  readonly clock: DurableClock;
  readonly core: DurableCore<F>;
  /** A folder of the engine's own; undefined keeps everything in memory. */
  readonly stateDir: string | undefined;
  readonly hubName: string;
  readonly log: (line: string) => void;
  /** Timers fire up to one second early, as on the Azure Storage provider. Off by default. */
  readonly timersEarly?: boolean;
  /** How many milliseconds early a timer fires (negative: late). Takes the place of `timersEarly`. */
  readonly earliness?: (timer: TimerInQuestion) => number;
  /** 6 days by default. */
  readonly maximumShortTimerMs?: number;
  /** 3 days by default. */
  readonly longTimerSegmentMs?: number;
  /** A source of UUIDs. */
  readonly newId?: () => string;
  /** Awaited before each episode and activity: whoever resolves it owns the pace. What arrives meanwhile is in the same batch. */
  readonly pace?: (work: Work) => Promise<void>;
  /** False leaves out the management HTTP API, and with it the client binding. */
  readonly http?: boolean;
};
