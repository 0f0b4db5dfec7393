// What is done at and after a deadline, by whichever hint came: expire one deletion of an HSM or a key, look at it for its timer, erase what a purged subject owned.
import type { Caller } from '../domain/armRoles';
import { refuse } from '../domain/errors';
import { expireKey as decideExpireKey, type FoundKey, type KeyDebt, type KeyRecord } from '../domain/key';
import { admit, isInWindow } from '../domain/lifecycle';
import { expireHsm, type Found, type HsmDebt, type HsmRecord, type PurgedBy, softDelete } from '../domain/managedHsm';
import type { Debt, Plan, Row, Table, Timer, Value, Write } from '../domain/plan';
import { standsIn } from '../domain/resourceGroup';
import { debtRow, dueRow, HSM_ROW, keyRow, ranges } from '../domain/rows';
import type { Instant } from '../domain/time';
import type { Clocked, Ports, Range } from '../ports';
import { commit, writeOnce } from './commit';
import { pages } from './pages';
import type { Parameters } from './parameters';

export type LookAnswer = { readonly kind: 'done' } | { readonly kind: 'lookAgain'; readonly lookAgainAt: Instant };
type Expired = 'done' | { readonly lookAgainAt: Instant };

export type Retention = ReturnType<typeof retention>;

/** Who the service itself is, in the stamps of records that it changes. */
const theService: Caller = { objectId: '', groups: [], groupsLeftOut: false, kind: 'Application', displayName: 'Microsoft.KeyVault' };

/** Old enough, by the storage's own clock, that no execution begun before the row was written can still land anything behind it. */
export const isSettled = (row: { readonly writtenAt: Instant }, passBeganAt: Instant, { functionTimeoutSeconds }: Pick<Parameters, 'functionTimeoutSeconds'>): boolean =>
  passBeganAt - row.writtenAt >= 2 * functionTimeoutSeconds;

export function retention(ports: Ports, parameters: Parameters) {
  const { store, queue, ids, hostClock } = ports;

  const readHsm = (name: string): Promise<Clocked<Found>> => store.row<HsmRecord>('hsms', name, HSM_ROW);

  const expiring = (decided: Plan | 'nothing' | { readonly lookAgainAt: Instant }) => {
    if (decided === 'nothing') return { answer: 'done' as const };
    return 'lookAgainAt' in decided ? { answer: decided } : { plan: decided, answer: 'done' as const };
  };

  /** Purges one deletion of an HSM if it is due by both clocks. Repeating it, or naming a deletion that is no more, does nothing. */
  const expire = (hsm: string, deletionId: string, by: PurgedBy): Promise<Expired> =>
    commit<Expired>(ports, async () => {
      const { found, now } = await readHsm(hsm);
      return expiring(expireHsm(found, deletionId, by, now, hostClock.now()));
    });

  /** The same for a key, whatever has become of its HSM meanwhile. */
  const expireKey = ({ hsm, incarnation, key }: { readonly hsm: string; readonly incarnation: string; readonly key: string }, deletionId: string, by: PurgedBy): Promise<Expired> =>
    commit<Expired>(ports, async () => {
      const { found, now }: Clocked<FoundKey> = await store.row<KeyRecord>('keys', incarnation, keyRow(key));
      const deletion = found?.value.deletion;
      const due = deletion?.deletionId === deletionId ? (await store.row<Value>('keys', incarnation, dueRow(deletion.purgeAt, deletionId))).found : undefined;
      return expiring(decideExpireKey(found, due, { deletionId, by, now, hostNow: hostClock.now() }, { name: hsm, incarnation }));
    });

  /**
   * The timer's question at its deadline. Before the `purgeAt` of its own input it always says look again, whatever it finds: timers fire early, the
   * write of the deletion may not have come yet, clocks differ.
   */
  async function look(timer: Timer): Promise<LookAnswer> {
    const { found, now } = await readHsm(timer.hsm);
    if (now < timer.purgeAt) return { kind: 'lookAgain', lookAgainAt: timer.purgeAt };
    if (found?.value.incarnation !== timer.incarnation) return { kind: 'done' };
    const { hsm, incarnation, key, deletionId } = timer;
    const answer = await (key ? expireKey({ hsm, incarnation, key: key.name }, deletionId, 'timer') : expire(hsm, deletionId, 'timer'));
    return answer === 'done' ? { kind: 'done' } : { kind: 'lookAgain', ...answer };
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
   * One clean-up message: erases a page of what a purged HSM or key owned and asks for the next, or, having read to the end and found nothing, closes
   * the debt once it is old enough. Without the debt's row nothing is erased; what `stateAt` says of anything is never asked.
   */
  async function erase(debt: Debt): Promise<'no debt' | 'erased a page' | 'nothing left' | 'closed'> {
    const [table, partition, owner] = debt.key ? (['keys', debt.incarnation, debt.key.incarnation] as const) : (['hsms', debt.hsm, debt.incarnation] as const);
    const { found, storageAt } = await store.row<HsmDebt | KeyDebt>(table, partition, debtRow(owner));
    if (!found) return 'no debt';
    for (const range of ownedBy(owedBy(found.value)))
      for await (const page of pages(store, range, parameters.erasePageRows))
        if (await eraseRows(range.table, page.found.rows)) {
          await queue.send(debt);
          return 'erased a page';
        }
    if (!isSettled(found, storageAt, parameters)) return 'nothing left';
    await writeOnce(ports, { table, partition, writes: [{ kind: 'delete', row: found.row, etag: found.etag }] });
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

  return { expire, expireKey, look, erase, softDeleteInGroup };
}

/** What is owed, from the debt's own row: a message only names it. */
const owedBy = (value: HsmDebt | KeyDebt): Debt =>
  'hsmIncarnation' in value
    ? { hsm: value.hsm, incarnation: value.hsmIncarnation, key: { name: value.name, incarnation: value.incarnation } }
    : { hsm: value.hsm, incarnation: value.incarnation };

/** All rows that belong to a purged HSM, or to a purged key beside its record: by incarnation, never by name alone. */
function ownedBy({ hsm, incarnation, key }: Debt): readonly Range[] {
  if (key)
    return [
      { table: 'keys', partition: incarnation, ...ranges.versions(key.incarnation) },
      { table: 'hsms', partition: hsm, ...ranges.assignmentsAtKey(key.name), where: { member: 'keyIncarnation', equals: key.incarnation } },
    ];
  const where = { member: 'incarnation', equals: incarnation };
  return [
    { table: 'keys', partition: incarnation, ...ranges.everything },
    { table: 'hsms', partition: hsm, ...ranges.assignmentsAndDefinitions, where },
    { table: 'hsms', partition: hsm, ...ranges.keyAssignments, where },
  ];
}
