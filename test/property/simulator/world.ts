// What a run is played in: one storage with one clock, hosts with clocks of their own, executions on them, and every call that an execution has made through a port and that the scheduler has not let go on yet.
import type { Debt, Timer } from '../../../shared/domain/plan';
import { DAY_SECONDS, type Instant } from '../../../shared/domain/time';
import { createMemoryStore, type MemoryStore } from '../../kit/memoryStore';
import type { CodeUnderTest } from './codeUnderTest';
import type { Task } from './commands';
import type { Coverage } from './coverage';
import type { EngineUnderRun } from './engine';
import { createHistory, type History } from './history';
import type { Profile } from './profiles';
import { type Random, randomOf } from './random';
import type { Violation } from './violation';

/** What a call or an execution came to. */
export type Outcome = { readonly value: unknown } | { readonly error: unknown };

export type Host = { readonly name: string; skewSeconds: number };

/** `asked`: the request is on its way. `done`: its effect has taken place, the answer is on its way back. */
export type Call = {
  readonly execution: Execution;
  readonly kind: 'read' | 'page' | 'write' | 'send' | 'startTimer' | 'endTimer' | 'seal' | 'make';
  readonly about: string;
  readonly effect: () => unknown;
  /** What the caller learns when the answer is lost. */
  readonly lost: () => Outcome;
  readonly settle: (outcome: Outcome) => void;
  phase: 'asked' | 'done';
  result: unknown;
};

/** A change of one record that an execution brought about: `version` adds one to a key, `touch` changes nothing but the ETag. */
export type Change = {
  readonly subject: 'hsm' | 'key';
  readonly kind: 'create' | 'update' | 'version' | 'touch' | 'delete' | 'recover' | 'purge' | 'expire';
  /** Of an HSM its name, of a key its address. */
  readonly name: string;
  readonly incarnation: string;
  readonly after: unknown;
  readonly tick: number;
};

export type Execution = {
  readonly id: number;
  readonly task: Task;
  readonly host: Host;
  readonly startedTick: number;
  /** Storage's clock, without the development offset. */
  readonly startedAt: Instant;
  /** The same with it. */
  readonly startedNow: Instant;
  readonly calls: Call[];
  status: 'running' | 'answered' | 'refused' | 'unsure' | 'gone';
  outcome: Outcome | undefined;
  held: boolean;
  readonly changes: Change[];
  refusals: number;
  unknowns: number;
  faults: number;
  erasedRows: number;
  /** Incarnations whose debts it sent to the clean-up. */
  readonly sent: Set<string>;
  /** Wrapped keys that it has read or coined: nothing else may be opened or sealed with. */
  readonly wrapped: Set<string>;
  /** HSM incarnations whose records it touched, as the sweeper does before it heals their fence. */
  readonly touched: Set<string>;
  hostClockMax: Instant;
  /** The cell of the lifecycle table that its last read of a record put it in, for coverage. */
  cell: string | undefined;
  wrote: 'no' | 'unknown' | 'stored' | 'refused';
  firstReadAt: Instant | undefined;
  lastReadTick: number;
  writeAskedTick: number;
};

export type TimerInstance = { readonly input: Timer; status: 'running' | 'completed' | 'terminated' | 'lost'; nextAt: Instant; failures: number; looking: number };
export type Message = { readonly debt: Debt; dequeues: number; busy: number };
/** A request that outlived its execution and may still take effect. */
type Straggler = { readonly call: Call; readonly landsBy: Instant };

export type World = {
  readonly code: CodeUnderTest;
  readonly profile: Profile;
  readonly coverage: Coverage;
  readonly store: MemoryStore;
  readonly history: History;
  readonly hosts: Host[];
  readonly timeoutSeconds: number;
  readonly daySeconds: number;
  readonly lroSeconds: number;
  readonly transitionSeconds: number;
  readonly grantsAtCreation: boolean;
  readonly erasePageRows: number;
  storageAt: Instant;
  offsetSeconds: number;
  /** Counts effects and clock moves: the order in which things took place. */
  tick: number;
  random: Random;
  executions: Execution[];
  stragglers: Straggler[];
  readonly timers: Map<string, TimerInstance>;
  /** The real engine, in the profile that has one; else `nextAt` and `failures` of the timers say what it would do. */
  engine: EngineUnderRun | undefined;
  messages: Message[];
  executionsStarted: number;
  ids: number;
  /** Something stored or a timer changed since the last audit. */
  changed: boolean;
  faultsOn: boolean;
  /** The first invariant that an answer broke; one that a write breaks is thrown where it takes effect. */
  violation: Violation | undefined;
  readonly trace: string[] | undefined;
};

const STARTS_AT: Instant = Date.UTC(2027, 0, 1) / 1000;

const TIMEOUT_SECONDS = 600;

export function createWorld(code: CodeUnderTest, profile: Profile, coverage: Coverage, seed: number, trace: string[] | undefined, given: Partial<World> = {}): World {
  const random = randomOf(seed, -1);
  const daySeconds = random.chance(profile.shortDays) ? 60 : DAY_SECONDS;
  const world: World = {
    code,
    profile,
    coverage,
    trace,
    random,
    daySeconds,
    store: createMemoryStore({
      now: () => world.storageAt,
      offsetSeconds: () => world.offsetSeconds,
      emptyPages: () => world.faultsOn && world.random.chance(0.15),
      strict: false,
    }),
    history: createHistory(),
    hosts: Array.from({ length: 2 + random.below(2) }, (_, index) => ({ name: `h${index + 1}`, skewSeconds: skewOf(random, profile, daySeconds) })),
    timeoutSeconds: TIMEOUT_SECONDS,
    lroSeconds: random.chance(0.2) ? 90 : 0,
    transitionSeconds: random.chance(0.2) ? 3 : 0,
    grantsAtCreation: random.chance(0.2),
    erasePageRows: random.chance(0.5) ? 1 : 2,
    storageAt: STARTS_AT,
    offsetSeconds: 0,
    tick: 0,
    executions: [],
    stragglers: [],
    timers: new Map(),
    engine: undefined,
    messages: [],
    executionsStarted: 0,
    ids: 0,
    changed: false,
    faultsOn: false,
    violation: undefined,
  };
  return Object.assign(world, given);
}

/** Mostly seconds; in profiles with large skew up to days. */
export function skewOf(random: Random, profile: Profile, daySeconds: number): number {
  const sign = random.chance(0.5) ? 1 : -1;
  if (random.chance(profile.largeSkew)) return sign * random.pick([300, daySeconds, 8 * daySeconds, 40 * daySeconds]);
  return sign * random.below(4);
}

export const nowOf = (world: World): Instant => world.storageAt + world.offsetSeconds;
export const hostNow = (world: World, host: Host): Instant => nowOf(world) + host.skewSeconds;

export const instantText = (instant: Instant): string => (Number.isFinite(instant) ? `${new Date(instant * 1000).toISOString().slice(0, 19)}Z` : '-');

/** A line of the history that a person reads; nothing is made of it unless someone does. */
export function tell(world: World, line: () => string): void {
  world.trace?.push(`${instantText(nowOf(world))}  ${line()}`);
}
