// The service of keys on a shelf: an HSM `contoso`, and the key `First` in it if a test gives one.
import type { KeyRecord } from '../../../shared/domain/key';
import type { HsmRecord } from '../../../shared/domain/managedHsm';
import { type ActiveHsm, type KeyCreate, keys } from '../../../shared/service/keys';
import type { Parameters } from '../../../shared/service/parameters';
import { retention } from '../../../shared/service/retention';
import { contoso, INCARNATION } from './contoso';
import { firstKey, HOST, keyDeletion, keyPath } from './first';
import { createShelf, parameters } from './shelf';

export const onCurve: KeyCreate = { spec: { kty: 'EC-HSM', crv: 'P-256' }, keyOps: ['sign'], attributes: { enabled: true, exportable: false }, tags: { a: 'b' } };
export const DUE = `due!2027-01-09T00:00:00Z!${keyDeletion.deletionId}`;
export const first = keyPath();
export const at5th = '2027-01-05T00:00:00Z';
export const deleted = firstKey({ deletion: keyDeletion });

/** A shelf with contoso, and `First` on it if one is given. */
export function given({ key, hsm: record = contoso(), now = at5th, ...more }: { key?: KeyRecord; hsm?: HsmRecord; now?: string; emptyPages?: boolean } & Partial<Parameters> = {}) {
  const { emptyPages = false, ...changes } = more;
  const shelf = createShelf({ emptyPages });
  shelf.set(now);
  shelf.putHsm(record);
  if (key) shelf.put('keys', INCARNATION, 'k!first', key);
  if (key?.deletion) shelf.put('keys', INCARNATION, DUE, { name: 'first', incarnation: key.incarnation, deletionId: key.deletion.deletionId });
  const values = parameters(changes);
  const hsm: ActiveHsm = { record, name: 'contoso', host: HOST };
  return { shelf, hsm, ...keys(shelf.ports, values, retention(shelf.ports, values)) };
}
