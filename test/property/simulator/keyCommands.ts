// How a client's command on a key is carried out: the HSM and the rights by one read, the rights at the key, then the service, as the data plane's stages do.
import type { Caller } from '../../../shared/domain/armRoles';
import type { LocalGrant } from '../../../shared/domain/localRoles';
import type { HsmRecord } from '../../../shared/domain/managedHsm';
import type { Value } from '../../../shared/domain/plan';
import type { Ports } from '../../../shared/ports';
import type { ActiveHsm, KeyPage, Keys } from '../../../shared/service/keys';
import type { Rights } from '../../../shared/service/rights';
import type { KeyTask } from './commands';
import type { World } from './world';

export const caller: Caller = { objectId: '00000000-0000-4000-8000-00000000000a', groups: [], groupsLeftOut: false, kind: 'User', displayName: 'ada@contoso.example' };

/** What a client is told, with what its request found on the way: the HSM's incarnation, and the grants that counted. */
export type KeyAnswer = { readonly incarnation: string; readonly grants: readonly LocalGrant[]; readonly told: unknown };

const MANY = 25;

export async function performOnKey(world: World, ports: Ports, { keys, rights }: { readonly keys: Keys; readonly rights: Rights }, task: KeyTask): Promise<KeyAnswer | undefined> {
  if (task.kind === 'keyGrant') return grantAtKey(ports, task);
  const isList = task.kind === 'keyList' || task.kind === 'keyListDeleted';
  const { hsm, grants } = await rights.read(task.hsm, isList ? undefined : task.key);
  if (!hsm) throw world.code.refuse('HsmUnavailable');
  const valid = await rights.valid(hsm, grants, caller);
  const told = await ask(keys, { record: hsm, name: task.hsm, host: task.hsm }, task);
  return { incarnation: hsm.incarnation, grants: valid, told };
}

function ask(keys: Keys, hsm: ActiveHsm, task: KeyTask): Promise<unknown> {
  const path = { host: hsm.host, name: task.key, display: task.key };
  switch (task.kind) {
    case 'keyCreate':
      return keys.create(hsm, path, { spec: { kty: 'oct-HSM', bits: 256 }, keyOps: ['encrypt'], attributes: { enabled: true, exportable: false }, tags: {} });
    case 'keyUpdate':
      return keys.update(hsm, path, task.version, () => ({ tags: { v: task.item } }));
    case 'keyRemove':
      return keys.remove(hsm, path);
    case 'keyRecover':
      return keys.recover(hsm, path);
    case 'keyPurge':
      return keys.purge(hsm, path);
    case 'keyShowDeleted':
      return keys.showDeleted(hsm, path);
    case 'keyList':
    case 'keyListDeleted':
      return everyPage(
        (after) => keys.list(hsm, task.kind === 'keyList' ? 'active' : 'deleted', task.limit || MANY, after),
        (record) => record.name,
      );
    case 'keyVersions':
      return keys.versions(hsm, path, MANY, undefined);
    default:
      return keys.loadUsableKey(hsm, path, task.version);
  }
}

async function everyPage<T>(list: (after: string | undefined) => Promise<KeyPage<T>>, nameOf: (item: T) => string): Promise<readonly T[]> {
  const items: T[] = [];
  for (let after: string | undefined; ; ) {
    const page = await list(after);
    items.push(...page.items);
    if (page.next === undefined) return items;
    after = page.next;
    if (items.length > MANY) throw new Error(`a list without end: ${items.map(nameOf).join(', ')}`);
  }
}

/**
 * Stands in for assigning a local role at a key, under a name that the client chose: the row and the HSM's record first, by one read each, the key's record
 * after them, then the write. A row of an earlier incarnation of the key counts as absent and is replaced.
 */
async function grantAtKey({ store }: Ports, { hsm: name, key, item }: KeyTask): Promise<undefined> {
  const row = `s!${key}!${item}`;
  const { found: held } = await store.row<Value>('hsms', name, row);
  const { found: hsm } = await store.row<HsmRecord>('hsms', name, '!hsm');
  if (!hsm || hsm.value.deletion) return;
  const { incarnation } = hsm.value;
  const { found } = await store.row<Value>('keys', incarnation, `k!${key}`);
  if (!found || found.value.deletion) return;
  const keyIncarnation = found.value.incarnation;
  if (held?.value.incarnation === incarnation && held.value.keyIncarnation === keyIncarnation) return;
  const value: Value = { incarnation, keyIncarnation, key, principalId: caller.objectId, roleGuid: 'r' };
  await store.transact({ table: 'hsms', partition: name, writes: [held ? { kind: 'replace', row, etag: held.etag, value } : { kind: 'insert', row, value }] });
}
