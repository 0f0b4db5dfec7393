// The steps that a key's record may take, from the table on paper, as changes.ts has them for HSMs.
import { isDeepStrictEqual } from 'node:util';
import type { KeyDebt, KeyRecord, VersionRecord } from '../../../shared/domain/key';
import type { Instant } from '../../../shared/domain/time';
import { spanOf } from './changes';
import { isKeyTask, type KeyTask, type Task } from './commands';
import { NEVER, stands, wasSo } from './history';
import { datesOf, isBusy, isServing, type PaperState, stateOnPaper } from './paper';
import { dataKeyText, sealedText } from './secrets';
import { demand } from './violation';
import { type Change, type Execution, hostNow, instantText, nowOf, type World } from './world';

/** One change of a record, with what else its transaction brought. */
export type KeyStep = {
  /** The HSM's incarnation. */
  readonly partition: string;
  readonly address: string;
  readonly was: KeyRecord | undefined;
  readonly is: KeyRecord | undefined;
  readonly debt: KeyDebt | undefined;
  readonly older: VersionRecord | undefined;
  readonly passesFence: boolean;
};

type Judged = KeyStep & { readonly world: World; readonly execution: Execution; readonly where: string };

/** Judges one change of a key's record and notes it. @throws Violation */
export function keyChanged(world: World, execution: Execution, step: KeyStep): void {
  const { was, is, address } = step;
  if (was && is) demand(was.incarnation === is.incarnation, 'I7', () => `#${execution.id} replaced ${address} (${was.incarnation}) by another incarnation (${is.incarnation})`);
  const kind = kindOf(execution, step);
  const incarnation = (is ?? was)?.incarnation ?? '';
  const where = `#${execution.id} (${execution.task.kind}): ${kind} of ${address} (${incarnation})`;
  demand(mayDo(world, execution, kind, step), 'table', () => `${where} is not its business`);
  const others = execution.changes.filter((change) => change.kind !== 'expire');
  demand(kind === 'expire' || others.length === 0, 'I7', () => `${where}: one command acted twice`);
  demand(execution.status !== 'refused', 'I12', () => `${where}, after it had been refused`);
  if (is) demand(is.wrappedDataKey === dataKeyText(step.partition, is.incarnation), 'I10', () => `${where}: its data key is "${is.wrappedDataKey}"`);
  judges[kind]({ ...step, world, execution, where });
  execution.changes.push({ subject: 'key', kind, name: address, incarnation, after: kind === 'touch' ? step.older : is, tick: world.tick });
}

function kindOf({ id, task }: Execution, { was, is, address, older }: KeyStep): Change['kind'] {
  if (!was) return 'create';
  if (!is) {
    demand(was.deletion !== undefined, 'I8', () => `#${id} (${task.kind}) purged ${address} (${was.incarnation}), which is not deleted`);
    return task.kind === 'keyPurge' ? 'purge' : 'expire';
  }
  demand(!was.deletion || !is.deletion, 'I9', () => `#${id} (${task.kind}) changed a deleted key, ${address} (${was.incarnation})`);
  if (!was.deletion && is.deletion) return 'delete';
  if (was.deletion) return 'recover';
  if (was.versions !== is.versions) return 'version';
  return older ? 'touch' : 'update';
}

const business: Readonly<Partial<Record<KeyTask['kind'], readonly Change['kind'][]>>> = {
  keyCreate: ['create', 'version', 'expire'],
  keyUpdate: ['update', 'touch'],
  keyRemove: ['delete'],
  keyRecover: ['recover'],
  keyPurge: ['purge'],
};

/** Whose business a change is; a client's only in an HSM that was active at a moment since it began. */
function mayDo(world: World, execution: Execution, kind: Change['kind'], { partition, address, was }: KeyStep): boolean {
  const task: Task = execution.task;
  if (task.kind === 'sweep') return kind === 'expire';
  if (task.kind === 'look') {
    const { deletionId } = task.timer;
    demand(was?.deletion?.deletionId === deletionId, 'I11', () => `the timer of deletion ${deletionId} purged ${address}, deleted by ${was?.deletion?.deletionId}`);
    return kind === 'expire';
  }
  if (!isKeyTask(task)) return false;
  const served = wasServing(world, execution, task.hsm, partition);
  demand(served, 'I6', () => `#${execution.id} (${task.kind}) changed ${address} in ${task.hsm}, which was not active at any moment since it began`);
  demand(address === `${partition}/${task.key}`, 'I14', () => `#${execution.id} (${task.kind} of ${task.key}) reached ${address}`);
  return business[task.kind]?.includes(kind) === true;
}

export const wasServing = (world: World, execution: Execution, hsm: string, incarnation: string): boolean =>
  wasSo(world.history.hsms, hsm, spanOf(world, execution), datesOf, (record, now) => record?.incarnation === incarnation && isServing(record, now));

const judges: Readonly<Record<Change['kind'], (step: Judged) => void>> = {
  create(step) {
    const { world, where, address, partition, is } = step;
    const record = is as KeyRecord;
    const { keyIncarnations } = world.history;
    demand(!keyIncarnations.has(record.incarnation), 'I2', () => `${where}: ${record.incarnation} was stored before, and comes back from the grave`);
    demand(!record.deletion && record.versions === 1, 'table', () => `${where} with a past`);
    requireState(step, (state) => state === 'absent' || state === 'overdue');
    demandSealed(step);
    keyIncarnations.set(record.incarnation, { address, partition, removedTick: NEVER });
  },
  version(step) {
    const { where, older } = step;
    const [was, is] = [step.was, step.is] as [KeyRecord, KeyRecord];
    requireState(step, (state) => state === 'active');
    demand(is.versions === was.versions + 1 && isDeepStrictEqual(kept(was), kept(is)), 'I10', () => `${where} changed more than it may`);
    demand(isDeepStrictEqual({ ...older }, { ...was.current, keyIncarnation: was.incarnation }), 'I10', () => `${where}: the version before it is not kept as it was`);
    demandSealed(step);
  },
  update(step) {
    const [was, is] = [step.was, step.is] as [KeyRecord, KeyRecord];
    const fixed = ({ version, publicParts, sizeOrCurve, created, sealed }: KeyRecord['current']) => [version, publicParts, sizeOrCurve, created, sealed];
    requireState(step, (state) => state === 'active');
    demand(isDeepStrictEqual(kept(was), kept(is)) && isDeepStrictEqual(fixed(was.current), fixed(is.current)), 'I10', () => `${step.where} changed more than it may`);
  },
  touch(step) {
    requireState(step, (state) => state === 'active');
    demandSame(step);
  },
  delete: deleted,
  recover(step) {
    const { world, where, was } = step;
    const ended = world.history.deletions.get(was?.deletion?.deletionId ?? '');
    demand(ended?.ended === 'no', 'I8', () => `${where}: its deletion was ${ended?.ended} already`);
    requireState(step, (state) => state === 'deleted');
    demandSame(step);
    ended.ended = 'recovered';
  },
  purge(step) {
    const { world, where, partition, passesFence } = step;
    const { hsms, incarnations } = world.history;
    const record = hsms.get(incarnations.get(partition)?.name ?? '')?.at(-1)?.value;
    demand(record?.incarnation !== partition || !record.settings.purgeProtection, 'I4', () => `${where}: its HSM is protected`);
    demand(passesFence, 'I4', () => `${where} does not pass the fence`);
    requireState(step, (state) => state === 'deleted');
    removed(step);
  },
  expire(step) {
    const { world, execution, where, was } = step;
    const purgeAt = was?.deletion?.purgeAt ?? 0;
    demand(nowOf(world) >= purgeAt, 'I4', () => `${where} before ${instantText(purgeAt)}`);
    demand(
      execution.hostClockMax >= purgeAt,
      'two clocks',
      () => `${where}: the host's clock, ${instantText(hostNow(world, execution.host))}, had not reached ${instantText(purgeAt)}`,
    );
    removed(step);
  },
};

const kept = ({ deletion: _, window: __, writeId: ___, versions: ____, current: _____, ...rest }: KeyRecord) => rest;

/** What a deletion, a recovery and a touch leave as it was: the key with its version and its data key. */
function demandSame({ where, was, is }: Judged): void {
  const same = was && is && was.versions === is.versions && isDeepStrictEqual(was.current, is.current) && isDeepStrictEqual(kept(was), kept(is));
  demand(same === true, 'I10', () => `${where} changed more than it may`);
}

function demandSealed({ where, partition, is }: Judged): void {
  const { incarnation, current } = is as KeyRecord;
  demand(current.sealed === sealedText(partition, incarnation, current.version), 'I10', () => `${where}: its version is sealed as "${current.sealed}"`);
}

function deleted(step: Judged): void {
  const { world, execution, where, partition, was } = step;
  const { deletions, incarnations } = world.history;
  const deletion = step.is?.deletion as NonNullable<KeyRecord['deletion']>;
  requireState(step, (state) => state === 'active');
  demandSame(step);
  demand(!deletions.has(deletion.deletionId), 'I8', () => `${where} used a deletion id again: ${deletion.deletionId}`);
  demand(
    deletion.deletedAt >= execution.startedNow && deletion.deletedAt <= nowOf(world),
    'I9',
    () => `${where} is dated ${instantText(deletion.deletedAt)}, but the storage's clock went from ${instantText(execution.startedNow)} to ${instantText(nowOf(world))} meanwhile`,
  );
  const hsm = incarnations.get(partition);
  demand(deletion.purgeAt === deletion.deletedAt + (hsm?.retentionDays ?? 0) * world.daySeconds, 'I9', () => `${where}: wrong date of purge, ${instantText(deletion.purgeAt)}`);
  const input = world.timers.get(deletion.deletionId)?.input;
  demand(input !== undefined, 'I1', () => `${where} has no timer when it is stored`);
  const meant = { hsm: hsm?.name, incarnation: partition, key: { name: step.address.slice(partition.length + 1), incarnation: was?.incarnation } };
  demand(
    isDeepStrictEqual({ hsm: input.hsm, incarnation: input.incarnation, key: { ...input.key } }, meant) && input.purgeAt <= deletion.purgeAt,
    'I1',
    () => `${where} has a timer for something else`,
  );
  deletions.set(deletion.deletionId, { incarnation: was?.incarnation ?? '', storedNow: nowOf(world), ended: 'no' });
}

/** The obligation and the debt change in the transaction that removes the record; the data key was in it. */
function removed({ world, execution, where, partition, was, debt }: Judged): void {
  const { deletions, keyIncarnations, incarnations } = world.history;
  demand(debt?.incarnation === was?.incarnation && debt?.hsmIncarnation === partition, 'I1', () => `${where}: no debt in the same transaction`);
  demand(!stands(world.history, partition) || debt?.hsm === incarnations.get(partition)?.name, 'I1', () => `${where}: the debt names the HSM ${debt?.hsm}`);
  const by = { keyPurge: 'caller', look: 'timer', sweep: 'sweeper', keyCreate: 'create' }[execution.task.kind as string];
  demand(debt?.by === by, 'I1', () => `${where}: the debt says that ${debt?.by} purged it`);
  const ended = deletions.get(was?.deletion?.deletionId ?? '');
  demand(ended?.ended === 'no', 'I8', () => `${where}: its deletion was ${ended?.ended} already`);
  ended.ended = 'purged';
  (keyIncarnations.get(was?.incarnation ?? '') as { removedTick: number }).removedTick = world.tick;
}

/** A change must have been allowed by the table at some moment since its execution began: the moment of its read. A purge has no transition to wait for. */
function requireState({ world, execution, where, address, was, is }: Judged, allowed: (state: PaperState) => boolean): void {
  const waits = is !== undefined;
  const free = (record: KeyRecord | undefined, now: Instant): boolean => !waits || stateOnPaper(record, now) === 'overdue' || !isBusy(record, now);
  const held = wasSo(world.history.keys, address, spanOf(world, execution), datesOf, (record, now) => record === was && allowed(stateOnPaper(record, now)) && free(record, now));
  demand(held, 'I5', () => `${where}, which was in no state for it at any moment since ${instantText(execution.startedNow)}`);
}
