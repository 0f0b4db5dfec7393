// The first read of every data-plane request: the HSM and who may do what in it, in one round trip.
import type { Caller } from '../domain/armRoles';
import type { KeyRecord } from '../domain/key';
import { stateAt } from '../domain/lifecycle';
import type { LocalGrant } from '../domain/localRoles';
import type { HsmRecord, LocalAssignment } from '../domain/managedHsm';
import type { Value } from '../domain/plan';
import { HSM_ROW, keyRow, ranges } from '../domain/rows';
import type { Ports } from '../ports';
import { pages } from './pages';

/** A local role assignment at one key, with the key's incarnation: it goes with the key. */
export type KeyAssignment = { readonly incarnation: string; readonly keyIncarnation: string; readonly key: string; readonly principalId: string; readonly roleGuid: string };

type StoredGrant = LocalGrant & { readonly keyIncarnation?: string };

export type Rights = ReturnType<typeof rights>;

/** Rows of one request: record, 50 assignments, 50 definitions and more. */
const ROWS = 1000;

export function rights({ store }: Pick<Ports, 'store'>) {
  return {
    /** The HSM if it is active, and the grants that its incarnation holds; those at one key too, where one is named. */
    async read(name: string, key: string | undefined): Promise<{ readonly hsm: HsmRecord | undefined; readonly grants: readonly StoredGrant[] }> {
      const [wide, atKey] = await Promise.all([readWide(name), key === undefined ? [] : readAtKey(name, key)]);
      const { hsm, assignments } = wide;
      if (!hsm) return { hsm: undefined, grants: [] };
      const own = ({ incarnation }: { readonly incarnation: string }): boolean => incarnation === hsm.incarnation;
      return { hsm, grants: [...assignments.filter(own).map(({ principalId, roleGuid }) => ({ principalId, roleGuid })), ...atKey.filter(own)] };
    },

    /** Grants at a key count only for the incarnation of the key that they were made for: the key is looked up when the caller has any. */
    async valid(hsm: HsmRecord, grants: readonly StoredGrant[], caller: Caller): Promise<readonly LocalGrant[]> {
      const wide = grants.filter(({ key }) => key === undefined);
      const mine = grants.filter(({ key, principalId }) => key !== undefined && (principalId === caller.objectId || caller.groups.includes(principalId)));
      const key = mine[0]?.key;
      if (key === undefined) return wide;
      const { found } = await store.row<KeyRecord>('keys', hsm.incarnation, keyRow(key));
      return [...wide, ...mine.filter(({ keyIncarnation }) => keyIncarnation === found?.value.incarnation)];
    },
  };

  async function readWide(name: string): Promise<{ readonly hsm: HsmRecord | undefined; readonly assignments: readonly LocalAssignment[] }> {
    let hsm: HsmRecord | undefined;
    const assignments: LocalAssignment[] = [];
    for await (const { found, now } of pages<Value>(store, { table: 'hsms', partition: name, ...ranges.recordAndRights }, ROWS))
      for (const { row, value } of found.rows)
        if (row === HSM_ROW) {
          const record = value as HsmRecord;
          if (stateAt(record, now) === 'active' && !(record.window && now < record.window.readyAt && record.window.operation !== 'update')) hsm = record;
        } else if (row.startsWith('a!')) assignments.push(value as LocalAssignment);
    return { hsm, assignments };
  }

  async function readAtKey(name: string, key: string): Promise<readonly (StoredGrant & { readonly incarnation: string })[]> {
    const found: KeyAssignment[] = [];
    for await (const page of pages<KeyAssignment>(store, { table: 'hsms', partition: name, ...ranges.assignmentsAtKey(key) }, ROWS))
      found.push(...page.found.rows.map((row) => row.value));
    return found;
  }
}
