// Where each record and obligation lives: table, partition, row key (the table of rows in ARCHITECTURE.md). Pure addresses, no values.
import { type Instant, toText } from './time';

/** The HSM's record, in the partition of its name. */
export const HSM_ROW = '!hsm';

/** The debt of a purged HSM, in the partition of its name. */
export const debtRow = (incarnation: string): string => `gone!${incarnation}`;

/** A local role assignment at / or /keys, in the partition of the HSM's name. */
export const assignmentRow = (name: string): string => `a!${name}`;

/** A resource group, in the partition of its subscription. */
export const groupRow = (group: string): string => `g!${group}`;

/** A key with its whole current version, in the partition of its HSM's incarnation. */
export const keyRow = (name: string): string => `k!${name}`;

/** An older version of a key. */
export const versionRow = (keyIncarnation: string, version: string): string => `v!${keyIncarnation}!${version}`;

/** The obligation to purge a deleted key, in the order of dates. */
export const dueRow = (purgeAt: Instant, deletionId: string): string => `due!${toText(purgeAt)}!${deletionId}`;

/** A local role assignment at one key, in the partition of the HSM's name. */
export const keyAssignmentRow = (key: string, name: string): string => `s!${key}!${name}`;

/** The fence of purge protection: `guard` once anything needed it, `open` while keys may be purged by hand. */
export const GUARD_ROW = 'guard';
export const OPEN_ROW = 'open';

/** Ranges by row key: `from` inclusive, `to` exclusive. */
export const ranges = {
  /** In `hsms`: every HSM record and every debt of the whole table (`!hsm` and `gone!…` are apart; two ranges). */
  hsms: { from: HSM_ROW, to: '!hsm!' },
  debts: { from: 'gone!', to: 'gone"' },
  /** In `hsms`: all that an incarnation owns beside its record: assignments and definitions, then assignments at keys. */
  assignmentsAndDefinitions: { from: 'a!', to: 'd"' },
  keyAssignments: { from: 's!', to: 's"' },
  /** In `hsms`: the record and the caller's rights in one read. */
  recordAndRights: { from: HSM_ROW, to: 'g' },
  /** In `hsms`: assignments at one key. */
  assignmentsAtKey: (key: string) => ({ from: `s!${key}!`, to: `s!${key}"` }),
  /** In `keys`: keys, the versions of one, what is due by an instant, debts. */
  keys: { from: 'k!', to: 'k"' },
  versions: (keyIncarnation: string) => ({ from: `v!${keyIncarnation}!`, to: `v!${keyIncarnation}"` }),
  dueBy: (now: Instant) => ({ from: 'due!', to: `due!${toText(now)}"` }),
  /** In `keys`: debts, then the guard. */
  debtsAndGuard: { from: 'gone!', to: 'guarda' },
  /** In `keys`: a whole partition. */
  everything: { from: '', to: '\uffff' },
  /** In `subscriptions`: ARM role assignments and definitions. */
  armRoles: { from: 'a!', to: 'd"' },
  groups: { from: 'g!', to: 'g"' },
} as const;
