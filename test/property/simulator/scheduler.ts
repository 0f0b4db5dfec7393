// One step of a run: picks what happens next and lets it happen. It owns every yield point; nothing goes on that it has not picked.

import type { Debt } from '../../../shared/domain/plan';
import { drainMessages, runToEnd } from './audit';
import { datesAhead, moveOffset, passTime } from './clocks';
import { debtText } from './commands';
import type { EngineUnderRun } from './engine';
import { advance, die, type Fate, isSent, land, start } from './executions';
import type { Action } from './profiles';
import { pickWeighted } from './random';
import { anyTask, lifeOf } from './requests';
import { type Call, type Execution, type Host, hostNow, type Message, nowOf, skewOf, type TimerInstance, tell, type World } from './world';

const CLIENTS_MAX = 6;
const DEQUEUES_MAX = 5;

/** One action, or none if what was drawn has nothing to act on. */
export async function step(world: World): Promise<void> {
  const action = pickWeighted(world.random, world.profile.actions);
  await actions[action](world);
}

const pickHost = (world: World): Host => world.random.pick(world.hosts);
const openCalls = (world: World, held: boolean): Call[] => world.executions.filter((execution) => execution.held === held).flatMap((execution) => execution.calls);

const actions: Readonly<Record<Action, (world: World) => Promise<void> | void>> = {
  async start(world) {
    if (world.executions.length >= CLIENTS_MAX) return actions.finish(world);
    const execution = await start(world, anyTask(world), pickHost(world));
    if (world.random.chance(0.15)) await ambush(world, execution);
    else if (!execution.held && world.random.chance(0.4)) await perhapsLimp(world, execution);
  },

  async go(world) {
    const calls = openCalls(world, false);
    if (calls.length === 0) return actions.start(world);
    await advance(world, world.random.pick(calls), world.random.chance(0.2) ? 'effect only' : 'through');
  },

  async finish(world) {
    const free = world.executions.filter((execution) => !execution.held);
    if (free.length) await perhapsLimp(world, world.random.pick(free));
  },

  async release(world) {
    const held = world.executions.filter((execution) => execution.held);
    if (!held.length) return;
    const execution = world.random.pick(held);
    execution.held = false;
    if (world.random.chance(0.5)) await runToEnd(world, execution);
    else if (execution.calls[0]) await advance(world, execution.calls[0], 'through');
  },

  async fault(world) {
    const calls = [...openCalls(world, false), ...openCalls(world, true)];
    const writes = calls.filter((call) => call.kind === 'write');
    const from = writes.length && world.random.chance(0.7) ? writes : calls;
    if (!from.length) return;
    const call = world.random.pick(from);
    await advance(world, call, anyFailure(world, call));
  },

  async crash(world) {
    const calls = [...openCalls(world, false), ...openCalls(world, true)];
    const hints = calls.filter((call) => call.kind === 'send' || call.kind === 'endTimer');
    const at = calls.length && world.random.chance(0.7) ? world.random.pick(hints.length && world.random.chance(0.5) ? hints : calls) : undefined;
    if (at?.phase === 'asked' && world.random.chance(0.5)) await advance(world, at, 'effect only');
    const host = at?.execution.host ?? pickHost(world);
    tell(world, () => `-- ${host.name} crashes`);
    for (const execution of world.executions.filter((each) => each.host === host)) die(world, execution, 'dies with its host');
    if (world.random.chance(0.3)) host.skewSeconds = skewOf(world.random, world.profile, world.daySeconds);
  },

  time(world) {
    const { random, timeoutSeconds, daySeconds } = world;
    const ahead = datesAhead(world);
    const way = random.below(10);
    if (way < 2) return passTime(world, 1 + random.below(5));
    if (way < 4) return passTime(world, 1 + random.below(timeoutSeconds));
    if (way < 5) return passTime(world, daySeconds * (1 + random.below(9)));
    if (!ahead.length) return passTime(world, random.below(2 * timeoutSeconds));
    const before = random.pick([-2, -1, 0, 0, 0, 1, 1, 2, random.below(timeoutSeconds), random.below(timeoutSeconds)]);
    passTime(world, Math.max(1, random.pick(ahead) - nowOf(world) - before));
  },

  clock(world) {
    const host = pickHost(world);
    host.skewSeconds = skewOf(world.random, world.profile, world.daySeconds);
    tell(world, () => `-- the clock of ${host.name} steps: it is ${host.skewSeconds} s off`);
  },

  offset(world) {
    const ahead = datesAhead(world);
    moveOffset(world, ahead.length ? Math.max(1, world.random.pick(ahead) - nowOf(world) - world.random.below(3)) : world.daySeconds);
  },

  async sweep(world) {
    await perhapsRun(world, await start(world, { kind: 'sweep' }, pickHost(world)));
  },

  async deliver(world) {
    const waiting = world.messages.filter((message) => message.busy === 0 || world.random.chance(0.1));
    if (!waiting.length) return actions.time(world);
    const message = world.random.pick(waiting);
    if (++message.dequeues > DEQUEUES_MAX) return poison(world, message);
    await perhapsRun(world, await start(world, { kind: 'erase', debt: message.debt, message }, pickHost(world)));
  },

  async fire(world) {
    const host = pickHost(world);
    if (world.engine) return fireEngine(world, world.engine, host);
    const running = [...world.timers.values()].filter((timer) => timer.status === 'running' && (timer.looking === 0 || world.random.chance(0.1)));
    // Real timers fire up to a second early.
    const due = running.filter((timer) => hostNow(world, host) >= timer.nextAt - 1);
    if (!due.length) return actions.deliver(world);
    await ask(world, world.random.pick(due), host);
  },

  /** Hints that nobody of ours sent, with ids that are alive. */
  async forge(world) {
    const { random, history } = world;
    const alive = [...history.hsms.values()].map((versions) => versions.at(-1)?.value).filter((record) => record !== undefined);
    const past = [...history.incarnations.entries()];
    if (random.chance(0.5) || !world.timers.size) {
      if (history.keyIncarnations.size && random.chance(0.5)) {
        await perhapsRun(world, await start(world, { kind: 'erase', debt: forgedKeyDebt(world), message: undefined }, pickHost(world)));
        return;
      }
      const incarnation = alive.length && random.chance(0.7) ? random.pick(alive).incarnation : past.length ? random.pick(past)[0] : undefined;
      if (incarnation === undefined) return;
      await perhapsRun(
        world,
        await start(world, { kind: 'erase', debt: { hsm: history.incarnations.get(incarnation)?.name ?? '', incarnation }, message: undefined }, pickHost(world)),
      );
      return;
    }
    const { input } = random.pick([...world.timers.values()]);
    const record = alive.find((each) => each.name === input.hsm);
    const timer = {
      ...input,
      ...(record && random.chance(0.5) && { incarnation: record.incarnation }),
      ...(input.key && random.chance(0.3) && { key: { ...input.key, name: random.pick(['first', 'second']) } }),
      purgeAt: random.pick([input.purgeAt, nowOf(world) - 1, nowOf(world) + 100]),
    };
    await perhapsRun(world, await start(world, { kind: 'look', timer, forged: true }, pickHost(world)));
  },

  loseTimer(world) {
    const running = [...world.timers.values()].filter((timer) => timer.status === 'running');
    if (!running.length) return;
    const timer = world.random.pick(running);
    timer.status = 'lost';
    world.engine?.end(timer.input.deletionId);
    tell(world, () => `-- the engine loses the timer of deletion ${timer.input.deletionId}`);
  },

  async cycle(world) {
    const host = pickHost(world);
    const { faultsOn } = world;
    world.faultsOn = false;
    for (const task of lifeOf(world)) await runToEnd(world, await start(world, task, host));
    if (world.random.chance(0.6)) await drainMessages(world, host);
    world.faultsOn = faultsOn;
  },

  land(world) {
    if (!world.stragglers.length) return actions.release(world);
    const straggler = world.random.pick(world.stragglers);
    world.stragglers = world.stragglers.filter((other) => other !== straggler);
    land(world, straggler.call);
  },
};

/** A question of the orchestrator finds a host, or a timer of the engine fires. */
async function fireEngine(world: World, engine: EngineUnderRun, host: Host): Promise<void> {
  const open = engine.questions().filter((question) => !question.asked || world.random.chance(0.1));
  if (!open.length || world.random.chance(0.3)) {
    await engine.fire();
    return;
  }
  const question = world.random.pick(open);
  question.asked = true;
  await perhapsRun(world, await start(world, { kind: 'look', timer: question.timer, forged: false, question }, host));
}

async function ask(world: World, timer: TimerInstance, host: Host): Promise<void> {
  await perhapsRun(world, await start(world, { kind: 'look', timer: timer.input, forged: false }, host));
}

async function perhapsRun(world: World, execution: Execution): Promise<void> {
  if (world.random.chance(0.2)) await ambush(world, execution);
  else if (!execution.held && world.random.chance(0.6)) await perhapsLimp(world, execution);
}

/** Lets some of its calls go on, those that were made side by side in any order: what others do then comes between two reads. */
async function someCalls(world: World, execution: Execution): Promise<void> {
  for (let count = 1 + world.random.below(8); count > 0 && execution.calls.length && !world.violation; count--) await advance(world, world.random.pick(execution.calls), 'through');
}

/** Lets an execution come to its write, the one after it or any other call, perhaps lets that go wrong, and then others live a part of a life before it goes on. */
async function ambush(world: World, execution: Execution): Promise<void> {
  let call = execution.calls[0];
  const toWrite = async (): Promise<void> => {
    for (; call && call.kind !== 'write' && !world.violation; call = execution.calls[0]) await advance(world, call, 'through');
  };
  if (world.random.chance(0.35)) await someCalls(world, execution);
  else await toWrite();
  call = execution.calls[0];
  if (call?.kind === 'write' && !world.violation && world.random.chance(0.25)) {
    await advance(world, call, 'through');
    call = execution.calls[0];
    await toWrite();
  }
  if (call?.kind === 'write' && world.random.chance(0.4)) await advance(world, call, anyFailure(world, call));
  if (execution.status === 'running') await actions.cycle(world);
}

/** To its end, now and then with a call that fails here and there, or with its host's at some call. */
async function perhapsLimp(world: World, execution: Execution): Promise<void> {
  if (!world.random.chance(0.35)) return runToEnd(world, execution);
  for (let call = execution.calls[0]; call && !world.violation; call = execution.calls[0]) {
    if (world.random.chance(isSent(call) ? 0.3 : 0.03)) {
      if (world.random.chance(0.5)) await advance(world, call, 'effect only');
      die(world, execution, 'dies with its host');
      return;
    }
    await advance(world, call, world.random.chance(0.2) ? anyFailure(world, call) : 'through');
  }
}

function anyFailure(world: World, call: Call): Fate {
  if (call.phase === 'done') return 'fail after';
  return !isSent(call) ? 'fail before' : world.random.pick(['fail before', 'fail after', 'fail after', 'fail, land later']);
}

/** Of a key that is alive or purged, now and then under another's name. */
function forgedKeyDebt({ random, history }: World): Debt {
  const [incarnation, { address, partition }] = random.pick([...history.keyIncarnations]);
  const name = random.chance(0.2) ? random.pick(['first', 'second']) : address.slice(partition.length + 1);
  const hsm = random.chance(0.2) ? random.pick(['alpha', 'beta']) : (history.incarnations.get(partition)?.name ?? '');
  return { hsm, incarnation: partition, key: { name, incarnation } };
}

function poison(world: World, message: Message): void {
  world.messages = world.messages.filter((other) => other !== message);
  tell(world, () => `-- the clean-up of ${debtText(message.debt)} is poisoned`);
}
