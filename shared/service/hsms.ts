// The control plane's work on managed HSMs: read, decide, commit. What an operation's result is, is derived from stored instants; there are no jobs.
import type { Caller } from '../domain/armRoles';
import { refuse } from '../domain/errors';
import type { HsmRequest } from '../domain/hsmSettings';
import { closingFence } from '../domain/key';
import { stateAt } from '../domain/lifecycle';
import {
  activeAt,
  type CoinedHsm,
  type DeletedHsmPath,
  deletedAt,
  deleteHsm,
  type Found,
  type HsmPath,
  type HsmRecord,
  isAt,
  isDeletedAt,
  nameRefusal,
  patchHsm,
  purgeHsm,
  putHsm,
  type Setting,
  switchesProtectionOn,
} from '../domain/managedHsm';
import { hsmKey } from '../domain/names';
import type { Plan } from '../domain/plan';
import { HSM_ROW, ranges } from '../domain/rows';
import type { Instant } from '../domain/time';
import type { Clocked, Ports } from '../ports';
import { commit } from './commit';
import { deletionIds } from './deletionIds';
import { readFence } from './fence';
import type { Parameters } from './parameters';
import type { Retention } from './retention';

/** A record as it stands at `now`. */
export type Seen = { readonly record: HsmRecord; readonly now: Instant };
/** An accepted command: the record after it, and when its operation ends. */
export type Accepted = Seen & { readonly readyAt: Instant };
/** A page of a list; `next` is the name after which the next page begins. */
export type Listed = { readonly items: readonly Seen[]; readonly next?: string };
export type ListPage = { readonly limit?: number; readonly after?: string };

export type Hsms = ReturnType<typeof hsms>;

/** Rows fetched by one storage request of a list. */
const LIST_PAGE_ROWS = 1000;

export function hsms(ports: Ports, parameters: Parameters, retention: Pick<Retention, 'expire'>) {
  const { store, ids, sealing } = ports;

  /** One point read: the record, and the storage's clock at that read. A text that is no name reads nothing but the clock. */
  const read = (name: string | undefined): Promise<Clocked<Found>> => store.row<HsmRecord>('hsms', name ?? '-', HSM_ROW);

  const setting = (caller: Caller, now: Instant): Setting => ({
    caller,
    now,
    newId: ids.guid,
    tenantId: parameters.tenantId,
    daySeconds: parameters.daySeconds,
    lroSeconds: parameters.lroSeconds,
    grantsAtCreation: parameters.grantsAtCreation,
  });

  /** Incarnation and sealing key of the HSM that a command may create: made when first needed, one per command. */
  const coinOnce = (name: string | undefined) => {
    let coined: CoinedHsm | undefined;
    return async (found: Found, now: Instant): Promise<CoinedHsm | undefined> => {
      if (name === undefined || !['absent', 'overdue'].includes(stateAt(found?.value, now))) return undefined;
      const incarnation = coined?.incarnation ?? ids.guid();
      coined ??= { incarnation, wrappedSealingKey: await sealing.newSealingKey({ hsm: name, incarnation }) };
      return coined;
    };
  };

  /** Before purge protection is written into the record, the keys' fence is closed. */
  const fenced = async (found: Found, { plan, record }: { readonly plan: Plan | undefined; readonly record: HsmRecord }): Promise<Plan | undefined> => {
    if (!plan || !switchesProtectionOn(found, record)) return plan;
    return { ...plan, fence: closingFence(record.incarnation, await readFence(store, record.incarnation)) };
  };

  /** The first decision uses what the request's own read brought, each later one reads anew. */
  const reading =
    (name: string | undefined, first: Clocked<Found> | undefined) =>
    async (attempt: number): Promise<Clocked<Found>> =>
      (attempt === 0 && first) || read(name);

  const readyAt = (record: HsmRecord, now: Instant): Instant => record.window?.readyAt ?? now;

  return {
    read,

    /** PUT. @throws the refusals of {@link putHsm}; Contended when the name is overdue and cannot be expired yet */
    async put(path: HsmPath, request: HsmRequest, caller: Caller, first?: Clocked<Found>): Promise<Accepted> {
      const coin = coinOnce(path.name);
      const next = reading(path.name, first);
      return commit(ports, async (attempt) => {
        let { found, now } = await next(attempt);
        let decided = putHsm(found, path, request, await coin(found, now), setting(caller, now));
        if (decided === 'expire' && found?.value.deletion) {
          // No plan replaces a record by another incarnation: the overdue one goes first, in its own transaction.
          if ((await retention.expire(found.partition, found.value.deletion.deletionId, 'create')) !== 'done') throw refuse('Contended');
          ({ found, now } = await read(path.name));
          decided = putHsm(found, path, request, await coin(found, now), setting(caller, now));
        }
        if (decided === 'expire') throw refuse('Contended');
        return { plan: await fenced(found, decided), answer: { record: decided.record, now, readyAt: readyAt(decided.record, now) } };
      });
    },

    /** PATCH. @throws HsmNotFound and the refusals of values */
    async patch(path: HsmPath, request: HsmRequest, caller: Caller, first?: Clocked<Found>): Promise<Accepted> {
      const next = reading(path.name, first);
      return commit(ports, async (attempt) => {
        const { found, now } = await next(attempt);
        const decided = patchHsm(found, path, request, setting(caller, now));
        const { record } = decided;
        return { plan: await fenced(found, decided), answer: { record, now, readyAt: readyAt(record, now) } };
      });
    },

    /** DELETE. @returns undefined when there was nothing to delete */
    async remove(path: HsmPath, caller: Caller, first?: Clocked<Found>): Promise<Accepted | undefined> {
      const idFor = deletionIds(ids);
      const next = reading(path.name, first);
      return commit<Accepted | undefined>(ports, async (attempt) => {
        const { found, now } = await next(attempt);
        const decided = deleteHsm(found, path, idFor(found?.value.incarnation), setting(caller, now));
        return decided ? { plan: decided.plan, answer: { record: decided.record, now, readyAt: readyAt(decided.record, now) } } : { answer: undefined };
      });
    },

    /** POST purge. @throws DeletedHsmNotFound, MethodNotAllowed */
    async purge(path: DeletedHsmPath, first?: Clocked<Found>): Promise<Accepted> {
      const next = reading(path.name, first);
      return commit(ports, async (attempt) => {
        const { found, now } = await next(attempt);
        const plan = purgeHsm(found, path, now);
        return { plan, answer: { record: (found as NonNullable<Found>).value, now, readyAt: now + parameters.lroSeconds('purge') } };
      });
    },

    /** @throws HsmNotFound */
    show: ({ found, now }: Clocked<Found>, path: HsmPath): Seen => ({ record: activeAt(found, path, now), now }),

    /** @throws DeletedHsmNotFound */
    showDeleted: ({ found, now }: Clocked<Found>, path: DeletedHsmPath): Seen => ({ record: deletedAt(found, path, now), now }),

    /** Live HSMs of a subscription or of one of its groups. Scans the HSM rows of the table: fine to some 10,000 HSMs. */
    list: (subscription: string, group: string | undefined, page: ListPage): Promise<Listed> =>
      scan(subscription, page, (record, now) => stateAt(record, now) === 'active' && (group === undefined || isAt(record, { subscription, group }))),

    /** Soft-deleted HSMs of a subscription. */
    listDeleted: (subscription: string, page: ListPage): Promise<Listed> => scan(subscription, page, (record, now) => stateAt(record, now) === 'deleted'),

    /** Why a name cannot be had; undefined if it can. */
    async nameRefusal(name: string): Promise<'AlreadyExists' | 'AccountNameInvalid' | undefined> {
      const { found, now } = await read(hsmKey(name));
      return nameRefusal(name, found, now);
    },

    /**
     * The resource behind the result of a PUT or PATCH that has ended.
     * @throws HsmNotFound when that incarnation is no more, or the path is not its own
     */
    result(
      { found, now }: Clocked<Found>,
      path: { readonly subscription: string; readonly location: string },
      incarnation: string,
      names: { readonly name: string; readonly group: string },
    ): Seen {
      const record = found?.value;
      if (
        !record ||
        record.incarnation !== incarnation ||
        !isDeletedAt(record, path) ||
        record.group.toLowerCase() !== names.group.toLowerCase() ||
        stateAt(record, now) !== 'active'
      )
        throw refuse('HsmNotFound', names);
      return { record, now };
    },
  };

  async function scan(subscription: string, { limit = Number.POSITIVE_INFINITY, after }: ListPage, shows: (record: HsmRecord, now: Instant) => boolean): Promise<Listed> {
    const range = { table: 'hsms', ...ranges.hsms, where: { member: 'subscription', equals: subscription }, ...(after !== undefined && { afterPartition: after }) } as const;
    const items: Seen[] = [];
    let next: string | undefined;
    let last = '';
    do {
      const { found, now } = await store.page<HsmRecord>(range, LIST_PAGE_ROWS, next);
      for (const { value, partition } of found.rows) {
        if (!shows(value, now)) continue;
        if (items.length === limit) return { items, next: last };
        items.push({ record: value, now });
        last = partition;
      }
      next = found.next;
    } while (next !== undefined);
    return { items };
  }
}
