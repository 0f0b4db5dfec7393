// The data plane's operations on keys.
import { keyOperations } from '../shared/app';
import type { KeyOperation } from '../shared/http/dataPlane';
import { createKey, deleteKey, getKey, getKeys, getKeyVersions, updateKey } from '../shared/http/keyHandlers';

const key = 'keys/{key}';
/** The host picks routes by name, not by specificity: a version is told from an operation by its form. */
const version = `${key}/{version:regex(^[0-9a-fA-F]{{32}}$)}`;

export const keys: readonly KeyOperation[] = keyOperations([
  { name: 'CreateKey', plane: 'hsm', at: 'keys', method: 'POST', route: `${key}/create`, action: 'keys/create', takes: 'body', handle: createKey },
  { name: 'GetKey', plane: 'hsm', at: 'key', method: 'GET', route: version, action: 'keys/read/action', handle: getKey },
  { name: 'GetKey_latest', plane: 'hsm', at: 'key', method: 'GET', route: key, action: 'keys/read/action', handle: getKey },
  { name: 'GetKeyVersions', plane: 'hsm', at: 'key', method: 'GET', route: `${key}/versions`, action: 'keys/read/action', handle: getKeyVersions },
  { name: 'GetKeys', plane: 'hsm', at: 'keys', method: 'GET', route: 'keys', action: 'keys/read/action', handle: getKeys },
  { name: 'UpdateKey', plane: 'hsm', at: 'key', method: 'PATCH', route: version, action: 'keys/write/action', takes: 'body', handle: updateKey },
  { name: 'UpdateKey_latest', plane: 'hsm', at: 'key', method: 'PATCH', route: key, action: 'keys/write/action', takes: 'body', handle: updateKey },
  { name: 'DeleteKey', plane: 'hsm', at: 'key', method: 'DELETE', route: key, action: 'keys/delete', timers: true, handle: deleteKey },
]);
