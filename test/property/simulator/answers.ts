// Every answer must be explained by a state that the storage was in at some moment between question and answer, and an acknowledged effect must be stored.
import { isDeepStrictEqual } from 'node:util';
import type { KeyRecord } from '../../../shared/domain/key';
import type { HsmRecord } from '../../../shared/domain/managedHsm';
import type { GroupRecord } from '../../../shared/domain/resourceGroup';
import type { Instant } from '../../../shared/domain/time';
import type { LookAnswer } from '../../../shared/service/retention';
import type { SweepReport } from '../../../shared/service/sweep';
import { spanOf } from './changes';
import { type ClientTask, isKeyTask, type LookTask, type Task } from './commands';
import { current, deletionStanding, NEVER, type Version, wasSo } from './history';
import { checkKeyAnswer, checkKeyReason, wasKeyOverdue } from './keyAnswers';
import type { KeyAnswer } from './keyCommands';
import { datesOf, isAtLocation, isAtPath, isBusy, stateOnPaper } from './paper';
import { errorName } from './texts';
import { demand } from './violation';
import { type Execution, nowOf, type Outcome, type World } from './world';

type Seen = (record: HsmRecord | undefined, now: Instant) => boolean;

const isClient = (task: Task): task is ClientTask => !['look', 'erase', 'sweep'].includes(task.kind) && !isKeyTask(task);

/** @throws Violation */
export function checkAnswer(world: World, execution: Execution, outcome: Outcome): void {
  const { task } = execution;
  if ('error' in outcome) checkRefusal(world, execution, errorName(outcome.error));
  else if (isKeyTask(task)) checkKeyAnswer(world, execution, task, outcome.value as KeyAnswer | undefined);
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
  if (error === 'Unfinished') checkUnfinished(world, execution, name);
  else if (error === 'Unavailable' || error === 'Error: lost') demand(execution.faults > 0, 'answers', () => `${name}, though no call failed`);
  else {
    const acts = execution.changes.filter((change) => change.kind !== 'expire');
    demand(acts.length === 0, 'I12', () => `${name}, though its ${acts[0]?.kind} is stored`);
    demand(isClient(task) || isKeyTask(task) || error === 'Contended', 'answers', () => `${name}: nothing refuses that`);
    if (error === 'Contended') checkContended(world, execution, name);
    else if (isKeyTask(task)) checkKeyReason(world, execution, task, error, name);
    else if (isClient(task)) checkReason(world, execution, task, error, name);
  }
}

function checkContended(world: World, execution: Execution, name: string): void {
  const { task } = execution;
  const wasOverdue = (): boolean => {
    if (isKeyTask(task)) return wasKeyOverdue(world, execution, task);
    return !isClient(task) || sawHsm(world, execution, task.where.name, (record, now) => stateOnPaper(record, now) === 'overdue');
  };
  demand(execution.refusals >= 4 || wasOverdue(), 'answers', () => `${name}, though nobody contended`);
}

function checkReason(world: World, execution: Execution, task: ClientTask, error: string, name: string): void {
  const reasons = groupRefusals(task)[error];
  if (reasons) {
    demand(sawGroup(world, execution, task.where, reasons), 'groups', () => `${name}, which no state of the group between question and answer explains`);
    return;
  }
  const explained = refusals(task)[error];
  demand(explained !== undefined, 'answers', () => `${name}: nothing explains that`);
  demand(sawHsm(world, execution, task.where.name, explained), 'I5', () => `${name}, which no state between question and answer explains`);
}

const groupRefusals = ({ where }: ClientTask): Readonly<Record<string, (group: GroupRecord | undefined) => boolean>> => ({
  ResourceGroupNotFound: (group) => !group || group.deleting !== undefined,
  GroupLocationFixed: (group) => group !== undefined && !group.deleting && group.location !== where.location,
});

/** Not to know is honest only if the read-back could not tell. */
function checkUnfinished(world: World, execution: Execution, name: string): void {
  demand(execution.unknowns > 0, 'answers', () => `${name}, though every answer came`);
  const own = execution.changes.at(-1);
  if (!own || own.tick > execution.lastReadTick || own.tick < execution.writeAskedTick) return;
  const standing = own.subject === 'key' ? current(world.history.keys, own.name) : current(world.history.hsms, own.name);
  demand(standing?.fromTick !== own.tick, 'answers', () => `${name}, though its ${own.kind} was stored before it read back, and stands`);
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
  PropertyFixed: (record, now) =>
    record !== undefined &&
    stateOnPaper(record, now) === 'active' &&
    ((request.retentionDays ?? record.settings.retentionDays) !== record.settings.retentionDays || (request.location ?? where.location) !== record.settings.location),
  PurgeProtectionStaysOn: (record, now) => stateOnPaper(record, now) === 'active' && record?.settings.purgeProtection === true && request.purgeProtection === false,
  OperationInProgress: (record, now) => isBusy(record, now) && stateOnPaper(record, now) !== 'overdue',
});

type Told = {
  readonly world: World;
  readonly execution: Execution;
  readonly task: ClientTask;
  readonly value: unknown;
  /** Of the answers that bring one. */
  readonly record: HsmRecord | undefined;
  readonly what: string;
  readonly saw: (holds: Seen) => boolean;
};

function checkAccepted(world: World, execution: Execution, task: ClientTask, value: unknown): void {
  const record = (value as { readonly record?: HsmRecord } | undefined)?.record;
  const saw = (holds: Seen): boolean => sawHsm(world, execution, task.where.name, holds);
  accepted[task.kind]({ world, execution, task, value, record, what: `#${execution.id} (${task.kind})`, saw });
}

const isStored = ({ world, execution, task, record }: Told): void => checkStored(world, execution, task, record as HsmRecord);
const isListed = ({ world, execution, task, value }: Told): void => checkList(world, execution, task, value as readonly HsmRecord[]);
const sawLiveGroup = ({ world, execution, task }: Told): boolean => sawGroup(world, execution, task.where, (group) => group !== undefined && !group.deleting);

/** What each acknowledgement promises. */
const accepted: Readonly<Record<ClientTask['kind'], (told: Told) => void>> = {
  put: isStored,
  protect: isStored,
  patch: isStored,
  recover: isStored,
  remove: (told) => {
    const { execution, task, what, saw } = told;
    if (told.record) isStored(told);
    else {
      demand(execution.changes.length === 0, 'I12', () => `${what} was told that there was nothing, though its deletion is stored`);
      demand(
        saw((found, now) => !found || !isAtPath(found, task.where) || stateOnPaper(found, now) !== 'active'),
        'I5',
        () => `${what} was told that there was nothing, and it was there all the time`,
      );
    }
  },
  purge: ({ world, execution, record, what }) => {
    const own = execution.changes.some((change) => change.kind === 'purge');
    const goneTick = world.history.incarnations.get(record?.incarnation ?? '')?.removedTick ?? NEVER;
    demand(own || (execution.unknowns > 0 && goneTick <= world.tick), 'I12', () => `${what} was told success, and what it purged is stored`);
  },
  show: ({ task, record, what, saw }) => {
    const shown = saw((found, now) => found === record && found !== undefined && isAtPath(found, task.where) && stateOnPaper(found, now) === 'active');
    demand(shown, 'I5', () => `${what} showed what was not there at any moment`);
  },
  showDeleted: ({ task, record, what, saw }) => {
    const shown = saw((found, now) => sameDeleted(found, record) && found !== undefined && isAtLocation(found, task.where) && stateOnPaper(found, now) === 'deleted');
    demand(shown, 'I5', () => `${what} showed what was not deleted at any moment`);
  },
  list: isListed,
  listDeleted: isListed,
  nameRefusal: ({ value, what, saw }) => {
    const so = saw((found, now) => ['active', 'deleted'].includes(stateOnPaper(found, now)) === (value === 'AlreadyExists'));
    demand(so, 'I5', () => `${what} was told ${String(value)}`);
  },
  groupShow: (told) => demand(sawLiveGroup(told), 'groups', () => `${told.what} showed a group that was gone`),
  groupPut: (told) => demand(sawLiveGroup(told), 'I12', () => `${told.what} was told success, and the group was never there`),
  groupRemove: ({ world, execution, task, what }) => {
    const gone = sawGroup(world, execution, task.where, (group) => group === undefined || group.deleting !== undefined);
    demand(gone, 'I12', () => `${what} was told success, and the group was there all the time`);
  },
  grant: () => undefined,
};

const sameDeleted = (found: HsmRecord | undefined, record: HsmRecord | undefined): boolean => found === record || isDeepStrictEqual({ ...found }, { ...record });

/** What is acknowledged is stored: by this very execution, once, and as it was told. */
function checkStored(world: World, execution: Execution, task: ClientTask, record: HsmRecord): void {
  const kinds = { put: ['create', 'update'], protect: ['create', 'update'], patch: ['update'], recover: ['recover'], remove: ['delete'] }[task.kind as 'put'];
  const own = execution.changes.find((change) => kinds.includes(change.kind));
  const what = `#${execution.id} (${task.kind})`;
  if (!own && task.kind === 'recover') {
    const asItIs: Seen = (found, now) => found === record && stateOnPaper(found, now) === 'active' && isAtPath(record, task.where);
    demand(sawHsm(world, execution, task.where.name, asItIs), 'I12', () => `${what} was told that it is active, and it was not`);
    return;
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
  const inGroup = (record: HsmRecord): boolean =>
    record.subscription === task.where.subscription && (task.kind === 'listDeleted' || task.item !== 'group' || record.group === task.where.group);
  const shown: Seen = (record, now) => record !== undefined && inGroup(record) && stateOnPaper(record, now) === state;
  for (const item of items)
    demand(
      sawHsm(world, execution, item.name, (record, now) => record === item && shown(record, now)),
      'I5',
      () => `#${execution.id} (${task.kind}) listed ${item.name}, which was not ${state} at any moment`,
    );
  const names = items.map((item) => item.name);
  demand(new Set(names).size === names.length, 'I16', () => `#${execution.id} (${task.kind}) listed a name twice: ${names.join(', ')}`);
  for (const name of world.history.hsms.keys())
    if (!names.includes(name))
      demand(
        sawHsm(world, execution, name, (record, now) => !shown(record, now)),
        'I16',
        () => `#${execution.id} (${task.kind}) left out ${name}, which was ${state} all the time`,
      );
}

/** A timer that says done must have had its date, and its deletion must be over. */
function checkLook(world: World, execution: Execution, { timer, forged }: LookTask, answer: LookAnswer): void {
  if (answer.kind !== 'done') return;
  const what = `#${execution.id}, the timer of deletion ${timer.deletionId},`;
  demand(nowOf(world) >= timer.purgeAt, 'I1', () => `${what} ended before its date`);
  if (!forged)
    demand(
      deletionStanding(world.history, timer) === undefined || execution.startedNow < (world.history.deletions.get(timer.deletionId)?.storedNow ?? 0),
      'I1',
      () => `${what} ended while its deletion stands`,
    );
}

/** A sweep that met no trouble leaves nothing behind that was due, by both clocks, when it began. */
function checkSweep(world: World, execution: Execution, report: SweepReport): void {
  const calm = execution.faults === 0 && execution.refusals === 0;
  demand(report.failed === 0 || !calm, 'I15', () => `sweep #${execution.id} failed in ${report.failed} entries without a cause`);
  if (!calm || report.failed > 0) return;
  for (const [name, versions] of world.history.hsms) demandSwept(execution, name, versions.at(-1));
  for (const [address, versions] of world.history.keys) if (stoodAllTheTime(world, execution, address.split('/')[0] as string)) demandSwept(execution, address, versions.at(-1));
  for (const [incarnation, debt] of world.history.debts)
    if (debt.fromTick < execution.startedTick && debt.closedTick > world.tick && (debt.partition === undefined || stoodAllTheTime(world, execution, debt.partition)))
      demand(execution.sent.has(incarnation), 'I2', () => `sweep #${execution.id} sent nothing for the debt of ${incarnation}`);
}

/** A sweep leaves the keys of an HSM that it found gone, or whose late recovery crossed it, to the next. */
function stoodAllTheTime({ history }: World, execution: Execution, incarnation: string): boolean {
  const standing = current(history.hsms, history.incarnations.get(incarnation)?.name ?? '');
  return standing?.value?.incarnation === incarnation && standing.fromTick < execution.startedTick;
}

function demandSwept(execution: Execution, name: string, last: Version<HsmRecord | KeyRecord> | undefined): void {
  const purgeAt = last?.value?.deletion?.purgeAt;
  if (!last || purgeAt === undefined || last.fromTick >= execution.startedTick) return;
  demand(
    purgeAt > execution.startedNow || purgeAt > execution.startedNow + execution.host.skewSeconds || (execution.hostClockMax > 0 && execution.hostClockMax < purgeAt),
    'I15',
    () => `${name} was due when sweep #${execution.id} began, and is still stored when it ends`,
  );
}
