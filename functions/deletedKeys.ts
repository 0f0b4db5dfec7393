// The data plane's operations on soft-deleted keys.
import { keyOperations } from '../shared/app';
import type { KeyOperation } from '../shared/http/dataPlane';
import { getDeletedKey, getDeletedKeys, purgeDeletedKey, recoverDeletedKey } from '../shared/http/keyHandlers';

const key = 'deletedkeys/{key}';

export const deletedKeys: readonly KeyOperation[] = keyOperations([
  { name: 'GetDeletedKeys', plane: 'hsm', at: 'keys', method: 'GET', route: 'deletedkeys', action: 'keys/deletedKeys/read/action', handle: getDeletedKeys },
  { name: 'GetDeletedKey', plane: 'hsm', at: 'key', method: 'GET', route: key, action: 'keys/deletedKeys/read/action', handle: getDeletedKey },
  {
    name: 'RecoverDeletedKey',
    plane: 'hsm',
    at: 'key',
    method: 'POST',
    route: `${key}/recover`,
    action: 'keys/deletedKeys/recover/action',
    timers: true,
    handle: recoverDeletedKey,
  },
  { name: 'PurgeDeletedKey', plane: 'hsm', at: 'key', method: 'DELETE', route: key, action: 'keys/deletedKeys/delete', timers: true, handle: purgeDeletedKey },
]);
