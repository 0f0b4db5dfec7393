// What the tables say of HSMs when the dust has settled: the state of one, and every way in which rows contradict design.md's invariants. It reads rows, never through the service.
import { fromColumns } from '../../shared/adapters/tableLayout';
import type { HsmDebt, HsmRecord, LocalAssignment, PurgedBy } from '../../shared/domain/managedHsm';
import { HSM_ROW } from '../../shared/domain/rows';
import { DAY_SECONDS } from '../../shared/domain/time';
import type { StoredRow } from './storage';

export type HsmState = {
  readonly record: 'none' | 'live' | 'deleted';
  readonly retentionDays?: number;
  /** Its tag `by`. */
  readonly by?: string;
  readonly isOpen?: boolean;
  readonly isProtected?: boolean;
  /** Rows of administrators of the record's own incarnation. */
  readonly administrators: number;
  /** Who purged, for each debt under the name. */
  readonly debts: readonly PurgedBy[];
};

type Partition = {
  readonly record: HsmRecord | undefined;
  readonly assignments: readonly LocalAssignment[];
  readonly debts: readonly HsmDebt[];
  readonly others: readonly string[];
};

/** @param rows of the table `hsms` */
export function partitionOf(rows: readonly StoredRow[], name: string): Partition {
  const own = rows.filter(({ partitionKey }) => partitionKey === name);
  const valuesOf = <V>(prefix: string) => own.filter(({ rowKey }) => rowKey.startsWith(prefix)).map((row) => fromColumns(row) as V);
  return {
    record: valuesOf<HsmRecord>(HSM_ROW)[0],
    assignments: valuesOf<LocalAssignment>('a!'),
    debts: valuesOf<HsmDebt>('gone!'),
    others: own.map(({ rowKey }) => rowKey).filter((key) => !/^(!hsm$|a!|gone!)/.test(key)),
  };
}

/** @param rows of the table `hsms` */
export function stateOf(rows: readonly StoredRow[], name: string): HsmState {
  const { record, assignments, debts } = partitionOf(rows, name);
  const by = debts.map((debt) => debt.by);
  if (!record) return { record: 'none', administrators: 0, debts: by };
  const { settings, deletion, incarnation } = record;
  return {
    record: deletion ? 'deleted' : 'live',
    retentionDays: settings.retentionDays,
    ...(settings.tags.by !== undefined && { by: settings.tags.by }),
    isOpen: settings.publicNetworkAccess === 'Enabled',
    isProtected: settings.purgeProtection,
    administrators: assignments.filter((assignment) => assignment.incarnation === incarnation).length,
    debts: by,
  };
}

/**
 * Every contradiction among the rows of the table `hsms`, a line each: a deletion with another date than its own (I9), an HSM without one of its
 * administrators, a debt of what is not purged, rows that nothing owns and no debt will erase.
 */
export function contradictions(rows: readonly StoredRow[]): readonly string[] {
  return [...new Set(rows.map(({ partitionKey }) => partitionKey))].flatMap((name) => {
    const { record, assignments, debts, others } = partitionOf(rows, name);
    const principals = assignments.filter(({ incarnation }) => incarnation === record?.incarnation).map(({ principalId }) => principalId);
    const deletion = record?.deletion;
    const owners = [record?.incarnation, ...debts.map(({ incarnation }) => incarnation)];
    return [
      deletion && deletion.purgeAt !== deletion.deletedAt + (record?.settings.retentionDays ?? 0) * DAY_SECONDS && 'its deletion has a date that is not its own',
      record && !isSame(principals, record.settings.administrators) && 'its administrators are not those it was created with',
      debts.some(({ incarnation }) => incarnation === record?.incarnation) && 'a debt of what is not purged',
      assignments.some(({ incarnation }) => !owners.includes(incarnation)) && 'an assignment that nothing owns and no debt will erase',
      others.length > 0 && `rows of no known kind: ${others.join(' ')}`,
    ].flatMap((line) => (line ? [`${name}: ${line}`] : []));
  });
}

/** Names under which something is left that no stored record owns, but for debts: rows that are still to be erased. */
export const unerased = (rows: readonly StoredRow[]): readonly string[] =>
  [...new Set(rows.map(({ partitionKey }) => partitionKey))].filter((name) => {
    const { record, assignments } = partitionOf(rows, name);
    return assignments.some(({ incarnation }) => incarnation !== record?.incarnation);
  });

const isSame = (one: readonly string[], other: readonly string[]): boolean => one.length === other.length && [...one].sort().join() === [...other].sort().join();
