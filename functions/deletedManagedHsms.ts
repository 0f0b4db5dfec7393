// The control plane's operations on soft-deleted managed HSMs, and the results of long-running operations.
import { operations } from '../shared/app';
import { getDeleted, listDeleted, operationResult, purge } from '../shared/http/hsmHandlers';
import type { Operation } from '../shared/http/operation';

const provider = 'subscriptions/{subscription}/providers/Microsoft.KeyVault';
const deleted = `${provider}/locations/{location}/deletedManagedHSMs/{name}`;

export const deletedManagedHsms: readonly Operation[] = operations([
  {
    name: 'ManagedHsms_ListDeleted',
    plane: 'control',
    method: 'GET',
    route: `${provider}/deletedManagedHSMs`,
    action: 'Microsoft.KeyVault/deletedManagedHsms/read',
    aggregated: true,
    handle: listDeleted,
  },
  {
    name: 'ManagedHsms_GetDeleted',
    plane: 'control',
    method: 'GET',
    route: deleted,
    action: 'Microsoft.KeyVault/locations/deletedManagedHsms/read',
    reads: 'hsm',
    handle: getDeleted,
  },
  {
    name: 'ManagedHsms_PurgeDeleted',
    plane: 'control',
    method: 'POST',
    route: `${deleted}/purge`,
    action: 'Microsoft.KeyVault/locations/deletedManagedHsms/purge/action',
    reads: 'hsm',
    timers: true,
    handle: purge,
  },
  {
    name: 'ManagedHsms_OperationResult',
    plane: 'control',
    method: 'GET',
    route: `${provider}/locations/{location}/managedHsmOperationResults/{operation}`,
    action: 'Microsoft.KeyVault/locations/managedHsmOperationResults/read',
    orOnResource: 'Microsoft.KeyVault/managedHSMs/read',
    reads: 'hsm',
    handle: operationResult,
  },
]);
