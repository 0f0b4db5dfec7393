// A key's record and every decision about it: versions, deletion, recovery, purge, under the fence of purge protection. Pure functions from what was read to plans.
import { refuse } from './errors';
import type { PublicParts } from './keySpec';
import { admit, type Deletion, purgeDate, stateAt, type Window } from './lifecycle';
import type { HsmRecord, PurgedBy } from './managedHsm';
import type { KeyIds, Plan, Row, Value, Write } from './plan';
import { debtRow, dueRow, GUARD_ROW, keyRow, OPEN_ROW, versionRow } from './rows';
import type { Instant } from './time';

export type KeyAttributes = { readonly enabled: boolean; readonly nbf?: Instant; readonly exp?: Instant; readonly exportable: boolean };

/** One version, with its sealed private part. */
export type KeyVersion = {
  readonly version: string;
  readonly publicParts: PublicParts;
  readonly sizeOrCurve: string;
  readonly keyOps: readonly string[];
  readonly attributes: KeyAttributes;
  readonly tags: Readonly<Record<string, string>>;
  readonly created: Instant;
  readonly updated: Instant;
  readonly sealed: string;
};

export type KeyRecord = {
  /** As its creator wrote it; the row key has it in lower case. */
  readonly name: string;
  readonly incarnation: string;
  /** The key's own data key under the sealing key of its HSM: with it goes every version. */
  readonly wrappedDataKey: string;
  /** How many versions there are, this one included. */
  readonly versions: number;
  readonly current: KeyVersion;
  readonly window?: Window;
  readonly deletion?: Deletion;
  readonly writeId?: string;
};

/** The obligation row of a deleted key. */
export type KeyDue = KeyIds & { readonly deletionId: string };
/** The debt of a purged key: older versions, and assignments at it. */
export type KeyDebt = KeyIds & { readonly hsm: string; readonly hsmIncarnation: string; readonly by: PurgedBy };
/** An older version in its own row. */
export type VersionRecord = KeyVersion & { readonly keyIncarnation: string };

export type FoundKey = Row<KeyRecord> | undefined;

/** Where a key command stands: the active HSM as it was read, the key's name, the storage's clock and the parameters. */
export type KeySetting = {
  readonly hsm: HsmRecord;
  /** The partition of the HSM's record: its name in lower case. */
  readonly hsmName: string;
  readonly path: KeyPath;
  readonly now: Instant;
  readonly daySeconds: number;
  /** How long a key is "neither active nor deleted" after its deletion and its recovery; 0 by default. */
  readonly transitionSeconds: number;
};

/** `name` in lower case, `display` as the caller wrote it, `host` of the HSM. */
export type KeyPath = { readonly host: string; readonly name: string; readonly display: string };

export type DecidedKey = { readonly plan: Plan; readonly record: KeyRecord };

/** A key has at most so many versions: one transaction can hold them all. */
const KEY_VERSIONS_MAX = 100;

const keyNotFound = ({ host, display }: KeyPath) => refuse('KeyNotFound', { url: `https://${host}/keys/${display}` });
const deletedKeyNotFound = ({ host, display }: KeyPath) => refuse('KeyNotFound', { url: `https://${host}/deletedkeys/${display}` });

/** While a key is in transition neither side shows it. */
const isInTransition = (record: KeyRecord, now: Instant): boolean => record.window !== undefined && now < record.window.readyAt;

/** @throws KeyNotFound unless the key is active and out of transition */
export function activeKey(found: FoundKey, path: KeyPath, now: Instant): KeyRecord {
  if (!found || stateAt(found.value, now) !== 'active' || isInTransition(found.value, now)) throw keyNotFound(path);
  return found.value;
}

/** @throws KeyNotFound unless the key is soft-deleted and out of transition */
export function deletedKey(found: FoundKey, path: KeyPath, now: Instant): KeyRecord & { readonly deletion: Deletion } {
  const record = found?.value;
  if (!record?.deletion || stateAt(record, now) !== 'deleted' || isInTransition(record, now)) throw deletedKeyNotFound(path);
  return { ...record, deletion: record.deletion };
}

/**
 * Create: a new key, or a new version of a live one.
 * @param coined of a key that is not there yet: its incarnation and wrapped data key
 * @param made the version, sealed for the key that it will belong to
 * @returns `expire` when an overdue record holds the name: it is expired first, then the command decides again
 */
export function createKey(
  found: FoundKey,
  coined: { readonly incarnation: string; readonly wrappedDataKey: string },
  made: KeyVersion,
  setting: KeySetting,
): DecidedKey | 'expire' {
  switch (admit(found?.value, 'create', setting.now)) {
    case 'activate': {
      const record: KeyRecord = { name: setting.path.display, ...coined, versions: 1, current: made };
      return { record, plan: { write: transaction(setting, { kind: 'insert', row: keyRow(setting.path.name), value: record as Value }), coins: coined.incarnation, hurry: [] } };
    }
    case 'update':
      return addVersion(found as Row<KeyRecord>, made, setting);
    case 'nameHeld':
      throw refuse('KeyNameHeld', { name: setting.path.display });
    case 'expireFirst':
      return 'expire';
  }
}

/** @throws TooManyVersions when a key can have no more */
export function checkVersions({ name, versions }: KeyRecord): void {
  if (versions >= KEY_VERSIONS_MAX) throw refuse('TooManyVersions', { name, limit: KEY_VERSIONS_MAX });
}

function addVersion(found: Row<KeyRecord>, made: KeyVersion, setting: KeySetting): DecidedKey {
  const before = found.value;
  checkVersions(before);
  const { window: _, ...kept } = before;
  const record: KeyRecord = { ...kept, versions: before.versions + 1, current: made };
  const older: VersionRecord = { ...before.current, keyIncarnation: before.incarnation };
  const writes: readonly Write[] = [{ kind: 'insert', row: versionRow(before.incarnation, before.current.version), value: older as Value }];
  return { record, plan: { write: transaction(setting, replaced(found, record), ...writes), hurry: [] } };
}

/** What an update may change; a member left out stays. */
export type KeyChange = { readonly keyOps?: readonly string[]; readonly attributes?: Partial<KeyAttributes>; readonly tags?: Readonly<Record<string, string>> };

/** Update of the current version. @throws KeyNotFound, OperationInProgress */
export function updateKey(found: FoundKey, change: KeyChange, setting: KeySetting): DecidedKey {
  admit(found?.value, 'create', setting.now);
  const before = activeKey(found, setting.path, setting.now);
  const record = { ...before, current: changed(before.current, change, setting.now) };
  return { record, plan: { write: transaction(setting, replaced(found as Row<KeyRecord>, record)), hurry: [] } };
}

/** Update of an older version, in its own row: the key's record goes along, so that no deletion slips between. */
export function updateVersion(found: FoundKey, older: Row<VersionRecord>, change: KeyChange, setting: KeySetting): { readonly plan: Plan; readonly version: VersionRecord } {
  admit(found?.value, 'create', setting.now);
  const record = activeKey(found, setting.path, setting.now);
  const version = { ...older.value, ...changed(older.value, change, setting.now) };
  const writes: readonly Write[] = [{ kind: 'replace', row: older.row, etag: older.etag, value: version as Value }];
  return { version, plan: { write: transaction(setting, replaced(found as Row<KeyRecord>, record), ...writes), hurry: [] } };
}

const changed = (version: KeyVersion, { keyOps, attributes, tags }: KeyChange, now: Instant): KeyVersion => ({
  ...version,
  keyOps: keyOps ?? version.keyOps,
  attributes: { ...version.attributes, ...attributes },
  tags: tags ?? version.tags,
  updated: now,
});

/** DELETE. @param deletionId coined once per command */
export function deleteKey(found: FoundKey, deletionId: string, setting: KeySetting): DecidedKey & { readonly record: { readonly deletion: Deletion } } {
  const { now, hsm, hsmName, path, daySeconds } = setting;
  if (!found || admit(found.value, 'delete', now) !== 'delete') throw keyNotFound(path);
  const { window: _, ...before } = found.value;
  const deletion: Deletion = { deletionId, deletedAt: now, purgeAt: purgeDate(now, hsm.settings.retentionDays, daySeconds) };
  const key: KeyIds = { name: path.name, incarnation: before.incarnation };
  const record = { ...before, deletion, ...windowFor('delete', setting) };
  const due: KeyDue = { ...key, deletionId };
  return {
    record,
    plan: {
      timer: { deletionId, hsm: hsmName, incarnation: hsm.incarnation, key, purgeAt: deletion.purgeAt },
      write: transaction(setting, replaced(found, record), { kind: 'insert', row: dueRow(deletion.purgeAt, deletionId), value: due }),
      coins: deletionId,
      hurry: [],
    },
  };
}

/** Recover. @param due the obligation's row, read beside the record */
export function recoverKey(found: FoundKey, due: Row<Value> | undefined, setting: KeySetting): DecidedKey {
  const outcome = admit(found?.value, 'recover', setting.now);
  const deleted = found?.value.deletion;
  if (!found || !deleted || outcome !== 'recover') throw deletedKeyNotFound(setting.path);
  const { deletion, window: _, ...before } = found.value;
  const record = { ...before, ...windowFor('recover', setting) };
  return { record, plan: { write: transaction(setting, replaced(found, record), ...removed(due)), hurry: [{ kind: 'endTimer', deletionId: deleted.deletionId }] } };
}

/** The two rows of the fence. */
export type Fence = { readonly guard: Row<Value> | undefined; readonly open: Row<Value> | undefined };

/** Purge by a caller. @throws KeyNotFound, PurgeProtected */
export function purgeKey(found: FoundKey, due: Row<Value> | undefined, fence: Fence, setting: KeySetting): Plan {
  if (!found?.value.deletion || admit(found.value, 'purge', setting.now) !== 'purge') throw deletedKeyNotFound(setting.path);
  if (setting.hsm.settings.purgeProtection || (fence.guard && !fence.open)) throw refuse('KeyPurgeProtected', { name: found.value.name });
  const open: readonly Write[] = fence.guard
    ? [{ kind: 'touch', row: OPEN_ROW }]
    : [
        { kind: 'insert', row: GUARD_ROW, value: {} },
        { kind: 'insert', row: OPEN_ROW, value: {} },
      ];
  return removal(found, due, open, 'caller', setting.hsmName, setting.hsm.incarnation);
}

/** The purge at the deadline; it does not ask the fence. Both clocks must have reached the date. */
export function expireKey(
  found: FoundKey,
  due: Row<Value> | undefined,
  { deletionId, by, now, hostNow }: { readonly deletionId: string; readonly by: PurgedBy; readonly now: Instant; readonly hostNow: Instant },
  hsm: { readonly name: string; readonly incarnation: string },
): Plan | 'nothing' | { readonly lookAgainAt: Instant } {
  const deletion = found?.value.deletion;
  if (!found || !deletion || deletion.deletionId !== deletionId) return 'nothing';
  if (admit(found.value, 'expire', now) !== 'expire' || hostNow < deletion.purgeAt) return { lookAgainAt: deletion.purgeAt };
  return removal(found, due, [], by, hsm.name, hsm.incarnation);
}

/** One transaction: the record with the key's data key goes, its obligation goes, the debt comes. */
function removal(found: Row<KeyRecord>, due: Row<Value> | undefined, fence: readonly Write[], by: PurgedBy, hsm: string, hsmIncarnation: string): Plan {
  const { incarnation, deletion } = found.value;
  const key: KeyIds = { name: found.row.slice(keyRow('').length), incarnation };
  const debt: KeyDebt = { ...key, hsm, hsmIncarnation, by };
  const ended = by === 'caller' && deletion ? [{ kind: 'endTimer', deletionId: deletion.deletionId } as const] : [];
  return {
    write: {
      table: 'keys',
      partition: hsmIncarnation,
      writes: [{ kind: 'delete', row: found.row, etag: found.etag }, ...removed(due), ...fence, { kind: 'insert', row: debtRow(incarnation), value: debt }],
    },
    removes: incarnation,
    hurry: [{ kind: 'erase', debt: { hsm, incarnation: hsmIncarnation, key } }, ...ended],
  };
}

/**
 * What closes the fence before purge protection is written into the HSM's record: after it no purge by hand can commit. The guard is written each time,
 * under the ETag that was read: so its age tells when somebody last closed, and whoever opens again meanwhile is noticed.
 */
export function closingFence(hsmIncarnation: string, { guard, open }: Fence): NonNullable<Plan['fence']> {
  const closed: Write = guard ? { kind: 'replace', row: GUARD_ROW, etag: guard.etag, value: {} } : { kind: 'insert', row: GUARD_ROW, value: {} };
  return { table: 'keys', partition: hsmIncarnation, writes: open ? [closed, { kind: 'delete', row: OPEN_ROW, etag: '*' }] : [closed] };
}

/** What opens it again over an HSM without protection, unless somebody has closed it anew since the guard was read. */
export const openingFence = (guard: Row<Value>): NonNullable<Plan['fence']> => ({
  table: 'keys',
  partition: guard.partition,
  writes: [
    { kind: 'replace', row: GUARD_ROW, etag: guard.etag, value: {} },
    { kind: 'insert', row: OPEN_ROW, value: {} },
  ],
});

const transaction = ({ hsm }: KeySetting, ...writes: readonly [Write, ...Write[]]): Plan['write'] => ({ table: 'keys', partition: hsm.incarnation, writes });

const replaced = (found: Row<KeyRecord>, record: KeyRecord): Write => ({ kind: 'replace', row: found.row, etag: found.etag, value: record as Value });

const removed = (row: Row<Value> | undefined): readonly Write[] => (row ? [{ kind: 'delete', row: row.row, etag: row.etag }] : []);

const windowFor = (operation: 'delete' | 'recover', { now, transitionSeconds }: KeySetting): { window?: Window } =>
  transitionSeconds > 0 ? { window: { operation, startedAt: now, readyAt: now + transitionSeconds } } : {};
