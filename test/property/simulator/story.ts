// A run told by hand: the same world, services and oracle as in the simulator, but every step is written down in a test, with literal instants.
import type { KeyRecord } from '../../../shared/domain/key';
import type { HsmRecord } from '../../../shared/domain/managedHsm';
import type { KeyIds } from '../../../shared/domain/plan';
import { audit, drainMessages, runToEnd } from './audit';
import { moveOffset, passTime } from './clocks';
import { loadCode } from './codeUnderTest';
import type { ClientTask, KeyTask, Task, Where } from './commands';
import { createCoverage } from './coverage';
import { advance, type Fate, land, start } from './executions';
import { profiles } from './profiles';
import { GROUPS, HOME, keyTaskOf, taskOf } from './requests';
import { errorName } from './texts';
import { type Call, createWorld, type Execution, type Host, nowOf, type World } from './world';

export const secondsOf = (instant: string): number => Date.parse(instant) / 1000;

/** Contoso: the name that every story is about. */
const CONTOSO: Where = { ...HOME, name: 'contoso' };
export const task = (kind: ClientTask['kind'], more: Partial<ClientTask> = {}, where: Where = CONTOSO): ClientTask => taskOf(kind, where, more);
export const put = (more: Partial<ClientTask['request']> = {}): ClientTask => task('put', { request: { ...task('put').request, retentionDays: 7, ...more } });

export const key = (kind: KeyTask['kind'], more: Partial<KeyTask> = {}): KeyTask => keyTaskOf(kind, 'contoso', more);

/** A world at an instant with two groups, two hosts and nothing wrong. @param skews how many seconds the clocks of h1 and h2 lead */
export async function given({
  now = '2027-01-01T00:00:00Z',
  skews = [0, 0],
  transitionSeconds = 0,
}: {
  readonly now?: string;
  readonly skews?: readonly [number, number];
  readonly transitionSeconds?: number;
} = {}) {
  const plain = { ...(profiles.get('mixed') as World['profile']), shortDays: 0, largeSkew: 0, stall: 0 };
  const hosts = skews.map((skewSeconds, index) => ({ name: `h${index + 1}`, skewSeconds }));
  const world = createWorld(loadCode(), plain, createCoverage(), 0, [], { hosts, lroSeconds: 0, transitionSeconds, grantsAtCreation: false, erasePageRows: 2 });
  passTime(world, secondsOf(now) - nowOf(world));
  const host = (name: string): Host => world.hosts.find((each) => each.name === name) as Host;

  async function begin(asked: Task, on = 'h1') {
    const execution = await start(world, asked, host(on));
    return handleOf(world, execution);
  }
  const run = async (asked: Task, on = 'h1'): Promise<unknown> => (await begin(asked, on)).end();
  for (const { subscription, group } of GROUPS) await run(taskOf('groupPut', { ...HOME, subscription, group }));
  return {
    world,
    begin,
    /** What the asker is told: the answer, or the name of the error. */
    run,
    at(instant: string): void {
      passTime(world, secondsOf(instant) - nowOf(world));
    },
    later: (seconds: number): void => passTime(world, seconds),
    moveDevelopmentClock: (seconds: number): void => moveOffset(world, seconds),
    record: (name = 'contoso'): HsmRecord | undefined => world.store.row<HsmRecord>('hsms', name, '!hsm').found?.value,
    keyRecord: (name = 'first'): KeyRecord | undefined =>
      [...world.history.keys]
        .filter(([address]) => address.endsWith(`/${name}`))
        .at(-1)?.[1]
        .at(-1)?.value,
    rows: (partition: string): string[] =>
      [...world.store.rows()]
        .filter((row) => row.partition === partition)
        .map((row) => `${row.table}/${row.row}`)
        .sort(),
    timer: (deletionId: string | undefined) => world.timers.get(deletionId ?? ''),
    fire: async (deletionId: string | undefined, on = 'h1'): Promise<unknown> => run({ kind: 'look', timer: world.timers.get(deletionId ?? '')?.input as never, forged: true }, on),
    sweep: (on = 'h1') => run({ kind: 'sweep' }, on),
    erase: (incarnation: string, on = 'h1', of: KeyIds | undefined = undefined) =>
      run({ kind: 'erase', debt: { hsm: 'contoso', incarnation, ...(of && { key: of }) }, message: undefined }, on),
    workOffMessages: (on = 'h1') => drainMessages(world, host(on)),
    /** The next page of a range comes empty, and continues. */
    emptyNextPage(): void {
      let pages = 0;
      world.faultsOn = true;
      world.random = { ...world.random, chance: () => ++pages === 1 };
    },
    loseMessages(): void {
      world.messages = [];
    },
    landStragglers: (): void => {
      for (const { call } of world.stragglers.splice(0)) land(world, call);
    },
  };
}

function handleOf(world: World, execution: Execution) {
  const next = (): Call => execution.calls[0] as Call;
  const told = (): unknown => {
    if (world.violation) throw world.violation;
    audit(world);
    const { outcome } = execution;
    return outcome && ('value' in outcome ? outcome.value : errorName(outcome.error));
  };
  return {
    execution,
    /** Lets it come to its next call of a kind, and no further. */
    async to(kind: Call['kind']): Promise<void> {
      while (execution.calls.length && next().kind !== kind) await advance(world, next(), 'through');
      if (!execution.calls.length) throw new Error(`it made no call to ${kind}`);
    },
    /** What becomes of the call that it stands at. */
    meets: (fate: Fate): Promise<void> => advance(world, next(), fate),
    /** Lets it run to its end. */
    async end(): Promise<unknown> {
      await runToEnd(world, execution);
      return told();
    },
  };
}
