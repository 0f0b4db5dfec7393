// The sweeper: does what every lost hint would have done. Its cost grows with the number of HSMs and groups, not with what waits.

import { type KeyDebt, type KeyDue, openingFence } from '../domain/key';
import { stateAt } from '../domain/lifecycle';
import type { HsmDebt, HsmRecord } from '../domain/managedHsm';
import type { Debt, Row, Value } from '../domain/plan';
import { closeGroup, type GroupRecord, standsIn } from '../domain/resourceGroup';
import { GUARD_ROW, HSM_ROW, OPEN_ROW, ranges } from '../domain/rows';
import type { Instant } from '../domain/time';
import type { Ports } from '../ports';
import { writeOnce } from './commit';
import { pages } from './pages';
import type { Parameters } from './parameters';
import { isSettled, type Retention } from './retention';

type Counts = { expired: number; softDeleted: number; groupsClosed: number; debtsSent: number; guardsHealed: number; failed: number };
export type SweepReport = Readonly<Counts>;

/** Rows fetched by one storage request of a sweep. */
const SWEEP_PAGE_ROWS = 1000;

type MarkedGroup = { readonly row: Row<GroupRecord>; readonly passBeganAt: Instant; holdsHsm: boolean };

export function sweeper(ports: Ports, parameters: Parameters, { expire, expireKey, softDeleteInGroup }: Pick<Retention, 'expire' | 'expireKey' | 'softDeleteInGroup'>) {
  const { store, queue, log } = ports;
  const settled = (row: { readonly writtenAt: Instant }, at: Instant): boolean => isSettled(row, at, parameters);

  /** One failing entry does not stop it. */
  async function sweep(): Promise<SweepReport> {
    const counts: Counts = { expired: 0, softDeleted: 0, groupsClosed: 0, debtsSent: 0, guardsHealed: 0, failed: 0 };
    const attempt = async (counted: keyof Counts, entry: string, work: () => Promise<boolean>): Promise<void> => {
      try {
        if (await work()) counts[counted] += 1;
      } catch {
        counts.failed += 1;
        log('error', `sweep: ${counted} failed for ${entry}`);
      }
    };
    // Groups first: what is found in a group afterwards was there, or landed, after its pass began.
    const groups = await markedGroups();
    for await (const { found, now } of pages<HsmRecord>(store, { table: 'hsms', ...ranges.hsms }, SWEEP_PAGE_ROWS))
      for (const { partition, value } of found.rows) {
        const { deletion, incarnation } = value;
        const state = stateAt(value, now);
        if (state === 'overdue' && deletion) {
          let isGone = false;
          await attempt('expired', deletion.deletionId, async () => {
            isGone = (await expire(partition, deletion.deletionId, 'sweeper')) === 'done';
            return isGone;
          });
          // Its keys go with it; but as long as it stands (the host's clock, a lost answer) they have their own dates.
          if (isGone) continue;
        }
        const group = state === 'active' ? groups.find(({ row }) => standsIn(value, row)) : undefined;
        if (group) {
          group.holdsHsm = true;
          await attempt('softDeleted', incarnation, () => softDeleteInGroup(partition, incarnation, group.row));
        }
        await attempt('failed', incarnation, () => sweepKeys(partition, value, now, attempt));
      }
    for (const { row, passBeganAt, holdsHsm } of groups)
      if (!holdsHsm && settled(row, passBeganAt)) await attempt('groupsClosed', row.row, async () => (await writeOnce(ports, closeGroup(row))) === 'stored');
    for await (const { found } of pages<HsmDebt>(store, { table: 'hsms', ...ranges.debts }, SWEEP_PAGE_ROWS))
      for (const { hsm, incarnation } of found.rows.map((row) => row.value)) await attempt('debtsSent', incarnation, () => sent({ hsm, incarnation }));
    return counts;
  }

  async function sent(debt: Debt): Promise<boolean> {
    await queue.send(debt);
    return true;
  }

  async function markedGroups(): Promise<MarkedGroup[]> {
    const marked: MarkedGroup[] = [];
    for await (const { found, storageAt } of pages<GroupRecord>(store, { table: 'subscriptions', ...ranges.groups }, SWEEP_PAGE_ROWS))
      marked.push(...found.rows.filter(({ value }) => value.deleting).map((row) => ({ row, passBeganAt: storageAt, holdsHsm: false })));
    return marked;
  }

  /** The keys of one stored HSM, active or deleted: what is due by now, debts and the guard (one range), and whether the fence stands open. */
  async function sweepKeys(
    hsm: string,
    record: HsmRecord,
    now: Instant,
    attempt: (counted: keyof Counts, entry: string, work: () => Promise<boolean>) => Promise<void>,
  ): Promise<boolean> {
    const partition = record.incarnation;
    for await (const { found } of pages<KeyDue>(store, { table: 'keys', partition, ...ranges.dueBy(now) }, SWEEP_PAGE_ROWS))
      for (const { name, deletionId } of found.rows.map((row) => row.value))
        await attempt('expired', deletionId, async () => (await expireKey({ hsm, incarnation: partition, key: name }, deletionId, 'sweeper')) === 'done');
    for await (const { found, storageAt } of pages<Value>(store, { table: 'keys', partition, ...ranges.debtsAndGuard }, SWEEP_PAGE_ROWS))
      for (const row of found.rows)
        if (row.row === GUARD_ROW) await attempt('guardsHealed', partition, () => heal(hsm, row, storageAt));
        else {
          const { name, incarnation } = row.value as KeyDebt;
          await attempt('debtsSent', incarnation, () => sent({ hsm, incarnation: partition, key: { name, incarnation } }));
        }
    return false;
  }

  /**
   * A guard that is closed over an HSM without protection: whoever closed it was refused, or died, before the record was written. The record is touched
   * under its ETag first, so that a protection on its way fails; only then the fence is opened again.
   */
  async function heal(hsm: string, guard: Row<Value>, storageAt: Instant): Promise<boolean> {
    const [{ found: open }, { found: record }] = await Promise.all([store.row<Value>('keys', guard.partition, OPEN_ROW), store.row<HsmRecord>('hsms', hsm, HSM_ROW)]);
    if (open || !record || record.value.incarnation !== guard.partition || record.value.settings.purgeProtection || !settled(guard, storageAt)) return false;
    const touched = await writeOnce(ports, { table: 'hsms', partition: hsm, writes: [{ kind: 'replace', row: HSM_ROW, etag: record.etag, value: record.value }] });
    return touched === 'stored' && (await writeOnce(ports, openingFence(guard))) === 'stored';
  }

  return { sweep };
}
