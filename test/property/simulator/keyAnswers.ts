// Every answer to a command on keys must be explained by a moment between question and answer, in an HSM that was active then; an acknowledged effect is stored as it was told.
import { isDeepStrictEqual } from 'node:util';
import type { KeyRecord, KeyVersion } from '../../../shared/domain/key';
import type { Instant } from '../../../shared/domain/time';
import type { KeyPage, SeenKey } from '../../../shared/service/keys';
import { spanOf } from './changes';
import type { KeyTask } from './commands';
import { current, keyAddress, wasSo } from './history';
import { wasServing } from './keyChanges';
import type { KeyAnswer } from './keyCommands';
import { datesOf, isBusy, isServing, stateOnPaper } from './paper';
import { demand } from './violation';
import type { Change, Execution, World } from './world';

type Seen = (record: KeyRecord | undefined, now: Instant) => boolean;

const sawKey = (world: World, execution: Execution, incarnation: string, key: string, holds: Seen): boolean =>
  wasSo(world.history.keys, keyAddress(incarnation, key), spanOf(world, execution), datesOf, holds);

/** Any incarnation of the HSM: a refusal does not say in which it was. */
const sawSomewhere = (world: World, execution: Execution, { hsm, key }: KeyTask, holds: Seen): boolean =>
  incarnationsOf(world, hsm).some((incarnation) => wasServing(world, execution, hsm, incarnation) && sawKey(world, execution, incarnation, key, holds));

const incarnationsOf = ({ history }: World, hsm: string): readonly string[] => [...new Set((history.hsms.get(hsm) ?? []).flatMap((version) => version.value?.incarnation ?? []))];

export const wasKeyOverdue = (world: World, execution: Execution, task: KeyTask): boolean =>
  sawSomewhere(world, execution, task, (record, now) => stateOnPaper(record, now) === 'overdue');

const sawVersion = (world: World, execution: Execution, incarnation: string, version: string, holds: (row: KeyVersion | undefined) => boolean): boolean =>
  wasSo(world.history.olderVersions, `${incarnation}!${version}`, spanOf(world, execution), () => [], holds);

/** @throws Violation */
export function checkKeyReason(world: World, execution: Execution, task: KeyTask, error: string, name: string): void {
  const explained = refusals(world, execution, task)[error];
  const wasServed = error === 'HsmUnavailable' || incarnationsOf(world, task.hsm).some((incarnation) => wasServing(world, execution, task.hsm, incarnation));
  demand(wasServed, 'I6', () => `${name} by ${task.hsm}, which was not active at any moment since it began`);
  if (explained) demand(sawSomewhere(world, execution, task, explained), 'I5', () => `${name}, which no state between question and answer explains`);
  else if (error === 'HsmUnavailable') {
    const was = wasSo(world.history.hsms, task.hsm, spanOf(world, execution), datesOf, (record, now) => !isServing(record, now));
    demand(was, 'I5', () => `${name}, and it was active all the time`);
  } else if (error === 'KeyPurgeProtected') demand(wasClosed(world, execution, task.hsm), 'answers', () => `${name}, and nothing closed the fence`);
  else demand(error === 'Throttled' && execution.faults > 0, 'answers', () => `${name}: nothing explains that`);
}

const wasClosed = (world: World, execution: Execution, hsm: string): boolean => {
  const span = spanOf(world, execution);
  return (
    wasSo(
      world.history.hsms,
      hsm,
      span,
      () => [],
      (record) => record?.settings.purgeProtection === true,
    ) ||
    incarnationsOf(world, hsm).some((incarnation) =>
      wasSo(
        world.history.fences,
        incarnation,
        span,
        () => [],
        (fence) => fence?.guard === true && !fence.open,
      ),
    )
  );
};

/** When each refusal is right, from the table on paper and contract.md's errors. */
const refusals = (world: World, execution: Execution, { kind, version }: KeyTask): Readonly<Record<string, Seen>> => ({
  KeyNotFound: (record, now) => {
    const state = stateOnPaper(record, now);
    if (kind === 'keyRecover' || kind === 'keyPurge') return state !== 'deleted';
    if (kind === 'keyShowDeleted') return state !== 'deleted' || isBusy(record, now);
    if (kind === 'keyRemove') return state !== 'active';
    if (kind !== 'keyGet' && kind !== 'keyUpdate') return false;
    if (!record || state !== 'active' || isBusy(record, now)) return true;
    return version !== undefined && version !== record.current.version && sawVersion(world, execution, record.incarnation, version, (row) => row === undefined);
  },
  KeyNameHeld: (record, now) => kind === 'keyCreate' && stateOnPaper(record, now) === 'deleted',
  OperationInProgress: (record, now) => isBusy(record, now) && stateOnPaper(record, now) !== 'overdue' && ['keyCreate', 'keyRemove', 'keyRecover', 'keyUpdate'].includes(kind),
});

type Told = {
  readonly world: World;
  readonly execution: Execution;
  readonly task: KeyTask;
  readonly incarnation: string;
  readonly told: unknown;
  readonly what: string;
  readonly saw: (holds: Seen) => boolean;
};

/** @throws Violation */
export function checkKeyAnswer(world: World, execution: Execution, task: KeyTask, answer: KeyAnswer | undefined): void {
  if (!answer) return;
  const { incarnation, grants, told } = answer;
  const what = `#${execution.id} (${task.kind})`;
  demand(wasServing(world, execution, task.hsm, incarnation), 'I6', () => `${what} was served by ${task.hsm} (${incarnation}), which was not active at any moment since it began`);
  const saw = (holds: Seen): boolean => sawKey(world, execution, incarnation, task.key, holds);
  for (const { key, keyIncarnation } of grants as readonly { readonly key?: string; readonly keyIncarnation?: string }[])
    if (key !== undefined)
      demand(
        saw((record) => record?.incarnation === keyIncarnation),
        'rights',
        () => `${what} used a grant at ${key} that was made for ${keyIncarnation}`,
      );
  accepted[task.kind]({ world, execution, task, incarnation, told, what, saw });
}

const accepted: Readonly<Record<KeyTask['kind'], (told: Told) => void>> = {
  keyCreate: (told) => checkStored(told, ['create', 'version'], (told.told as SeenKey).record),
  keyUpdate: (told) => {
    const { record, version } = told.told as SeenKey;
    checkStored(told, ['update', 'touch'], version === record.current ? record : version);
  },
  keyRemove: (told) => checkStored(told, ['delete'], told.told as KeyRecord),
  keyRecover: (told) => checkStored(told, ['recover'], told.told as KeyRecord),
  keyPurge: ({ world, execution, what, incarnation, task }) => {
    const own = execution.changes.some((change) => change.kind === 'purge');
    const address = keyAddress(incarnation, task.key);
    const gone = [...world.history.keyIncarnations.values()].some((key) => key.address === address && key.removedTick > execution.startedTick && key.removedTick <= world.tick);
    demand(own || (execution.unknowns > 0 && gone), 'I12', () => `${what} was told success, and what it purged is stored`);
  },
  keyGet: ({ world, execution, told, what, saw }) => {
    const { record, version } = told as SeenKey;
    const shown = saw((found, now) => found === record && stateOnPaper(found, now) === 'active' && !isBusy(found, now));
    const isOwn = version === record.current || sawVersion(world, execution, record.incarnation, version.version, (row) => row === version);
    demand(shown && isOwn, 'I5', () => `${what} showed what was not there at any moment`);
  },
  keyShowDeleted: ({ told, what, saw }) => {
    const shown = saw((found, now) => stateOnPaper(found, now) === 'deleted' && !isBusy(found, now) && isDeepStrictEqual({ ...found }, { ...(told as KeyRecord) }));
    demand(shown, 'I5', () => `${what} showed what was not deleted at any moment`);
  },
  keyList: (told) => checkList(told, 'active'),
  keyListDeleted: (told) => checkList(told, 'deleted'),
  keyVersions: checkVersions,
  keyGrant: () => undefined,
};

/** What is acknowledged is stored: by this very execution, once, and as it was told. */
function checkStored({ execution, what }: Told, kinds: readonly Change['kind'][], told: object): void {
  const own = execution.changes.find((change) => kinds.includes(change.kind));
  demand(own !== undefined, 'I12', () => `${what} was told success, and nothing of it is stored`);
  const plain = ({ writeId: _, ...rest }: { readonly writeId?: string }) => rest;
  demand(isDeepStrictEqual(plain({ ...told }), plain({ ...(own.after as object) })), 'I12', () => `${what} was told other than what is stored`);
}

/** Every item was there at some moment; what was there all the time is listed; nothing twice. */
function checkList({ world, execution, incarnation, told, what }: Told, state: 'active' | 'deleted'): void {
  const items = told as readonly KeyRecord[];
  const shown: Seen = (record, now) => stateOnPaper(record, now) === state && !isBusy(record, now);
  const names = items.map((item) => item.name);
  for (const item of items)
    demand(
      sawKey(world, execution, incarnation, item.name, (record, now) => record === item && shown(record, now)),
      'I5',
      () => `${what} listed ${item.name}, which was not ${state} at any moment`,
    );
  demand(new Set(names).size === names.length, 'I16', () => `${what} listed a name twice: ${names.join(', ')}`);
  for (const address of world.history.keys.keys()) {
    const [partition, name = ''] = address.split('/');
    if (partition !== incarnation || names.includes(name)) continue;
    const missing = sawKey(world, execution, incarnation, name, (record, now) => !shown(record, now));
    demand(missing, 'I16', () => `${what} left out ${name}, which was ${state} all the time`);
  }
}

function checkVersions({ world, execution, task, incarnation, told, what, saw }: Told): void {
  const { record, items } = told as KeyPage<KeyVersion> & { readonly record?: KeyRecord };
  const shown: Seen = (found, now) => stateOnPaper(found, now) === 'active' && !isBusy(found, now);
  if (!record) {
    demand(items.length === 0 && saw((found, now) => !shown(found, now)), 'I5', () => `${what} was shown no version, and the key was there all the time`);
    return;
  }
  demand(
    saw((found, now) => found === record && shown(found, now)),
    'I5',
    () => `${what} was shown versions of a key that was not there at any moment`,
  );
  const ids = items.map((item) => item.version);
  demand(new Set(ids).size === ids.length, 'I16', () => `${what} was shown a version twice: ${ids.join(', ')}`);
  for (const item of items)
    demand(
      item === record.current || sawVersion(world, execution, record.incarnation, item.version, (row) => row === item),
      'I5',
      () => `${what} was shown ${item.version} as it was at no moment`,
    );
  const stands = current(world.history.keys, keyAddress(incarnation, task.key))?.value?.incarnation === record.incarnation;
  demand(!stands || ids.length >= record.versions, 'I16', () => `${what} was shown ${ids.length} of ${record.versions} versions`);
}
