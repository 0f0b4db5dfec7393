// How time passes: the storage's clock only goes forward, and executions that it leaves behind by more than their time-out are ended by their hosts.
import { die } from './executions';
import { nowOf, tell, type World } from './world';

/** Storage's time passes. */
export function passTime(world: World, seconds: number): void {
  if (seconds <= 0) return;
  world.tick += 1;
  world.storageAt += seconds;
  tell(world, () => `-- ${seconds} s have passed`);
  if (world.profile.frozen) return;
  for (const execution of [...world.executions]) if (execution.startedAt + world.timeoutSeconds < world.storageAt) die(world, execution, 'is ended at its time-out');
  if (world.stragglers.length) world.stragglers = world.stragglers.filter(({ landsBy }) => landsBy >= world.storageAt);
}

/** The development offset is moved forward: due dates come, but no time has passed for executions. */
export function moveOffset(world: World, seconds: number): void {
  world.tick += 1;
  world.offsetSeconds += seconds;
  tell(world, () => `-- the development clock is moved by ${seconds} s`);
}

/** The next instants at which something changes: dates of purge, ages of debts and marks, timers. */
export function datesAhead(world: World): number[] {
  const now = nowOf(world);
  const dates: number[] = [];
  for (const versions of [...world.history.hsms.values(), ...world.history.keys.values()]) {
    const record = versions.at(-1)?.value;
    if (record?.deletion) dates.push(record.deletion.purgeAt);
    if (record?.window) dates.push(record.window.readyAt);
  }
  for (const debt of world.history.debts.values()) if (debt.closedTick === Number.POSITIVE_INFINITY) dates.push(debt.writtenAt + 2 * world.timeoutSeconds + world.offsetSeconds);
  for (const versions of world.history.fences.values()) {
    const fence = versions.at(-1)?.value;
    if (fence?.guard && !fence.open) dates.push(fence.closedAt + 2 * world.timeoutSeconds + world.offsetSeconds);
  }
  for (const versions of world.history.groups.values()) {
    const last = versions.at(-1);
    if (last?.value?.deleting) dates.push(last.fromNow + 2 * world.timeoutSeconds);
  }
  if (world.engine) dates.push(...world.engine.due());
  return dates.filter((date) => date > now);
}
