// Every transaction that the storage takes is judged here, whoever sent it and whenever it lands: what it changed must be a step that the table on paper allows, with its obligation in the same transaction.
import type { HsmDebt, HsmRecord } from '../../../shared/domain/managedHsm';
import type { Row, Transaction, Value, Write } from '../../../shared/domain/plan';
import type { GroupRecord } from '../../../shared/domain/resourceGroup';
import { debtRow, HSM_ROW } from '../../../shared/domain/rows';
import type { TransactAnswer } from '../../../shared/ports';
import { recordChanged } from './changes';
import { addVersion, current } from './history';
import { demand } from './violation';
import { type Execution, nowOf, type World } from './world';

type Applied = { readonly write: Write; readonly before: Row<Value> | undefined; readonly after: Row<Value> | undefined };

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
    if (table === 'subscriptions') groupChanged(world, execution, partition, row);
    else if (table === 'keys') ownedChanged(world, execution, `keys/${partition}/${row.write.row}`, row, partition);
    else if (row.write.row === HSM_ROW) hsmChanged(world, execution, partition, row, applied);
    else if (row.write.row.startsWith('gone!')) debtChanged(world, execution, row, applied);
    else ownedChanged(world, execution, `hsms/${partition}/${row.write.row}`, row, undefined);
  }
  return answer;
}

function hsmChanged(world: World, execution: Execution, name: string, { before, after }: Applied, all: readonly Applied[]): void {
  const was = before?.value as HsmRecord | undefined;
  const is = after?.value as HsmRecord | undefined;
  const debt = was && !is ? (all.find((row) => row.write.kind === 'insert' && row.write.row === debtRow(was.incarnation))?.after?.value as HsmDebt | undefined) : undefined;
  recordChanged(world, execution, name, was, is, debt);
  addVersion(world.history.hsms, name, is, world.tick, nowOf(world));
}

/** A debt comes with the removal that it is about, is never rewritten, and goes when nothing can land behind it any more. */
function debtChanged(world: World, execution: Execution, { write, before, after }: Applied, all: readonly Applied[]): void {
  const incarnation = write.row.slice('gone!'.length);
  const { debts, incarnations, owned } = world.history;
  if (write.kind === 'insert') {
    const removed = all.find((row) => row.write.row === HSM_ROW && row.write.kind === 'delete')?.before?.value as HsmRecord | undefined;
    demand(removed?.incarnation === incarnation, 'I1', () => `a debt for ${incarnation} without its removal in the same transaction`);
    debts.set(incarnation, { hsm: after?.partition ?? '', writtenAt: world.storageAt, fromTick: world.tick, closedTick: Number.POSITIVE_INFINITY });
    return;
  }
  demand(write.kind === 'delete', 'I2', () => `the debt of ${incarnation} was rewritten: it would never grow old`);
  const debt = debts.get(incarnation);
  demand(before !== undefined && debt !== undefined && incarnations.has(incarnation), 'I2', () => `the debt of ${incarnation} was closed, but never written`);
  demand(execution.task.kind === 'erase', 'I2', () => `a ${execution.task.kind} closed the debt of ${incarnation}`);
  const left = owned.get(incarnation);
  demand(!left?.size, 'I2', () => `the debt of ${incarnation} was closed while rows of it are stored: ${[...(left ?? [])].join(', ')}`);
  demand(execution.erasedRows === 0, 'I2', () => `the debt of ${incarnation} was closed by a pass that had found rows`);
  demand(
    (execution.firstReadAt ?? 0) - debt.writtenAt >= 2 * world.timeoutSeconds,
    'I2',
    () => `the debt of ${incarnation} was closed by a pass that began ${(execution.firstReadAt ?? 0) - debt.writtenAt} s after it was written`,
  );
  debt.closedTick = world.tick;
}

/** A row that belongs to an incarnation: nothing erases it while the record that owns it is stored. @param owner of a row that does not say */
function ownedChanged(world: World, execution: Execution, address: string, { before, after }: Applied, owner: string | undefined): void {
  const { owned, debts } = world.history;
  const ownerOf = (row: Row<Value>): string => owner ?? String(row.value.incarnation);
  if (before) {
    const was = ownerOf(before);
    const name = world.history.incarnations.get(was)?.name ?? '';
    const replacedByOwner = after !== undefined && ownerOf(after) === was;
    demand(
      replacedByOwner || current(world.history.hsms, name)?.value?.incarnation !== was,
      'I3',
      () => `#${execution.id} erased ${address}, which the stored record of ${name} owns (${was})`,
    );
    if (!after) {
      const debt = debts.get(was);
      demand(
        execution.task.kind === 'erase' && debt !== undefined && debt.closedTick > execution.startedTick,
        'I3',
        () => `#${execution.id} erased ${address} of ${was} without a debt`,
      );
      demand(
        execution.task.debt.incarnation === was,
        'I3',
        () => `#${execution.id}, asked to erase ${(execution.task as { debt: { incarnation: string } }).debt.incarnation}, erased ${address} of ${was}`,
      );
      execution.erasedRows += 1;
    }
    owned.get(was)?.delete(address);
  }
  if (!after) return;
  const is = ownerOf(after);
  const rows = owned.get(is);
  if (rows) rows.add(address);
  else owned.set(is, new Set([address]));
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
