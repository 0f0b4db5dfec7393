// Every transaction that the storage takes is judged here, whoever sent it and whenever it lands: what it changed must be a step that the table on paper allows, with its obligation in the same transaction.
import type { KeyDebt } from '../../../shared/domain/key';
import type { HsmDebt, HsmRecord } from '../../../shared/domain/managedHsm';
import type { Row, Transaction, Value, Write } from '../../../shared/domain/plan';
import type { GroupRecord } from '../../../shared/domain/resourceGroup';
import { debtRow, HSM_ROW } from '../../../shared/domain/rows';
import type { TransactAnswer } from '../../../shared/ports';
import { recordChanged } from './changes';
import { addVersion, keyStands, stands } from './history';
import { type Applied, keyRowsChanged } from './keyRows';
import { demand } from './violation';
import { type Execution, nowOf, type World } from './world';

/** Hands a transaction to the storage and judges what it did. @throws Violation */
export function checkTransaction(world: World, execution: Execution, transaction: Transaction): TransactAnswer {
  const { table, partition, writes } = transaction;
  const rowNow = (write: Write): Row<Value> | undefined => world.store.row<Value>(table, partition, write.row).found;
  const before = writes.map(rowNow);
  const answer = world.store.transact(transaction);
  if (answer.kind !== 'stored') {
    execution.refusals += 1;
    return answer;
  }
  world.changed = true;
  const applied = writes.map((write, index): Applied => ({ write, before: before[index], after: rowNow(write) }));
  for (const row of applied) {
    const { row: name } = row.write;
    if (table === 'subscriptions') groupChanged(world, execution, partition, row);
    else if (table === 'keys') {
      ownedChanged(world, execution, `keys/${partition}/${name}`, row, () => [partition, ...(name.startsWith('v!') ? [name.split('!')[1] as string] : [])]);
      if (name.startsWith('gone!')) debtChanged(world, execution, row, applied);
    } else if (name === HSM_ROW) hsmChanged(world, execution, partition, row, applied);
    else if (name.startsWith('gone!')) debtChanged(world, execution, row, applied);
    else
      ownedChanged(world, execution, `hsms/${partition}/${name}`, row, ({ incarnation, keyIncarnation }) =>
        [incarnation, keyIncarnation].filter((owner) => owner !== undefined).map(String),
      );
  }
  if (table === 'keys') keyRowsChanged(world, execution, partition, applied);
  return answer;
}

function hsmChanged(world: World, execution: Execution, name: string, { before, after }: Applied, all: readonly Applied[]): void {
  const was = before?.value as HsmRecord | undefined;
  const is = after?.value as HsmRecord | undefined;
  const debt = was && !is ? (all.find((row) => row.write.kind === 'insert' && row.write.row === debtRow(was.incarnation))?.after?.value as HsmDebt | undefined) : undefined;
  recordChanged(world, execution, name, was, is, debt);
  addVersion(world.history.hsms, name, is, world.tick, nowOf(world));
}

/** A debt comes with the removal that it is about, is never rewritten, and goes when nothing can land behind it any more. A key's debt also goes with its HSM. */
function debtChanged(world: World, execution: Execution, { write, before }: Applied, all: readonly Applied[]): void {
  const incarnation = write.row.slice('gone!'.length);
  const { debts, owned } = world.history;
  if (write.kind === 'insert') {
    const { hsm, hsmIncarnation: partition } = write.value as HsmDebt & Partial<KeyDebt>;
    const removal = all.find((row) => row.write.kind === 'delete' && (partition === undefined ? row.write.row === HSM_ROW : row.write.row.startsWith('k!')));
    const removed = removal?.before?.value.incarnation === incarnation;
    demand(removed || !keyStands(world.history, incarnation), 'I2', () => `the debt of the key ${incarnation} is written, and its record with the data key is still stored`);
    demand(removed, 'I1', () => `a debt for ${incarnation} without its removal in the same transaction`);
    debts.set(incarnation, { hsm, partition, writtenAt: world.storageAt, fromTick: world.tick, closedTick: Number.POSITIVE_INFINITY });
    return;
  }
  demand(write.kind === 'delete', 'I2', () => `the debt of ${incarnation} was rewritten: it would never grow old`);
  const debt = debts.get(incarnation);
  demand(before !== undefined && debt !== undefined, 'I2', () => `the debt of ${incarnation} was closed, but never written`);
  demand(execution.task.kind === 'erase', 'I2', () => `a ${execution.task.kind} closed the debt of ${incarnation}`);
  debt.closedTick = world.tick;
  const { debt: asked } = execution.task;
  if (debt.partition !== undefined && !asked.key) return;
  demand((asked.key ?? asked).incarnation === incarnation, 'I2', () => `#${execution.id}, asked to erase ${(asked.key ?? asked).incarnation}, closed the debt of ${incarnation}`);
  const left = owned.get(incarnation);
  demand(!left?.size, 'I2', () => `the debt of ${incarnation} was closed while rows of it are stored: ${[...(left ?? [])].join(', ')}`);
  demand(execution.erasedRows === 0, 'I2', () => `the debt of ${incarnation} was closed by a pass that had found rows`);
  demand(
    (execution.firstReadAt ?? 0) - debt.writtenAt >= 2 * world.timeoutSeconds,
    'I2',
    () => `the debt of ${incarnation} was closed by a pass that began ${(execution.firstReadAt ?? 0) - debt.writtenAt} s after it was written`,
  );
}

/**
 * A row that belongs to incarnations (of an HSM, and of a key in it): nothing erases it while their records are stored, and nothing but the clean-up of one of
 * them. A key's own rows in its HSM's partition also change by commands on the key, which keyRows judges.
 */
function ownedChanged(world: World, execution: Execution, address: string, { write, before, after }: Applied, ownersIn: (value: Value) => readonly string[]): void {
  const { owned } = world.history;
  if (before) {
    const was = ownersIn(before.value);
    const isKept = after !== undefined && ownersIn(after.value).join() === was.join();
    if (!isKept && !(execution.task.kind !== 'erase' && isOfKeyCommands(address))) {
      if (after) demandGone(world, execution, address, was, () => was.some((owner) => !isStored(world, owner)));
      else demandErasure(world, execution, address, was);
      if (!after) execution.erasedRows += write.row.startsWith('gone!') && execution.task.kind === 'erase' && execution.task.debt.key ? 0 : 1;
    }
    for (const owner of was) owned.get(owner)?.delete(address);
  }
  if (!after) return;
  for (const is of ownersIn(after.value)) {
    const rows = owned.get(is);
    if (rows) rows.add(address);
    else owned.set(is, new Set([address]));
  }
}

const isStored = ({ history }: World, incarnation: string): boolean => stands(history, incarnation) || keyStands(history, incarnation);

/** Rows of a partition that commands on keys remove: obligations, records, the fence. */
const isOfKeyCommands = (address: string): boolean => /^keys\/[^/]+\/(k!|due!|open$)/.test(address);

function demandGone(world: World, execution: Execution, address: string, owners: readonly string[], holds: () => boolean): void {
  demand(
    holds(),
    'I3',
    () =>
      `#${execution.id} (${execution.task.kind}) replaced or erased ${address}, which a stored record owns (${owners.join(', ')}: ${owners.filter((owner) => isStored(world, owner)).join(', ')} stored)`,
  );
}

/** Erased is what the debt that was asked for owns, while that debt stands. */
function demandErasure(world: World, execution: Execution, address: string, owners: readonly string[]): void {
  const { task } = execution;
  const asked = task.kind === 'erase' ? (task.debt.key ?? task.debt).incarnation : '';
  if (task.kind === 'erase' && task.debt.key && address === `keys/${task.debt.incarnation}/gone!${asked}`) return;
  demandGone(world, execution, address, owners, () => asked === '' || !isStored(world, asked));
  demandGone(world, execution, address, owners, () => owners.some((owner) => !isStored(world, owner)));
  const debt = world.history.debts.get(asked);
  demand(debt !== undefined && debt.closedTick > execution.startedTick, 'I3', () => `#${execution.id} (${task.kind}) erased ${address} of ${owners.join(', ')} without a debt`);
  demand(owners.includes(asked), 'I3', () => `#${execution.id}, asked to erase ${asked}, erased ${address} of ${owners.join(', ')}`);
}

function groupChanged(world: World, execution: Execution, subscription: string, { write, before, after }: Applied): void {
  const address = `${subscription}/${write.row}`;
  const was = before?.value as GroupRecord | undefined;
  const is = after?.value as GroupRecord | undefined;
  const { task } = execution;
  if (is && !is.deleting) demand(task.kind === 'groupPut', 'groups', () => `a ${task.kind} made ${address} live`);
  if (is?.deleting) demand(task.kind === 'groupRemove' && was !== undefined && !was.deleting, 'groups', () => `a ${task.kind} marked ${address}`);
  if (!is) {
    demand(was?.deleting !== undefined, 'groups', () => `${address} was removed without having been marked`);
    const age = (execution.firstReadAt ?? execution.startedAt) - (before?.writtenAt ?? 0);
    demand(
      age >= 2 * world.timeoutSeconds || world.storageAt - (before?.writtenAt ?? 0) >= 2 * world.timeoutSeconds,
      'groups',
      () => `${address} was removed ${age} s after it was marked: a create that read it as live may still land`,
    );
  }
  addVersion(world.history.groups, address, is, world.tick, nowOf(world));
}
