// A resource group: created, changed, marked as being deleted, replaced while marked, closed; and which HSMs stand in it.
import { closeGroup, type FoundGroup, type GroupPath, type GroupRecord, liveGroup, markGroup, putGroup, standsIn } from '../../shared/domain/resourceGroup';
import { at, contoso, OTHER_SUBSCRIPTION, SUBSCRIPTION } from './support/contoso';
import { type Ending, endingOf, messageOf } from './support/refusals';

const now = at('2027-01-02T00:00:00Z');
const path: GroupPath = { subscription: SUBSCRIPTION, group: 'team', display: 'Team' };
const team: GroupRecord = { name: 'Team', location: 'westus', tags: { a: 'b' }, writeId: 'write-1' };
const stored = (value: GroupRecord) => ({ partition: SUBSCRIPTION, row: 'g!team', etag: 'etag-1', writtenAt: at('2027-01-01T00:00:00Z'), value });
const live = stored(team);
const marked = stored({ ...team, deleting: { since: at('2027-01-01T12:00:00Z') } });

const writing = (write: object) => ({ write: { table: 'subscriptions', partition: SUBSCRIPTION, writes: [write] }, hurry: [] });

test.each<[string, FoundGroup, Ending]>([
  ['live', live, 'accepted'],
  ['marked', marked, 'ResourceGroupNotFound'],
  ['absent', undefined, 'ResourceGroupNotFound'],
])('a group that is being deleted is gone to callers: %s', (_, found, ending) => {
  expect(endingOf(() => liveGroup(found, 'Team'))).toBe(ending);
});

test('the group that is missing is named as the caller wrote it', () => {
  expect(messageOf(() => liveGroup(undefined, 'TeaM'))).toBe("Resource group 'TeaM' could not be found.");
});

test('a PUT of an absent group inserts it, its location in comparable form', () => {
  const record = { name: 'Team', location: 'westus', tags: {} };
  expect(putGroup(undefined, path, 'West US', undefined)).toEqual({ record, created: true, plan: writing({ kind: 'insert', row: 'g!team', value: record }) });
  expect(putGroup(undefined, path, 'West US', { a: 'b' }).record.tags).toEqual({ a: 'b' });
});

test('a PUT of a live group changes its tags, and leaves them if it says nothing of them', () => {
  const record = { ...team, tags: { c: 'd' } };
  expect(putGroup(live, path, 'westus', { c: 'd' })).toEqual({ record, created: false, plan: writing({ kind: 'replace', row: 'g!team', etag: 'etag-1', value: record }) });
  expect(putGroup(live, path, 'West US', undefined).record).toEqual(team);
});

test('a PUT of a marked group replaces it at once, under its ETag, in any location', () => {
  const record = { name: 'Team', location: 'eastus', tags: {} };
  expect(putGroup(marked, path, 'East US', undefined)).toEqual({ record, created: true, plan: writing({ kind: 'replace', row: 'g!team', etag: 'etag-1', value: record }) });
});

test.each<[string, FoundGroup, string, Ending]>([
  ['its own location in another writing', live, 'WEST US', 'accepted'],
  ['another location', live, 'East US', 'GroupLocationFixed'],
  ['another location, the old group marked', marked, 'East US', 'accepted'],
])('a group stays where it is: %s', (_, found, location, ending) => {
  expect(endingOf(() => putGroup(found, path, location, undefined))).toBe(ending);
});

test('a deletion marks the group first; a repeat needs no plan', () => {
  expect(markGroup(live, path, now)).toEqual(writing({ kind: 'replace', row: 'g!team', etag: 'etag-1', value: { ...team, deleting: { since: now } } }));
  expect(markGroup(marked, path, now)).toBeUndefined();
  expect(endingOf(() => markGroup(undefined, path, now))).toBe('ResourceGroupNotFound');
});

test('a group is closed under the ETag of the row that was read', () => {
  expect(closeGroup(marked)).toEqual({ table: 'subscriptions', partition: SUBSCRIPTION, writes: [{ kind: 'delete', row: 'g!team', etag: 'etag-1' }] });
});

test.each([
  ['its own', SUBSCRIPTION, 'g!team', true],
  ['another group', SUBSCRIPTION, 'g!teams', false],
  ['its namesake in another subscription', OTHER_SUBSCRIPTION, 'g!team', false],
])('an HSM stands in one group: %s', (_, partition, row, stands) => {
  expect(standsIn(contoso(), { partition, row })).toBe(stands);
});
