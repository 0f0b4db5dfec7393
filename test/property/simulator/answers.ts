// Every answer must be explained by a state that the storage was in at some moment between question and answer, and an acknowledged effect must be stored.
import { isDeepStrictEqual } from 'node:util';
import type { HsmRecord } from '../../../shared/domain/managedHsm';
import type { GroupRecord } from '../../../shared/domain/resourceGroup';
import type { Instant } from '../../../shared/domain/time';
import type { LookAnswer, SweepReport } from '../../../shared/service/retention';
import { spanOf } from './changes';
import type { ClientTask, LookTask, Task } from './commands';
import { errorName } from './executions';
import { current, wasSo } from './history';
import { datesOf, isAtLocation, isAtPath, isBusy, stateOnPaper } from './paper';
import { demand } from './violation';
import { type Execution, type World, nowOf } from './world';

type Outcome = { readonly value: unknown } | { readonly error: unknown };
type Seen = (record: HsmRecord | undefined, now: Instant) => boolean;

const isClient = (task: Task): task is ClientTask => !['look', 'erase', 'sweep'].includes(task.kind);

/** @throws Violation */
export function checkAnswer(world: World, execution: Execution, outcome: Outcome): void {
  const { task } = execution;
  if ('error' in outcome) checkRefusal(world, execution, errorName(outcome.error));
  else if (isClient(task)) checkAccepted(world, execution, task, outcome.value);
  else if (task.kind === 'look') checkLook(world, execution, task, outcome.value as LookAnswer);
  else if (task.kind === 'sweep') checkSweep(world, execution, outcome.value as SweepReport);
}

const sawHsm = (world: World, execution: Execution, name: string, holds: Seen): boolean => wasSo(world.history.hsms, name, spanOf(world, execution), datesOf, holds);
const sawGroup = (world: World, execution: Execution, { subscription, group }: ClientTask['where'], holds: (group: GroupRecord | undefined) => boolean): boolean =>
  wasSo(world.history.groups, `${subscription}/g!${group}`, spanOf(world, execution), () => [], holds);

function checkRefusal(world: World, execution: Execution, error: string): void {
  const { task } = execution;
  const name = `#${execution.id} (${task.kind}) was told ${error}`;
  if (error === 'Unfinished') return checkUnfinished(world, execution, name);
  if (error === 'Unavailable' || error === 'Error: lost') return demand(execution.faults > 0, 'answers', () => `${name}, though no call failed`);
  const acts = execution.changes.filter((change) => change.kind !== 'expire');
  demand(acts.length === 0, 'I12', () => `${name}, though its ${acts[0]?.kind} is stored`);
  if (error === 'Contended') {
    const busy = execution.refusals >= 4 || !isClient(task) || sawHsm(world, execution, task.where.name, (record, now) => stateOnPaper(record, now) === 'overdue');
    return demand(busy, 'answers', () => `${name}, though nobody contended`);
  }
  demand(isClient(task), 'answers', () => `${name}: nothing refuses that`);
  if (error === 'ResourceGroupNotFound') return demand(sawGroup(world, execution, task.where, (group) => !group || group.deleting !== undefined), 'answers', () => `${name}, though the group was there all the time`);
  if (error === 'GroupLocationFixed') return demand(sawGroup(world, execution, task.where, (group) => group !== undefined && !group.deleting && group.location !== task.where.location), 'answers', () => `${name}, though it was not elsewhere`);
  const explained = refusals(task)[error];
  demand(explained !== undefined, 'answers', () => `${name}: nothing explains that`);
  demand(sawHsm(world, execution, task.where.name, explained), 'I5', () => `${name}, which no state between question and answer explains`);
}

/** Not to know is honest only if the read-back could not tell. */
function checkUnfinished(world: World, execution: Execution, name: string): void {
  demand(execution.unknowns > 0, 'answers', () => `${name}, though every answer came`);
  const own = execution.changes.at(-1);
  if (!own || own.tick > execution.lastReadTick) return;
  const stands = current(world.history.hsms, own.name);
  demand(stands?.fromTick !== own.tick, 'answers', () => `${name}, though its ${own.kind} was stored before it read back, and stands`);
}

/** When each refusal is right, from the table on paper and contract.md's errors. */
const refusals = ({ where, request, kind }: ClientTask): Readonly<Record<string, Seen>> => ({
  HsmNotFound: (record, now) => !record || !isAtPath(record, where) || stateOnPaper(record, now) !== 'active',
  DeletedHsmNotFound: (record, now) => !record || !isAtLocation(record, where) || stateOnPaper(record, now) !== 'deleted',
  MethodNotAllowed: (record, now) => stateOnPaper(record, now) === 'deleted' && record?.settings.purgeProtection === true && isAtLocation(record, where),
  NameInUse: (record, now) => record !== undefined && stateOnPaper(record, now) !== 'overdue' && !isAtPath(record, where),
  NameHeldByDeleted: (record, now) => record !== undefined && stateOnPaper(record, now) === 'deleted' && isAtPath(record, where) && kind !== 'recover',
  NotRecoverable: (record, now) => {
    const state = stateOnPaper(record, now);
    return kind === 'recover' && (!record || state === 'overdue' || state === 'absent' || (state === 'deleted' && (!isAtPath(record, where) || !isAtLocation(record, where))));
  },
  PropertyFixed: (record, now) => record !== undefined && stateOnPaper(record, now) === 'active' && ((request.retentionDays ?? record.settings.retentionDays) !== record.settings.retentionDays || (request.location ?? where.location) !== record.settings.location),
  PurgeProtectionStaysOn: (record, now) => stateOnPaper(record, now) === 'active' && record?.settings.purgeProtection === true && request.purgeProtection === false,
  OperationInProgress: (record, now) => isBusy(record, now) && stateOnPaper(record, now) !== 'overdue',
});

function checkAccepted(world: World, execution: Execution, task: ClientTask, value: unknown): void {
  const saw = (holds: Seen): boolean => sawHsm(world, execution, task.where.name, holds);
  const what = `#${execution.id} (${task.kind})`;
  const record = (value as { readonly record?: HsmRecord } | undefined)?.record;
  switch (task.kind) {
    case 'put':
    case 'protect':
    case 'patch':
    case 'recover':
      return checkStored(world, execution, task, record as HsmRecord);
    case 'remove':
      if (record) return checkStored(world, execution, task, record);
      demand(execution.changes.length === 0, 'I12', () => `${what} was told that there was nothing, though its deletion is stored`);
      return demand(saw((found, now) => !found || !isAtPath(found, task.where) || stateOnPaper(found, now) !== 'active'), 'I5', () => `${what} was told that there was nothing, and it was there all the time`);
    case 'purge': {
      const own = execution.changes.some((change) => change.kind === 'purge');
      const gone = world.history.incarnations.get(record?.incarnation ?? '')?.removedTick ?? Number.POSITIVE_INFINITY;
      return demand(own || (execution.unknowns > 0 && gone <= world.tick), 'I12', () => `${what} was told success, though ${own ? 'it' : 'nothing that it'} purged is gone`);
    }
    case 'show':
      return demand(saw((found, now) => found === record && found !== undefined && isAtPath(found, task.where) && stateOnPaper(found, now) === 'active'), 'I5', () => `${what} showed what was not there at any moment`);
    case 'showDeleted':
      return demand(saw((found, now) => sameDeleted(found, record) && found !== undefined && isAtLocation(found, task.where) && stateOnPaper(found, now) === 'deleted'), 'I5', () => `${what} showed what was not deleted at any moment`);
    case 'list':
    case 'listDeleted':
      return checkList(world, execution, task, value as readonly HsmRecord[]);
    case 'nameRefusal':
      return demand(saw((found, now) => ['active', 'deleted'].includes(stateOnPaper(found, now)) === (value === 'AlreadyExists')), 'I5', () => `${what} was told ${String(value)}`);
    case 'groupShow':
      return demand(sawGroup(world, execution, task.where, (group) => group !== undefined && !group.deleting), 'groups', () => `${what} showed a group that was gone`);
    case 'groupPut':
      return demand(sawGroup(world, execution, task.where, (group) => group !== undefined && !group.deleting), 'I12', () => `${what} was told success, and the group was never there`);
    case 'groupRemove':
      return demand(sawGroup(world, execution, task.where, (group) => group === undefined || group.deleting !== undefined), 'I12', () => `${what} was told success, and the group was there all the time`);
  }
}

const sameDeleted = (found: HsmRecord | undefined, record: HsmRecord | undefined): boolean => found === record || isDeepStrictEqual({ ...found }, { ...record });

/** What is acknowledged is stored: by this very execution, once, and as it was told. */
function checkStored(world: World, execution: Execution, task: ClientTask, record: HsmRecord): void {
  const kinds = { put: ['create', 'update'], protect: ['create', 'update'], patch: ['update'], recover: ['recover'], remove: ['delete'] }[task.kind as 'put'];
  const own = execution.changes.find((change) => kinds.includes(change.kind));
  const what = `#${execution.id} (${task.kind})`;
  if (!own && task.kind === 'recover') {
    const asItIs: Seen = (found, now) => found === record && stateOnPaper(found, now) === 'active' && isAtPath(record, task.where);
    return demand(sawHsm(world, execution, task.where.name, asItIs), 'I12', () => `${what} was told that it is active, and it was not`);
  }
  demand(own !== undefined, 'I12', () => `${what} was told success, and nothing of it is stored`);
  const { writeId: _, ...stored } = own.after as HsmRecord;
  const { writeId: __, ...told } = record;
  demand(isDeepStrictEqual(told, stored), 'I12', () => `${what} was told other than what is stored`);
  if (task.request.purgeProtection) demand(record.settings.purgeProtection, 'I4', () => `${what} was acknowledged without its protection`);
}

/** Every item was there at some moment; whoever was there all the time is listed; nobody twice. */
function checkList(world: World, execution: Execution, task: ClientTask, items: readonly HsmRecord[]): void {
  const state = task.kind === 'list' ? 'active' : 'deleted';
  const inGroup = (record: HsmRecord): boolean => record.subscription === task.where.subscription && (task.kind === 'listDeleted' || task.item !== 'group' || record.group === task.where.group);
  const shown: Seen = (record, now) => record !== undefined && inGroup(record) && stateOnPaper(record, now) === state;
  for (const item of items)
    demand(sawHsm(world, execution, item.name, (record, now) => record === item && shown(record, now)), 'I5', () => `#${execution.id} (${task.kind}) listed ${item.name}, which was not ${state} at any moment`);
  const names = items.map((item) => item.name);
  demand(new Set(names).size === names.length, 'I16', () => `#${execution.id} (${task.kind}) listed a name twice: ${names.join(', ')}`);
  for (const name of world.history.hsms.keys())
    if (!names.includes(name)) demand(sawHsm(world, execution, name, (record, now) => !shown(record, now)), 'I16', () => `#${execution.id} (${task.kind}) left out ${name}, which was ${state} all the time`);
}

/** A timer that says done must have had its date, and its deletion must be over. */
function checkLook(world: World, execution: Execution, { timer, forged }: LookTask, answer: LookAnswer): void {
  if (answer.kind !== 'done') return;
  const what = `#${execution.id}, the timer of deletion ${timer.deletionId},`;
  demand(nowOf(world) >= timer.purgeAt, 'I1', () => `${what} ended before its date`);
  if (!forged) demand(current(world.history.hsms, timer.hsm)?.value?.deletion?.deletionId !== timer.deletionId || execution.startedNow < (world.history.deletions.get(timer.deletionId)?.storedNow ?? 0), 'I1', () => `${what} ended while its deletion stands`);
}

/** A sweep that met no trouble leaves nothing behind that was due, by both clocks, when it began. */
function checkSweep(world: World, execution: Execution, report: SweepReport): void {
  const calm = execution.faults === 0 && execution.refusals === 0;
  demand(report.failed === 0 || !calm, 'I15', () => `sweep #${execution.id} failed in ${report.failed} entries without a cause`);
  if (!calm || report.failed > 0) return;
  for (const [name, versions] of world.history.hsms) {
    const last = versions.at(-1);
    const purgeAt = last?.value?.deletion?.purgeAt;
    if (!last || purgeAt === undefined || last.fromTick >= execution.startedTick) continue;
    demand(purgeAt > execution.startedNow || purgeAt > execution.startedNow + execution.host.skewSeconds || (execution.hostClockMax > 0 && execution.hostClockMax < purgeAt), 'I15', () => `${name} was due when sweep #${execution.id} began, and is still stored when it ends`);
  }
  for (const [incarnation, debt] of world.history.debts)
    if (debt.fromTick < execution.startedTick && debt.closedTick > world.tick)
      demand(execution.sent.has(incarnation), 'I2', () => `sweep #${execution.id} sent nothing for the debt of ${incarnation}`);
}
