// What is done at and after the deadline, by whichever hint came: expire one deletion, look at it for its timer, sweep everything that is due, erase what a purged HSM owned.

import type { Caller } from '../domain/armRoles';
import { refuse } from '../domain/errors';
import { admit, isInWindow, stateAt } from '../domain/lifecycle';
import type { HsmDebt, HsmRecord, PurgedBy } from '../domain/managedHsm';
import { expireHsm, type Found, softDelete } from '../domain/managedHsm';
import type { Debt, Row, Table, Timer, Value, Write } from '../domain/plan';
import { closeGroup, type GroupRecord, standsIn } from '../domain/resourceGroup';
import { debtRow, HSM_ROW, ranges } from '../domain/rows';
import type { Instant } from '../domain/time';
import type { Clocked, Ports, Range } from '../ports';
import { commit, writeOnce } from './commit';
import type { Parameters } from './parameters';

export type LookAnswer = { readonly kind: 'done' } | { readonly kind: 'lookAgain'; readonly lookAgainAt: Instant };
export type SweepReport = { readonly expired: number; readonly debtsSent: number; readonly groupsClosed: number; readonly softDeleted: number; readonly failed: number };

export type Retention = ReturnType<typeof retention>;

/** Who the service itself is, in the stamps of records that it changes. */
const theService: Caller = { objectId: '', groups: [], groupsLeftOut: false, kind: 'Application', displayName: 'Microsoft.KeyVault' };

/** Rows fetched by one storage request of a sweep. */
const SWEEP_PAGE_ROWS = 1000;

export function retention(ports: Ports, parameters: Parameters) {
  const { store, queue, ids, hostClock, log } = ports;

  const readHsm = (name: string): Promise<Clocked<Found>> => store.row<HsmRecord>('hsms', name, HSM_ROW);

  /** Old enough that no execution begun before the debt was written can still land anything behind it. */
  const isSettled = (debt: { readonly writtenAt: Instant }, passBeganAt: Instant): boolean => passBeganAt - debt.writtenAt >= 2 * parameters.functionTimeoutSeconds;

  /** Purges one deletion if it is due by both clocks. Repeating it, or naming a deletion that is no more, does nothing. */
  async function expire(hsm: string, deletionId: string, by: PurgedBy): Promise<'done' | { readonly lookAgainAt: Instant }> {
    return commit<'done' | { readonly lookAgainAt: Instant }>(ports, async () => {
      const { found, now } = await readHsm(hsm);
      const decided = expireHsm(found, deletionId, by, now, hostClock.now());
      if (decided === 'nothing') return { answer: 'done' };
      return 'lookAgainAt' in decided ? { answer: decided } : { plan: decided, answer: 'done' };
    });
  }

  /**
   * The timer's question at its deadline. Before the `purgeAt` of its own input it always says look again, whatever it finds: timers fire early, the
   * write of the deletion may not have come yet, clocks differ.
   */
  async function look(timer: Timer): Promise<LookAnswer> {
    const { found, now } = await readHsm(timer.hsm);
    if (now < timer.purgeAt) return { kind: 'lookAgain', lookAgainAt: timer.purgeAt };
    if (found?.value.incarnation !== timer.incarnation) return { kind: 'done' };
    const answer = await expire(timer.hsm, timer.deletionId, 'timer');
    return answer === 'done' ? { kind: 'done' } : { kind: 'lookAgain', ...answer };
  }

  /** Does what every lost hint would have done. One failing entry does not stop it. Its cost grows with the number of HSMs and groups. */
  async function sweep(): Promise<SweepReport> {
    // Groups first: what is found in a group afterwards was there, or landed, after its pass began.
    const groups = await markedGroups();
    const counts = { expired: 0, softDeleted: 0, groupsClosed: 0, debtsSent: 0, failed: 0 };
    const attempt = async (counted: keyof typeof counts, entry: string, work: () => Promise<boolean>): Promise<void> => {
      try {
        if (await work()) counts[counted] += 1;
      } catch {
        counts.failed += 1;
        log('error', `sweep: ${counted} failed for ${entry}`);
      }
    };
    for await (const { found, now } of pages<HsmRecord>({ table: 'hsms', ...ranges.hsms }, SWEEP_PAGE_ROWS))
      for (const { partition, value } of found.rows) {
        const { deletion, incarnation } = value;
        const state = stateAt(value, now);
        if (state === 'overdue' && deletion) await attempt('expired', deletion.deletionId, async () => (await expire(partition, deletion.deletionId, 'sweeper')) === 'done');
        const group = state === 'active' ? groups.find(({ row }) => standsIn(value, row)) : undefined;
        if (!group) continue;
        group.holdsHsm = true;
        await attempt('softDeleted', incarnation, () => softDeleteInGroup(partition, incarnation, group.row));
      }
    for (const { row, passBeganAt, holdsHsm } of groups)
      if (!holdsHsm && isSettled(row, passBeganAt)) await attempt('groupsClosed', row.row, async () => (await writeOnce(ports, closeGroup(row))) === 'stored');
    for await (const { found } of pages<HsmDebt>({ table: 'hsms', ...ranges.debts }, SWEEP_PAGE_ROWS))
      for (const { hsm, incarnation } of found.rows.map((row) => row.value))
        await attempt('debtsSent', incarnation, async () => {
          await queue.send({ hsm, incarnation });
          return true;
        });
    return counts;
  }

  async function markedGroups(): Promise<{ readonly row: Row<GroupRecord>; readonly passBeganAt: Instant; holdsHsm: boolean }[]> {
    const marked = [];
    for await (const { found, storageAt } of pages<GroupRecord>({ table: 'subscriptions', ...ranges.groups }, SWEEP_PAGE_ROWS))
      marked.push(...found.rows.filter(({ value }) => value.deleting).map((row) => ({ row, passBeganAt: storageAt, holdsHsm: false })));
    return marked;
  }

  /** Soft-deletes an HSM together with its group, if it still stands live in it and no operation on it is under way (a later sweep comes back). @returns whether this call did it */
  async function softDeleteInGroup(hsm: string, incarnation: string, group: { readonly partition: string; readonly row: string }, caller: Caller = theService): Promise<boolean> {
    const deletionId = ids.guid();
    return commit<boolean>(ports, async () => {
      const { found, now } = await readHsm(hsm);
      if (!found || found.value.incarnation !== incarnation || !standsIn(found.value, group) || isInWindow(found.value, now) || admit(found.value, 'delete', now) !== 'delete')
        return { answer: false };
      return { plan: softDelete(found, deletionId, { caller, now, newId: ids.guid, ...parameters }).plan, answer: true };
    });
  }

  /**
   * One clean-up message: erases a page of what a purged HSM owned and asks for the next, or, having read to the end and found nothing, closes the
   * debt once it is old enough. Without the debt's row nothing is erased; what `stateAt` says of anything is never asked.
   */
  async function erase(debt: Debt): Promise<'no debt' | 'erased a page' | 'nothing left' | 'closed'> {
    const { found, storageAt } = await store.row<HsmDebt>('hsms', debt.hsm, debtRow(debt.incarnation));
    if (!found) return 'no debt';
    const owned: readonly Range[] = [
      { table: 'keys', partition: debt.incarnation, ...ranges.everything },
      { table: 'hsms', partition: debt.hsm, ...ranges.assignmentsAndDefinitions, where: { member: 'incarnation', equals: debt.incarnation } },
      { table: 'hsms', partition: debt.hsm, ...ranges.keyAssignments, where: { member: 'incarnation', equals: debt.incarnation } },
    ];
    for (const range of owned)
      for await (const page of pages(range, parameters.erasePageRows))
        if (await eraseRows(range.table, page.found.rows)) {
          await queue.send(debt);
          return 'erased a page';
        }
    if (!isSettled(found, storageAt)) return 'nothing left';
    await writeOnce(ports, { table: 'hsms', partition: debt.hsm, writes: [{ kind: 'delete', row: found.row, etag: found.etag }] });
    return 'closed';
  }

  /** Each row under its own ETag: one that changed since keeps the page. @returns whether there were any. @throws Unavailable when the page is not known to be erased */
  async function eraseRows(table: Table, rows: readonly Row<Value>[]): Promise<boolean> {
    const [first, ...others] = rows.map(({ row, etag }): Write => ({ kind: 'delete', row, etag }));
    if (!first || !rows[0]) return false;
    // Not known to be erased: the queue brings the message back, later each time, and at last as poison. Refused is known: another message was quicker.
    if ((await writeOnce(ports, { table, partition: rows[0].partition, writes: [first, ...others] })) === 'unknown') throw refuse('Unavailable');
    return true;
  }

  /** Every page of a range to its end; empty pages come too. */
  async function* pages<V extends Value>(range: Range, limit: number) {
    let next: string | undefined;
    do {
      const page = await store.page<V>(range, limit, next);
      yield page;
      next = page.found.next;
    } while (next !== undefined);
  }

  return { expire, look, sweep, erase, softDeleteInGroup };
}
