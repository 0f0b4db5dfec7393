// Where each record and obligation lives: table, partition, row key (the table of rows in ARCHITECTURE.md). Pure addresses, no values.

/** The HSM's record, in the partition of its name. */
export const HSM_ROW = '!hsm';

/** The debt of a purged HSM, in the partition of its name. */
export const debtRow = (incarnation: string): string => `gone!${incarnation}`;

/** A local role assignment at / or /keys, in the partition of the HSM's name. */
export const assignmentRow = (name: string): string => `a!${name}`;

/** A resource group, in the partition of its subscription. */
export const groupRow = (group: string): string => `g!${group}`;

/** Ranges by row key: `from` inclusive, `to` exclusive. */
export const ranges = {
  /** In `hsms`: every HSM record and every debt of the whole table (`!hsm` and `gone!…` are apart; two ranges). */
  hsms: { from: HSM_ROW, to: '!hsm!' },
  debts: { from: 'gone!', to: 'gone"' },
  /** In `hsms`: all that an incarnation owns beside its record: assignments and definitions, then assignments at keys. */
  assignmentsAndDefinitions: { from: 'a!', to: 'd"' },
  keyAssignments: { from: 's!', to: 's"' },
  /** In `keys`: a whole partition. */
  everything: { from: '', to: '\uffff' },
  /** In `subscriptions`: ARM role assignments and definitions. */
  armRoles: { from: 'a!', to: 'd"' },
  groups: { from: 'g!', to: 'g"' },
} as const;
