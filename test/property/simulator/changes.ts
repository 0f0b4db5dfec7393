// The steps that a record may take, from the table on paper: who may take them, in which state the record must have been, what must stay as it was, and what must exist already.
import { isDeepStrictEqual } from 'node:util';
import type { HsmDebt, HsmRecord } from '../../../shared/domain/managedHsm';
import type { Instant } from '../../../shared/domain/time';
import type { Task, Where } from './commands';
import { current, NEVER, type Span, wasSo } from './history';
import { datesOf, isAtLocation, isAtPath, isBusy, type PaperState, stateOnPaper } from './paper';
import { sealingKeyText } from './secrets';
import { demand } from './violation';
import { type Change, type Execution, hostNow, instantText, nowOf, type World } from './world';

/** Judges one change of a record and notes it. @throws Violation */
export function recordChanged(world: World, execution: Execution, name: string, was: HsmRecord | undefined, is: HsmRecord | undefined, debt: HsmDebt | undefined): void {
  if (was && is) demand(was.incarnation === is.incarnation, 'I7', () => `#${execution.id} replaced ${name} (${was.incarnation}) by another incarnation (${is.incarnation})`);
  const kind = kindOf(execution, was, is);
  const incarnation = (is ?? was)?.incarnation ?? '';
  const where = `#${execution.id} (${execution.task.kind}): ${kind} of ${name} (${incarnation})`;
  demand(mayDo(execution.task, kind, was, is), 'table', () => `${where} is not its business`);
  if (kind === 'touch') {
    demandHeals(world, execution, where, is as HsmRecord);
    return;
  }
  const others = execution.changes.filter(
    (change) => change.kind !== 'expire' && (execution.task.kind !== 'groupRemove' && execution.task.kind !== 'sweep' ? true : change.incarnation === incarnation),
  );
  demand(kind === 'expire' || others.length === 0, 'I7', () => `${where}: one command acted twice`);
  demand(execution.status !== 'refused', 'I12', () => `${where}, after it had been refused`);
  if (kind === 'create') created(world, execution, name, is as HsmRecord);
  else if (kind === 'delete') deleted(world, execution, where, was as HsmRecord, is as HsmRecord);
  else if (kind === 'recover') recovered(world, execution, where, was as HsmRecord, is as HsmRecord);
  else if (kind === 'update') updated(world, execution, where, was as HsmRecord, is as HsmRecord);
  else removed(world, execution, where, was as HsmRecord, debt, kind);
  execution.changes.push({ subject: 'hsm', kind, name, incarnation, after: is, tick: world.tick });
}

function kindOf(execution: Execution, was: HsmRecord | undefined, is: HsmRecord | undefined): Change['kind'] {
  if (!was) return 'create';
  if (!is) {
    demand(was.deletion !== undefined, 'I8', () => `#${execution.id} (${execution.task.kind}) purged ${was.name} (${was.incarnation}), which is not deleted`);
    return execution.task.kind === 'purge' ? 'purge' : 'expire';
  }
  const { writeId: _, ...before } = was;
  const { writeId: __, ...after } = is;
  if (execution.task.kind === 'sweep' && isDeepStrictEqual(before, after)) return 'touch';
  if (was.deletion && is.deletion) demand(false, 'I9', () => `#${execution.id} (${execution.task.kind}) changed a deleted record, ${was.name} (${was.incarnation})`);
  return !was.deletion && is.deletion ? 'delete' : was.deletion ? 'recover' : 'update';
}

/** The sweeper touches a record so that a protection on its way is refused, before it opens the fence again. */
function demandHeals(world: World, execution: Execution, where: string, is: HsmRecord): void {
  const fence = current(world.history.fences, is.incarnation)?.value;
  demand(fence?.guard === true && !is.settings.purgeProtection, 'fence', () => `${where} for nothing`);
  execution.touched.add(is.incarnation);
}

/** Whose business a change is, and that the path it came by is the record's own. */
function mayDo(task: Task, kind: Change['kind'], was: HsmRecord | undefined, is: HsmRecord | undefined): boolean {
  const record = (was ?? is) as HsmRecord;
  switch (task.kind) {
    case 'put':
    case 'protect':
    case 'patch':
      if (kind === 'expire') return task.kind !== 'patch';
      demand(
        isAtPath(record, task.where),
        'I14',
        () => `a path of ${task.where.subscription}/${task.where.group} reached ${record.name} of ${record.subscription}/${record.group}`,
      );
      return kind === 'update' || (kind === 'create' && task.kind !== 'patch');
    case 'recover':
    case 'remove':
      demand(
        isAtPath(record, task.where),
        'I14',
        () => `a path of ${task.where.subscription}/${task.where.group} reached ${record.name} of ${record.subscription}/${record.group}`,
      );
      return kind === (task.kind === 'recover' ? 'recover' : 'delete');
    case 'purge':
      demand(
        isAtLocation(record, task.where),
        'I14',
        () => `a path of ${task.where.subscription}/${task.where.location} reached ${record.name} of ${record.subscription}, ${record.settings.location}`,
      );
      return kind === 'purge';
    case 'groupRemove':
      demand(isAtPath(record, task.where), 'I14', () => `the deletion of group ${task.where.group} reached ${record.name} of ${record.group}`);
      return kind === 'delete';
    case 'sweep':
      return kind === 'delete' || kind === 'expire' || kind === 'touch';
    case 'look':
      demand(
        was?.deletion?.deletionId === task.timer.deletionId,
        'I11',
        () => `the timer of deletion ${task.timer.deletionId} purged ${record.name} (${record.incarnation}), deleted by ${was?.deletion?.deletionId}`,
      );
      return kind === 'expire';
    default:
      return false;
  }
}

function created(world: World, execution: Execution, name: string, is: HsmRecord): void {
  const { incarnations } = world.history;
  demand(!incarnations.has(is.incarnation), 'I2', () => `${name} came back from the grave: ${is.incarnation} was removed, and is inserted again by #${execution.id}`);
  demand(!is.deletion, 'table', () => `${name} was created deleted`);
  const { where, request } = execution.task as { where: Where; request: { retentionDays?: number; purgeProtection?: boolean } };
  demand(
    is.settings.retentionDays === (request.retentionDays ?? 90) && is.settings.purgeProtection === (request.purgeProtection ?? false) && isAtLocation(is, where),
    'I9',
    () => `${name} was created other than asked for`,
  );
  requireState(world, execution, name, undefined, 'create', (state) => state === 'absent' || state === 'overdue');
  demand(is.wrappedSealingKey === sealingKeyText(name, is.incarnation), 'I10', () => `${name} was created with "${is.wrappedSealingKey}"`);
  incarnations.set(is.incarnation, { name, retentionDays: is.settings.retentionDays, bornProtected: is.settings.purgeProtection, removedTick: NEVER });
}

/** What a deletion and a recovery leave as it was. */
function demandSame(where: string, was: HsmRecord, is: HsmRecord, invariant: string): void {
  const kept = ({ deletion: _, window: __, modified: ___, writeId: ____, ...rest }: HsmRecord) => rest;
  demand(was.settings === is.settings || isDeepStrictEqual(kept(was), kept(is)), invariant, () => `${where} changed more than it may`);
  demand(
    was.name === is.name && was.group === is.group && was.subscription === is.subscription && was.created === is.created,
    invariant,
    () => `${where} changed more than it may`,
  );
}

function deleted(world: World, execution: Execution, where: string, was: HsmRecord, is: HsmRecord): void {
  const deletion = is.deletion as NonNullable<HsmRecord['deletion']>;
  const { deletions } = world.history;
  requireState(world, execution, was.name, was, 'delete', (state) => state === 'active');
  demandSame(where, was, is, 'I10');
  demand(!deletions.has(deletion.deletionId), 'I8', () => `${where} used a deletion id again: ${deletion.deletionId}`);
  demand(
    deletion.deletedAt >= execution.startedNow && deletion.deletedAt <= nowOf(world),
    'I9',
    () => `${where} is dated ${instantText(deletion.deletedAt)}, but the storage's clock went from ${instantText(execution.startedNow)} to ${instantText(nowOf(world))} meanwhile`,
  );
  demand(
    deletion.purgeAt === deletion.deletedAt + was.settings.retentionDays * world.daySeconds && Number.isInteger(deletion.purgeAt),
    'I9',
    () => `${where}: wrong date of purge, ${instantText(deletion.purgeAt)}`,
  );
  const timer = world.timers.get(deletion.deletionId);
  demand(timer !== undefined, 'I1', () => `${where} has no timer when it is stored`);
  demand(
    timer.input.hsm === was.name && timer.input.incarnation === was.incarnation && timer.input.purgeAt <= deletion.purgeAt,
    'I1',
    () => `${where} has a timer for something else`,
  );
  deletions.set(deletion.deletionId, { incarnation: was.incarnation, storedNow: nowOf(world), ended: 'no' });
}

function recovered(world: World, execution: Execution, where: string, was: HsmRecord, is: HsmRecord): void {
  const ended = world.history.deletions.get(was.deletion?.deletionId ?? '');
  demand(ended?.ended === 'no', 'I8', () => `${where}: its deletion was ${ended?.ended} already`);
  requireState(world, execution, was.name, was, 'recover', (state) => state === 'deleted');
  demandSame(where, was, is, 'I10');
  ended.ended = 'recovered';
}

function updated(world: World, execution: Execution, where: string, was: HsmRecord, is: HsmRecord): void {
  requireState(world, execution, was.name, was, 'update', (state) => state === 'active');
  demand(was.settings.retentionDays === is.settings.retentionDays, 'I9', () => `${where} changed the retention`);
  demand(!was.settings.purgeProtection || is.settings.purgeProtection, 'I9', () => `${where} switched purge protection off`);
  if (!was.settings.purgeProtection && is.settings.purgeProtection) {
    const fence = current(world.history.fences, is.incarnation)?.value;
    demand(fence?.guard === true && !fence.open, 'I4', () => `${where} switches purge protection on, and the fence of its keys is open`);
  }
  const fixed = ({ name, incarnation, subscription, group, created, settings }: HsmRecord) => [
    name,
    incarnation,
    subscription,
    group,
    created,
    settings.location,
    settings.sku,
    settings.tenantId,
    settings.administrators,
  ];
  demand(isDeepStrictEqual(fixed(was), fixed(is)), 'I10', () => `${where} changed what is fixed`);
}

function removed(world: World, execution: Execution, where: string, was: HsmRecord, debt: HsmDebt | undefined, kind: Change['kind']): void {
  const purgeAt = was.deletion?.purgeAt ?? 0;
  const { incarnations, deletions } = world.history;
  demand(debt?.incarnation === was.incarnation && debt.hsm === was.name, 'I1', () => `${where}: no debt in the same transaction`);
  const by = { purge: 'caller', look: 'timer', sweep: 'sweeper', put: 'create', protect: 'create' }[execution.task.kind as string];
  demand(debt.by === by, 'I1', () => `${where}: the debt says that ${debt.by} purged it`);
  if (kind === 'purge') {
    demand(!was.settings.purgeProtection, 'I4', () => `${where}: it is protected until ${instantText(purgeAt)}`);
    requireState(world, execution, was.name, was, 'purge', (state) => state === 'deleted');
  } else {
    demand(nowOf(world) >= purgeAt, 'I4', () => `${where} before ${instantText(purgeAt)}`);
    demand(
      execution.hostClockMax >= purgeAt,
      'two clocks',
      () => `${where}: the host's clock, ${instantText(hostNow(world, execution.host))}, had not reached ${instantText(purgeAt)}`,
    );
  }
  const ended = deletions.get(was.deletion?.deletionId ?? '');
  demand(ended?.ended === 'no', 'I8', () => `${where}: its deletion was ${ended?.ended} already`);
  ended.ended = 'purged';
  (incarnations.get(was.incarnation) as { removedTick: number }).removedTick = world.tick;
}

export const spanOf = (world: World, execution: Execution): Span => ({ fromTick: execution.startedTick, fromNow: execution.startedNow, toTick: world.tick, toNow: nowOf(world) });

/** A change must have been allowed by the table at some moment since its execution began: the moment of its read. */
function requireState(world: World, execution: Execution, name: string, version: HsmRecord | undefined, command: string, allowed: (state: PaperState) => boolean): void {
  const free = (record: HsmRecord | undefined, now: Instant): boolean => command === 'purge' || stateOnPaper(record, now) === 'overdue' || !isBusy(record, now);
  const held = wasSo(world.history.hsms, name, spanOf(world, execution), datesOf, (record, now) => record === version && allowed(stateOnPaper(record, now)) && free(record, now));
  demand(
    held,
    'I5',
    () => `#${execution.id} (${execution.task.kind}): ${command} of ${name}, which was in no state for it at any moment since ${instantText(execution.startedNow)}`,
  );
}
