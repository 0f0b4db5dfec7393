// The rows of one HSM's partition of keys as a transaction leaves them: each record with its obligation, each older version in its place, the fence as the HSM's record wants it.
import { isDeepStrictEqual } from 'node:util';
import type { KeyDebt, KeyRecord, VersionRecord } from '../../../shared/domain/key';
import type { Row, Value, Write } from '../../../shared/domain/plan';
import { addVersion, current, keyAddress, stands } from './history';
import { keyChanged } from './keyChanges';
import { demand } from './violation';
import { type Execution, instantText, nowOf, type World } from './world';

export type Applied = { readonly write: Write; readonly before: Row<Value> | undefined; readonly after: Row<Value> | undefined };

/** @param partition the HSM's incarnation. @throws Violation */
export function keyRowsChanged(world: World, execution: Execution, partition: string, applied: readonly Applied[]): void {
  const records = applied.filter(({ write }) => write.row.startsWith('k!'));
  for (const row of records) recordChanged(world, execution, partition, row, applied);
  for (const row of applied) if (row.write.row.startsWith('v!')) olderVersionChanged(world, execution, partition, row, applied);
  for (const { write, after } of applied) if (write.row.startsWith('due!')) noteDue(world, partition, write.row, after !== undefined);
  if (applied.some(({ write }) => write.row === 'guard' || write.row === 'open')) fenceChanged(world, execution, partition, applied);
  if (execution.task.kind === 'erase' || !stands(world.history, partition)) return;
  obligationsMatch(world, execution, partition);
  for (const { after } of records) if (after) versionsMatch(world, execution, after.value as KeyRecord);
}

const isWithHsm = ({ task }: Execution): boolean => task.kind === 'erase' && !task.debt.key;

function recordChanged(world: World, execution: Execution, partition: string, { write, before, after }: Applied, all: readonly Applied[]): void {
  const address = keyAddress(partition, write.row.slice('k!'.length));
  const was = before?.value as KeyRecord | undefined;
  const is = after?.value as KeyRecord | undefined;
  if (was && !is && isWithHsm(execution)) (world.history.keyIncarnations.get(was.incarnation) as { removedTick: number }).removedTick = world.tick;
  else {
    const inserted = (row: string): Value | undefined => all.find((other) => other.write.kind === 'insert' && other.write.row === row)?.after?.value;
    keyChanged(world, execution, {
      partition,
      address,
      was,
      is,
      debt: was && (inserted(`gone!${was.incarnation}`) as KeyDebt | undefined),
      older: all.find((other) => other.write.row.startsWith('v!'))?.after?.value as VersionRecord | undefined,
      passesFence: all.some((other) => other.write.row === 'open' && other.after !== undefined),
    });
  }
  addVersion(world.history.keys, address, is, world.tick, nowOf(world));
}

function olderVersionChanged(world: World, execution: Execution, partition: string, { write, before, after }: Applied, all: readonly Applied[]): void {
  const id = write.row.slice('v!'.length);
  const was = before?.value as VersionRecord | undefined;
  const is = after?.value as VersionRecord | undefined;
  addVersion(world.history.olderVersions, id, is, world.tick, nowOf(world));
  if (!is) return;
  const where = `#${execution.id} (${execution.task.kind}): version ${id} in ${partition}`;
  const record = all.find((other) => other.write.row.startsWith('k!'))?.after?.value as KeyRecord | undefined;
  demand(record?.incarnation === is.keyIncarnation && write.row === `v!${is.keyIncarnation}!${is.version}`, 'I10', () => `${where} without the record of its key`);
  if (!was) return;
  const kept = ({ keyOps: _, attributes: __, tags: ___, updated: ____, ...rest }: VersionRecord) => rest;
  demand(execution.task.kind === 'keyUpdate', 'table', () => `${where} is not its business`);
  demand(isDeepStrictEqual(kept(was), kept(is)), 'I10', () => `${where} changed more than it may`);
}

function noteDue(world: World, partition: string, row: string, isThere: boolean): void {
  const rows = world.history.dues.get(partition) ?? new Set();
  world.history.dues.set(partition, rows);
  if (isThere) rows.add(row);
  else rows.delete(row);
}

/** Every deleted key has its obligation row, and no other key has one. */
function obligationsMatch(world: World, execution: Execution, partition: string): void {
  const rows = world.history.dues.get(partition) ?? new Set();
  let deleted = 0;
  for (const [address, versions] of world.history.keys) {
    const deletion = versions.at(-1)?.value?.deletion;
    if (!deletion || !address.startsWith(`${partition}/`)) continue;
    deleted += 1;
    demand(
      rows.has(`due!${instantText(deletion.purgeAt)}!${deletion.deletionId}`),
      'I1',
      () => `#${execution.id}: the deletion ${deletion.deletionId} of ${address} is stored without its obligation`,
    );
  }
  demand(rows.size === deleted, 'I1', () => `#${execution.id} (${execution.task.kind}): an obligation is left without its deletion: ${[...rows].join(', ')}`);
}

/** A key has all the older versions that it counts. */
function versionsMatch(world: World, execution: Execution, { incarnation, versions }: KeyRecord): void {
  const older = [...(world.history.owned.get(incarnation) ?? [])].filter((address) => address.includes('/v!')).length;
  demand(older === versions - 1, 'I10', () => `#${execution.id} (${execution.task.kind}): the key ${incarnation} has ${versions} versions, and ${older} older ones are stored`);
}

/** Who may open the fence, and when; who may close it. */
function fenceChanged(world: World, execution: Execution, partition: string, applied: readonly Applied[]): void {
  const { task } = execution;
  const before = current(world.history.fences, partition)?.value ?? { guard: false, open: false, closedAt: 0 };
  const rowAfter = (name: string, was: boolean): boolean => {
    const change = applied.find(({ write }) => write.row === name);
    return change ? change.after !== undefined : was;
  };
  const guardWritten = applied.some(({ write }) => write.row === 'guard');
  const [guard, open] = [rowAfter('guard', before.guard), rowAfter('open', before.open)];
  const isChanged = guardWritten || open !== before.open;
  const after = { guard, open, closedAt: isChanged ? world.storageAt : before.closedAt };
  addVersion(world.history.fences, partition, after, world.tick, nowOf(world));
  if (isWithHsm(execution)) return;
  const where = `#${execution.id} (${task.kind}): the fence of ${partition}`;
  demand(after.guard || !before.guard, 'fence', () => `${where} lost its guard`);
  if (after.open && !before.open) {
    const record = current(world.history.hsms, world.history.incarnations.get(partition)?.name ?? '')?.value;
    const isProtected = record?.incarnation === partition && record.settings.purgeProtection;
    demand(!isProtected, 'I4', () => `${where} is opened over a protected record`);
    demand(task.kind === 'keyPurge' || task.kind === 'sweep', 'fence', () => `${where} was opened`);
    demand(task.kind !== 'keyPurge' || !before.guard, 'I4', () => `${where} was closed, and a purge opened it`);
    demand(task.kind !== 'sweep' || execution.touched.has(partition), 'fence', () => `${where} was healed without touching the record`);
    const age = world.storageAt - before.closedAt;
    demand(task.kind !== 'sweep' || age >= 2 * world.timeoutSeconds, 'fence', () => `${where} was healed ${age} s after somebody closed it: his record may still be on its way`);
  } else if (isChanged) demand('request' in task && task.request.purgeProtection === true, 'fence', () => `${where} was closed by one who does not switch protection on`);
}
