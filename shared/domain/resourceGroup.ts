// A resource group and its deletion: first marked, then worked off, its row a debt until nothing can land in it any more.

import { refuse } from './errors';
import type { HsmRecord } from './managedHsm';
import { locationKey } from './names';
import type { Plan, Row, Transaction, Value } from './plan';
import { groupRow } from './rows';
import type { Instant } from './time';

export type GroupRecord = {
  /** As its creator wrote it; the row key has it in lower case. */
  readonly name: string;
  readonly location: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Marked: callers see it as gone, and the sweeper works it off. */
  readonly deleting?: { readonly since: Instant };
  readonly writeId?: string;
};

export type GroupPath = { readonly subscription: string; readonly group: string; readonly display: string };
export type FoundGroup = Row<GroupRecord> | undefined;

/** The group if callers see it. @throws ResourceGroupNotFound */
export function liveGroup(found: FoundGroup, display: string): GroupRecord {
  if (!found || found.value.deleting) throw refuse('ResourceGroupNotFound', { group: display });
  return found.value;
}

/** PUT: creates, or changes tags; a marked row is replaced at once, so that a tutorial's reader can make the group anew and recover into it. */
export function putGroup(
  found: FoundGroup,
  path: GroupPath,
  location: string,
  tags: GroupRecord['tags'] | undefined,
): { readonly plan: Plan; readonly record: GroupRecord; readonly created: boolean } {
  const live = found && !found.value.deleting ? found.value : undefined;
  if (live && locationKey(live.location) !== locationKey(location)) throw refuse('GroupLocationFixed', { group: live.name, location: live.location });
  const record: GroupRecord = live ? { ...live, tags: tags ?? live.tags } : { name: path.display, location: locationKey(location), tags: tags ?? {} };
  return { record, created: !live, plan: writing(path, found, record) };
}

/** Marks a group as being deleted; one that is marked already needs no plan. @throws ResourceGroupNotFound */
export function markGroup(found: FoundGroup, path: GroupPath, now: Instant): Plan | undefined {
  if (!found) throw refuse('ResourceGroupNotFound', { group: path.display });
  return found.value.deleting ? undefined : writing(path, found, { ...found.value, deleting: { since: now } });
}

/** Removes a marked row that nothing can land behind any more. */
export const closeGroup = (found: Row<GroupRecord>): Transaction => ({
  table: 'subscriptions',
  partition: found.partition,
  writes: [{ kind: 'delete', row: found.row, etag: found.etag }],
});

/** Whether an HSM stands in a group. */
export const standsIn = (record: HsmRecord, group: { readonly partition: string; readonly row: string }): boolean =>
  record.subscription === group.partition && groupRow(record.group.toLowerCase()) === group.row;

const writing = (path: GroupPath, found: FoundGroup, record: GroupRecord): Plan => {
  const row = groupRow(path.group);
  const value = record as Value;
  return {
    write: { table: 'subscriptions', partition: path.subscription, writes: [found ? { kind: 'replace', row, etag: found.etag, value } : { kind: 'insert', row, value }] },
    hurry: [],
  };
};
