// An HSM's record and every decision about it: pure functions from what was read to the plan of what shall be written.
import type { Caller } from './armRoles';
import { refuse } from './errors';
import { checkedLocation, type HsmRequest, type HsmSettings, settingsAfterUpdate, settingsOfNew } from './hsmSettings';
import { admit, type Deletion, purgeDate, stateAt, type Window } from './lifecycle';
import { ADMINISTRATOR_ROLE } from './localRoles';
import { hsmKey, locationKey } from './names';
import type { Plan, Row, Value, Write } from './plan';
import { assignmentRow, debtRow, HSM_ROW } from './rows';
import type { Instant } from './time';

type Stamp = { readonly at: Instant; readonly by: string; readonly byType: 'User' | 'Application' };

export type HsmRecord = {
  /** As its creator wrote it; the partition has it in lower case. */
  readonly name: string;
  readonly incarnation: string;
  readonly subscription: string;
  /** As its creator wrote it. */
  readonly group: string;
  readonly settings: HsmSettings;
  /** Under the root key; with it goes every key. */
  readonly wrappedSealingKey: string;
  readonly created: Stamp;
  readonly modified: Stamp;
  readonly window?: Window;
  readonly deletion?: Deletion;
  readonly writeId?: string;
};

/** The debt of a purged HSM: who purged it. */
export type HsmDebt = { readonly hsm: string; readonly incarnation: string; readonly by: PurgedBy };
export type PurgedBy = 'caller' | 'timer' | 'sweeper' | 'create';

/** A local role assignment at / or /keys. */
export type LocalAssignment = { readonly incarnation: string; readonly principalId: string; readonly roleGuid: string; readonly scope: '/' | '/keys' };

/** What a new HSM is born with: one per command. */
export type CoinedHsm = { readonly incarnation: string; readonly wrappedSealingKey: string };

/** How a request names an HSM: all in comparable form but `display`, which is as it was written. */
export type HsmPath = {
  readonly subscription: string;
  readonly group: string;
  readonly name: string | undefined;
  readonly display: { readonly group: string; readonly name: string };
};
export type DeletedHsmPath = { readonly subscription: string; readonly location: string; readonly name: string | undefined };

/** What a command knows beside the record: who asks, the storage's clock, the service's parameters and a supply of ids. */
export type Setting = {
  readonly caller: Caller;
  readonly now: Instant;
  readonly tenantId: string;
  readonly daySeconds: number;
  /** Seconds that an operation's transition lasts; 0 by default. */
  readonly lroSeconds: (operation: Window['operation']) => number;
  readonly newId: () => string;
  /** Local roles granted beside those of the administrators: a development setting. */
  readonly grantsAtCreation: readonly { readonly principalId: string; readonly roleGuid: string }[];
};

export type Found = Row<HsmRecord> | undefined;

/** The decision of a command: a plan, and the record as it will be. */
export type Decided = { readonly plan: Plan; readonly record: HsmRecord };

/** The record if the path is its own and it is active. @throws HsmNotFound */
export function activeAt(found: Found, path: HsmPath, now: Instant): HsmRecord {
  if (!found || !isAt(found.value, path) || stateAt(found.value, now) !== 'active') throw refuse('HsmNotFound', path.display);
  return found.value;
}

/** The record if the location is its own and it is soft-deleted. @throws DeletedHsmNotFound */
export function deletedAt(found: Found, path: DeletedHsmPath, now: Instant): HsmRecord & { readonly deletion: Deletion } {
  const record = found?.value;
  if (!record?.deletion || !isDeletedAt(record, path) || stateAt(record, now) !== 'deleted') throw refuse('DeletedHsmNotFound');
  return { ...record, deletion: record.deletion };
}

/**
 * PUT: creates, updates or recovers.
 * @param coined what a new HSM gets; one per command, there whenever the name is free.
 * @returns `expire` when an overdue record holds the name: it is expired first, then the command decides again.
 */
export function putHsm(
  found: Found,
  path: HsmPath,
  request: HsmRequest,
  coined: CoinedHsm | undefined,
  setting: Setting,
): Decided | 'expire' | { readonly plan: undefined; readonly record: HsmRecord } {
  const record = found?.value;
  if (record && stateAt(record, setting.now) !== 'overdue' && !isAt(record, path)) throw refuse('NameInUse', path.display);
  const location = checkedLocation(request.location);
  if (request.recover) return recoverHsm(found, path, location, setting);
  switch (admit(record, 'create', setting.now)) {
    case 'activate':
      return createHsm(path, request, coined, setting);
    case 'update':
      return updateHsm(found as Row<HsmRecord>, request, setting);
    case 'nameHeld':
      throw refuse('NameHeldByDeleted');
    case 'expireFirst':
      return 'expire';
  }
}

function createHsm(path: HsmPath, request: HsmRequest, coined: CoinedHsm | undefined, setting: Setting): Decided {
  const name = path.name;
  if (name === undefined || coined === undefined) throw refuse('InvalidHsmName', { name: path.display.name.slice(0, 64) });
  const settings = settingsOfNew(request, setting.tenantId, setting.newId);
  const stamp = stampOf(setting);
  const record: HsmRecord = { ...path.display, ...coined, subscription: path.subscription, settings, created: stamp, modified: stamp, ...windowFor('create', setting) };
  const grants = [...settings.administrators.map((principalId) => ({ principalId, roleGuid: ADMINISTRATOR_ROLE })), ...setting.grantsAtCreation];
  const assignments = grants.map((grant): Write => {
    const assignment: LocalAssignment = { ...grant, incarnation: coined.incarnation, scope: '/' };
    return { kind: 'insert', row: assignmentRow(setting.newId()), value: assignment };
  });
  return {
    record,
    plan: { write: { table: 'hsms', partition: name, writes: [{ kind: 'insert', row: HSM_ROW, value: record }, ...assignments] }, coins: coined.incarnation, hurry: [] },
  };
}

/** Whether an update switches purge protection on: then the keys' fence is closed first. */
export const switchesProtectionOn = (before: Found, record: HsmRecord): boolean =>
  record.settings.purgeProtection && before !== undefined && before.value.settings.purgeProtection === false;

/** PUT or PATCH of a live HSM. @throws HsmNotFound, OperationInProgress, or the refusal of a value */
export function patchHsm(found: Found, path: HsmPath, request: HsmRequest, setting: Setting): Decided {
  const record = activeAt(found, path, setting.now);
  admit(record, 'create', setting.now);
  return updateHsm(found as Row<HsmRecord>, request, setting);
}

function updateHsm(found: Row<HsmRecord>, request: HsmRequest, setting: Setting): Decided {
  const settings = settingsAfterUpdate(found.value.settings, request, setting.newId);
  const { window: _, ...before } = found.value;
  return replacing(found, { ...before, settings, modified: stampOf(setting), ...windowFor('update', setting) });
}

function recoverHsm(found: Found, path: HsmPath, location: string, setting: Setting): Decided | { readonly plan: undefined; readonly record: HsmRecord } {
  const outcome = admit(found?.value, 'recover', setting.now);
  if (outcome === 'notDeleted') return { plan: undefined, record: (found as Row<HsmRecord>).value };
  if (outcome === 'notFound' || !found?.value.deletion || !isAt(found.value, path) || locationKey(location) !== locationKey(found.value.settings.location))
    throw refuse('NotRecoverable');
  const { deletion, window: _, ...before } = found.value;
  return replacing(found, { ...before, modified: stampOf(setting), ...windowFor('recover', setting) }, { hurry: [{ kind: 'endTimer', deletionId: deletion.deletionId }] });
}

/**
 * DELETE: soft-deletes.
 * @param deletionId coined once per command: deciding again must not start a second timer.
 * @returns undefined when there is nothing to delete (204).
 */
export function deleteHsm(found: Found, path: HsmPath, deletionId: string, setting: Setting): Decided | undefined {
  if (!found || !isAt(found.value, path)) return undefined;
  if (admit(found.value, 'delete', setting.now) !== 'delete') return undefined;
  const { name, settings } = found.value;
  if (settings.secondaryRegions.length > 0) throw refuse('HasSecondaryRegions', { name, regions: settings.secondaryRegions.join(', ') });
  return softDelete(found, deletionId, setting);
}

/** The plan that deletes a live record: by its own path, or with its group (which takes secondary regions along). */
export function softDelete(found: Row<HsmRecord>, deletionId: string, { now, daySeconds, lroSeconds, caller }: Setting): Decided {
  const { window: _, ...before } = found.value;
  const deletion: Deletion = { deletionId, deletedAt: now, purgeAt: purgeDate(now, before.settings.retentionDays, daySeconds) };
  const record = { ...before, deletion, modified: stampBy(caller, now), ...windowLasting('delete', now, lroSeconds('delete')) };
  return replacing(found, record, { timer: { deletionId, hsm: found.partition, incarnation: record.incarnation, purgeAt: deletion.purgeAt }, coins: deletionId });
}

/** POST purge by a caller. @throws DeletedHsmNotFound, MethodNotAllowed under purge protection */
export function purgeHsm(found: Found, path: DeletedHsmPath, now: Instant): Plan {
  const record = deletedAt(found, path, now);
  if (record.settings.purgeProtection) throw refuse('MethodNotAllowed', { operation: 'DeletedManagedHsmPurge' });
  return removal(found as Row<HsmRecord>, record.deletion, 'caller');
}

/**
 * The purge at the deadline. Both clocks must have reached it: the storage's, and the host's as a veto.
 * @param deletionId the deletion meant; another deletion of the same name is none of its business.
 * @returns the plan, `nothing`, or the instant at which to look again.
 */
export function expireHsm(found: Found, deletionId: string, by: PurgedBy, now: Instant, hostNow: Instant): Plan | 'nothing' | { readonly lookAgainAt: Instant } {
  const deletion = found?.value.deletion;
  if (!found || !deletion || deletion.deletionId !== deletionId) return 'nothing';
  if (admit(found.value, 'expire', now) !== 'expire' || hostNow < deletion.purgeAt) return { lookAgainAt: deletion.purgeAt };
  return removal(found, deletion, by);
}

/** Removes the record and leaves the debt of erasing what it owned, in one transaction. */
const removal = (found: Row<HsmRecord>, { deletionId }: Deletion, by: PurgedBy): Plan => {
  const { incarnation } = found.value;
  const debt: HsmDebt = { hsm: found.partition, incarnation, by };
  return {
    write: {
      table: 'hsms',
      partition: found.partition,
      writes: [
        { kind: 'delete', row: HSM_ROW, etag: found.etag },
        { kind: 'insert', row: debtRow(incarnation), value: debt },
      ],
    },
    removes: incarnation,
    hurry: [{ kind: 'erase', debt: { hsm: found.partition, incarnation } }, ...(by === 'caller' ? [{ kind: 'endTimer', deletionId } as const] : [])],
  };
};

const replacing = (found: Row<HsmRecord>, record: HsmRecord, more: Partial<Plan> = {}): Decided => ({
  record,
  plan: { hurry: [], ...more, write: { table: 'hsms', partition: found.partition, writes: [{ kind: 'replace', row: HSM_ROW, etag: found.etag, value: record as Value }] } },
});

/** A path reaches a record only if subscription and group are the record's. */
export const isAt = (record: HsmRecord, path: { readonly subscription: string; readonly group: string }): boolean =>
  record.subscription === path.subscription && record.group.toLowerCase() === path.group;

export const isDeletedAt = (record: HsmRecord, path: { readonly subscription: string; readonly location: string }): boolean =>
  record.subscription === path.subscription && locationKey(record.settings.location) === path.location;

/** Why a name cannot be had, if so. A soft-deleted HSM keeps its name, wherever it is. */
export const nameRefusal = (name: string, found: Found, now: Instant): 'AlreadyExists' | 'AccountNameInvalid' | undefined =>
  hsmKey(name) === undefined ? 'AccountNameInvalid' : ['active', 'deleted'].includes(stateAt(found?.value, now)) ? 'AlreadyExists' : undefined;

const stampOf = ({ caller, now }: Setting): Stamp => stampBy(caller, now);

const stampBy = (caller: Caller, at: Instant): Stamp => ({ at, by: caller.displayName, byType: caller.kind });

const windowFor = (operation: Window['operation'], { now, lroSeconds }: Setting): { window?: Window } => windowLasting(operation, now, lroSeconds(operation));

const windowLasting = (operation: Window['operation'], now: Instant, seconds: number): { window?: Window } =>
  seconds > 0 ? { window: { operation, startedAt: now, readyAt: now + seconds } } : {};
