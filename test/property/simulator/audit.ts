// What must hold of everything that is stored, after each step and at the end: obligations stand, nobody's rows are left behind, no live HSM is without its group; and with every fault over, what was due is gone.

import type { Deletion } from '../../../shared/domain/lifecycle';
import type { HsmRecord } from '../../../shared/domain/managedHsm';
import { passTime } from './clocks';
import type { EngineUnderRun } from './engine';
import { advance, die, start } from './executions';
import { current, deletionStanding, keyStands, stands } from './history';
import { demand } from './violation';
import { type Execution, type Host, hostNow, nowOf, tell, type World } from './world';

/** Holds at every moment. @throws Violation */
export function audit(world: World): void {
  if (!world.changed) return;
  world.changed = false;
  for (const [name, versions] of world.history.hsms) {
    const record = versions.at(-1)?.value;
    if (record?.deletion) obligationStands(world, name, record.deletion);
    else if (record && !world.profile.frozen) groupStands(world, name, record);
  }
  for (const [address, versions] of world.history.keys) {
    const deletion = versions.at(-1)?.value?.deletion;
    if (deletion && stands(world.history, address.split('/')[0] as string)) obligationStands(world, address, deletion);
  }
  if (!world.profile.frozen) nothingIsLeftBehind(world);
}

/** The record of a deleted HSM is its own obligation; its timer runs, unless the engine or an operator lost it or the deletion was overdue when it was stored. */
function obligationStands(world: World, name: string, deletion: Deletion): void {
  const stored = world.history.deletions.get(deletion.deletionId);
  const timer = world.timers.get(deletion.deletionId);
  // With days shorter than a time-out, a command that was stalled, refused and decided again can store a deletion after its timer's first date.
  const late = stored !== undefined && stored.storedNow >= (timer?.input.purgeAt ?? deletion.purgeAt);
  // A recovery or purge whose answer came has ended the timer after its commit; here the deletion is still stored.
  demand(
    late || timer?.status === 'running' || timer?.status === 'lost',
    'I1',
    () => `the deletion ${deletion.deletionId} of ${name} is stored, and its timer is ${timer?.status ?? 'not there'}`,
  );
}

function groupStands(world: World, name: string, record: HsmRecord): void {
  const group = current(world.history.groups, `${record.subscription}/g!${record.group}`);
  demand(group?.value !== undefined, 'groups', () => `${name} is active in ${record.subscription}/${record.group}, whose row is gone: nobody will ever sweep it`);
}

/** Rows that an incarnation owned stay a debt until they are erased. */
function nothingIsLeftBehind(world: World): void {
  const { owned, debts } = world.history;
  for (const [incarnation, rows] of owned) {
    if (rows.size === 0) continue;
    const debt = debts.get(incarnation);
    const isOwed = debt !== undefined && debt.closedTick > world.tick;
    demand(isOwed || isOwned(world, incarnation), 'I2', () => `${[...rows].join(', ')}: ${incarnation} is purged, its debt is closed, and this is stored`);
  }
}

/** By its own record; of a key, also by its HSM's: what a purged HSM leaves of its keys is the HSM's debt. */
function isOwned({ history }: World, incarnation: string): boolean {
  const key = history.keyIncarnations.get(incarnation);
  return key ? keyStands(history, incarnation) || !stands(history, key.partition) : stands(history, incarnation);
}

/** Faults are over: lets everything under way end, passes every date, and demands that the work is done. */
export async function conclude(world: World): Promise<void> {
  world.faultsOn = false;
  tell(world, () => '-- no more faults');
  for (const execution of [...world.executions]) if (world.random.chance(0.3)) die(world, execution, 'dies with its host');
  for (const execution of [...world.executions]) await runToEnd(world, execution);
  world.stragglers = [];
  for (const host of world.hosts) host.skewSeconds = world.random.below(5) - 2;
  await passDates(world);
  if (world.engine) await engineAlone(world, world.engine);
  else if (world.random.chance(0.5)) await timersAlone(world);
  const host = world.hosts[0] as Host;
  await sweepAndClean(world, host);
  // What the first sweep soft-deleted with its group is due in its turn.
  await passDates(world);
  for (let pass = 0; pass < 2; pass++) {
    await sweepAndClean(world, host);
    passTime(world, 2 * world.timeoutSeconds);
  }
  await sweepAndClean(world, host);
  if (world.violation) throw world.violation;
  audit(world);
  for (const [name, versions] of world.history.hsms) {
    const purgeAt = versions.at(-1)?.value?.deletion?.purgeAt;
    demand(purgeAt === undefined || purgeAt > nowOf(world), 'I15', () => `${name} was due, and four sweeps have left it`);
  }
  for (const [address, versions] of world.history.keys) {
    const purgeAt = versions.at(-1)?.value?.deletion?.purgeAt;
    const isDue = purgeAt !== undefined && purgeAt <= nowOf(world) && stands(world.history, address.split('/')[0] as string);
    demand(!isDue, 'I15', () => `the key ${address} was due, and four sweeps have left it`);
  }
  for (const [incarnation, versions] of world.history.fences) {
    const fence = versions.at(-1)?.value;
    const record = current(world.history.hsms, world.history.incarnations.get(incarnation)?.name ?? '')?.value;
    const isHealed = !fence?.guard || fence.open || record?.incarnation !== incarnation || record.settings.purgeProtection;
    demand(isHealed, 'fence', () => `nobody can purge a key of ${record?.name} (${incarnation}) by hand: the fence is closed over a record without protection, after four sweeps`);
  }
  if (world.profile.frozen) return;
  for (const [incarnation, debt] of world.history.debts)
    demand(debt.closedTick < Number.POSITIVE_INFINITY, 'I2', () => `the debt of ${incarnation} is still there after four sweeps, their messages worked off`);
  for (const [address, versions] of world.history.groups) demand(!versions.at(-1)?.value?.deleting, 'groups', () => `${address} is still marked after four sweeps`);
}

async function sweepAndClean(world: World, host: Host): Promise<void> {
  await runToEnd(world, await start(world, { kind: 'sweep' }, host));
  await drainMessages(world, host);
}

/** Past every date that is stored, and past the lives of all executions. */
async function passDates(world: World): Promise<void> {
  const { hsms, keys } = world.history;
  const dates = [...hsms.values(), ...keys.values()].map((versions) => versions.at(-1)?.value?.deletion?.purgeAt ?? 0);
  // An engine whose clock leads asks once a minute until the storage's clock has come after it: past that, too.
  if (world.engine) dates.push(...[...world.timers.values()].map((timer) => timer.input.purgeAt));
  passTime(world, Math.max(0, Math.max(0, ...dates) - nowOf(world)) + 5 + 2 * world.timeoutSeconds);
  if (world.violation) throw world.violation;
}

/** Every timer that the engine has not lost does the work without any sweep. */
async function timersAlone(world: World): Promise<void> {
  const host = world.hosts.at(-1) as Host;
  for (const timer of world.timers.values()) {
    if (timer.status !== 'running') continue;
    const wait = timer.nextAt - hostNow(world, host);
    if (wait > 0) passTime(world, wait);
    await runToEnd(world, await start(world, { kind: 'look', timer: timer.input, forged: false }, host));
    demand(
      deletionStanding(world.history, timer.input) === undefined,
      'I15',
      () => `the timer of deletion ${timer.input.deletionId} was asked at its date, and ${timer.input.hsm} is still stored`,
    );
    audit(world);
  }
}

/** The engine fires what is due and is answered, until it has nothing left to do: every orchestration has ended, and so has its deletion. */
async function engineAlone(world: World, engine: EngineUnderRun): Promise<void> {
  const host = world.hosts.at(-1) as Host;
  for (let rounds = 0; rounds < 400; rounds++) {
    await engine.settle();
    if (world.violation) throw world.violation;
    const question = engine.questions().find((each) => !each.asked);
    if (question) {
      question.asked = true;
      await runToEnd(world, await start(world, { kind: 'look', timer: question.timer, forged: false, question }, host));
    } else if (!(await engine.fire())) {
      const next = Math.min(...engine.due());
      if (next === Number.POSITIVE_INFINITY) break;
      passTime(world, Math.max(1, next - nowOf(world)));
    }
  }
  audit(world);
  for (const [id, timer] of world.timers) {
    const record = deletionStanding(world.history, timer.input);
    demand(timer.status !== 'running', 'I15', () => `the orchestration of deletion ${id} is still running long after its date`);
    demand(
      timer.status !== 'completed' || !record?.deletion || record.deletion.purgeAt > nowOf(world),
      'I15',
      () => `the orchestration of deletion ${id} has ended, and ${timer.input.hsm} is still stored`,
    );
  }
}

/** Works off every message, and those that they send. */
export async function drainMessages(world: World, host: Host): Promise<void> {
  for (let message = world.messages[0], count = 0; message; message = world.messages[0]) {
    demand(count++ < 500, 'I2', () => 'the clean-up never ends: each message sends another');
    world.messages = world.messages.filter((other) => other !== message);
    await runToEnd(world, await start(world, { kind: 'erase', debt: message.debt, message }, host));
  }
}

/** One execution, without faults, while nothing else happens. */
export async function runToEnd(world: World, execution: Execution): Promise<void> {
  for (let call = execution.calls[0]; call; call = execution.calls[0]) await advance(world, call, 'through');
  if (world.violation) throw world.violation;
}
