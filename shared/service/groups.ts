// Subscriptions and resource groups: what stands around the HSMs. Deleting a group marks it first, then soft-deletes what is in it; the sweeper works off the rest.
import type { ArmAssignment, Caller } from '../domain/armRoles';
import { stateAt } from '../domain/lifecycle';
import type { HsmRecord } from '../domain/managedHsm';
import { type FoundGroup, type GroupPath, type GroupRecord, liveGroup, markGroup, putGroup, standsIn } from '../domain/resourceGroup';
import { groupRow, ranges } from '../domain/rows';
import type { Clocked, Ports } from '../ports';
import { commit } from './commit';
import { pages } from './pages';
import type { Retention } from './retention';

export type Groups = ReturnType<typeof groups>;

/** Rows fetched by one storage request. */
const PAGE_ROWS = 1000;

export function groups(ports: Ports, retention: Pick<Retention, 'softDeleteInGroup'>) {
  const { store } = ports;

  /** One point read of a group's row. */
  const read = (subscription: string, group: string | undefined): Promise<Clocked<FoundGroup>> => store.row<GroupRecord>('subscriptions', subscription, groupRow(group ?? ''));

  return {
    read,

    /** PUT. @throws GroupLocationFixed */
    put: (path: GroupPath, location: string, tags: GroupRecord['tags'] | undefined): Promise<{ readonly record: GroupRecord; readonly created: boolean }> =>
      commit(ports, async () => {
        const { found } = await read(path.subscription, path.group);
        const { plan, ...answer } = putGroup(found, path, location, tags);
        return { plan, answer };
      }),

    /** @throws ResourceGroupNotFound */
    show: async (path: GroupPath): Promise<GroupRecord> => liveGroup((await read(path.subscription, path.group)).found, path.display),

    async list(subscription: string): Promise<readonly GroupRecord[]> {
      const live: GroupRecord[] = [];
      for await (const { found } of pages<GroupRecord>(store, { table: 'subscriptions', partition: subscription, ...ranges.groups }, PAGE_ROWS))
        live.push(...found.rows.map((row) => row.value).filter((group) => !group.deleting));
      return live;
    },

    /** DELETE: marks the group, then soft-deletes every HSM in it. A repeat resumes. @throws ResourceGroupNotFound */
    async remove(path: GroupPath, caller: Caller): Promise<void> {
      await commit(ports, async () => {
        const { found, now } = await read(path.subscription, path.group);
        return { plan: markGroup(found, path, now), answer: undefined };
      });
      const group = { partition: path.subscription, row: groupRow(path.group) };
      for await (const { found, now } of pages<HsmRecord>(store, { table: 'hsms', ...ranges.hsms, where: { member: 'subscription', equals: path.subscription } }, PAGE_ROWS))
        for (const { partition, value } of found.rows)
          if (standsIn(value, group) && stateAt(value, now) === 'active') await retention.softDeleteInGroup(partition, value.incarnation, group, caller);
    },

    /** The ARM role assignments of a subscription. */
    async assignments(subscription: string): Promise<readonly ArmAssignment[]> {
      const found: ArmAssignment[] = [];
      for await (const page of pages<ArmAssignment>(store, { table: 'subscriptions', partition: subscription, ...ranges.armRoles }, PAGE_ROWS))
        found.push(...page.found.rows.map((row) => row.value));
      return found;
    },
  };
}
