// The embedded Durable engine under a run: its clock is one host's clock, its timers fire when the scheduler says, up to a second early, and the activity's question waits until an execution answers it.
import { createDurable } from '../../../local/host/durable/engine';
import type { Timer } from '../../../shared/domain/plan';
import type { Instant } from '../../../shared/domain/time';
import type { LookAnswer } from '../../../shared/service/retention';
import type { EngineCode } from './codeUnderTest';
import { mailbox } from './orchestrator';
import { demand } from './violation';
import { nowOf, type TimerInstance, type World } from './world';

/** A question that the orchestrator asked and no execution has answered yet. Asked again if its host dies. */
export type Question = { readonly timer: Timer; readonly resolve: (answer: LookAnswer) => void; readonly reject: (error: Error) => void; asked: boolean };

export type EngineUnderRun = {
  start(timer: Timer): void;
  end(deletionId: string): void;
  /** When its clock's next timers are due. */
  due(): readonly Instant[];
  /** Fires one timer that is due; false if there is none. */
  fire(): Promise<boolean>;
  /** Lets the engine do all that it can do by itself, and takes over what became of its instances. */
  settle(): Promise<void>;
  /** Questions that wait for a host. */
  questions(): readonly Question[];
  now(): Instant;
};

/** An orchestrator that asks again sooner than this spins: a minute less the second by which real timers are early. */
const ASKS_APART_SECONDS = 59;
const HISTORY_EVENTS_MAX = 1000;
const TURNS_MAX = 200;

export async function createEngine(world: World, code: EngineCode): Promise<EngineUnderRun> {
  const skewSeconds = world.hosts[0]?.skewSeconds ?? 0;
  const now = (): Instant => nowOf(world) + skewSeconds;
  const alarms = new Map<number, { readonly instant: number; readonly ring: () => void | Promise<void> }>();
  const tracked = new Set<Promise<unknown>>();
  const questions = new Set<Question>();
  const answeredAt = new Map<string, Instant>();
  let alarmsSet = 0;
  let idsGiven = 0;

  const engine = await createDurable({
    core: code,
    clock: {
      now: () => now() * 1000,
      at: (instant, ring) => {
        const id = ++alarmsSet;
        alarms.set(id, { instant, ring });
        return () => alarms.delete(id);
      },
      track: (work) => {
        tracked.add(work);
        const done = (): void => void tracked.delete(work);
        work.then(done, done);
        return work;
      },
    },
    stateDir: undefined,
    hubName: 'Simulated',
    log: () => undefined,
    earliness: () => world.random.below(1001),
    newId: () => `00000000-0000-4000-8000-${String(++idsGiven).padStart(12, '0')}`,
    http: false,
  });
  await engine.start();

  mailbox.ask = (timer) => {
    const last = answeredAt.get(timer.deletionId);
    try {
      demand(
        last === undefined || now() - last >= ASKS_APART_SECONDS,
        'spin',
        () => `the orchestrator of deletion ${timer.deletionId} asks again ${now() - (last ?? 0)} s after its last answer`,
      );
    } catch (error) {
      world.violation ??= error as NonNullable<World['violation']>;
      return new Promise(() => undefined);
    }
    return new Promise<LookAnswer>((resolve, reject) => {
      const settling =
        <T>(settle: (outcome: T) => void) =>
        (outcome: T): void => {
          questions.delete(question);
          answeredAt.set(timer.deletionId, now());
          settle(outcome);
        };
      const question: Question = { timer, asked: false, resolve: settling(resolve), reject: settling(reject) };
      questions.add(question);
    });
  };

  const due = (): [number, { instant: number; ring: () => void | Promise<void> }][] => [...alarms].filter(([, { instant }]) => instant <= now() * 1000);

  /** One turn of the event loop runs every episode that is ready; activities that wait for a host are not the engine's to finish. */
  async function settle(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; quiet < 2; turn++) {
      if (turn > TURNS_MAX) throw new Error('the engine does not come to rest');
      await new Promise(setImmediate);
      quiet = tracked.size <= 2 * questions.size || world.violation ? quiet + 1 : 0;
    }
    for (const [id, timer] of world.timers) await takeOver(id, timer);
  }

  async function takeOver(id: string, timer: TimerInstance): Promise<void> {
    const status = engine.get(id)?.runtimeStatus;
    if (status === undefined || timer.status !== 'running' || status === 'Running' || status === 'Pending') return;
    const failed = status === 'Failed';
    demand(!failed, 'I1', () => `the orchestration of deletion ${id} failed`);
    timer.status = status === 'Completed' ? 'completed' : 'terminated';
    world.changed = true;
    const events = (await engine.history(id)).length;
    demand(events < HISTORY_EVENTS_MAX, 'spin', () => `the history of deletion ${id} has ${events} events`);
  }

  return {
    start: (timer) => void engine.startNew('purgeAtDeadline', timer.deletionId, JSON.stringify(timer)),
    end: (deletionId) => void engine.terminate(deletionId, 'ended'),
    due: () => [...alarms.values()].map(({ instant }) => Math.ceil(instant / 1000) - skewSeconds),
    async fire() {
      const ready = due();
      if (!ready.length) return false;
      const [id, alarm] = world.random.pick(ready);
      alarms.delete(id);
      void alarm.ring();
      await settle();
      return true;
    },
    settle,
    questions: () => [...questions],
    now,
  };
}
