// The control plane's operations on managed HSMs.
import { operations } from '../shared/app';
import { checkName, connections, createOrUpdate, get, linkResources, listInGroup, listInSubscription, noConnections, regions, remove, update } from '../shared/http/hsmHandlers';
import type { Operation } from '../shared/http/operation';

const inSubscription = 'subscriptions/{subscription}/providers/Microsoft.KeyVault';
const inGroup = 'subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/managedHSMs';
const hsm = `${inGroup}/{name}`;
const connection = `${hsm}/privateEndpointConnections/{connection}`;

const onHsm = { plane: 'control', within: 'group', reads: 'hsm' } as const;
const read = 'Microsoft.KeyVault/managedHSMs/read';
const write = 'Microsoft.KeyVault/managedHSMs/write';

export const managedHsms: readonly Operation[] = operations([
  { name: 'ManagedHsms_CreateOrUpdate', ...onHsm, method: 'PUT', route: hsm, action: write, takes: 'body', timers: true, handle: createOrUpdate },
  { name: 'ManagedHsms_Update', ...onHsm, method: 'PATCH', route: hsm, action: write, takes: 'body', handle: update },
  { name: 'ManagedHsms_Get', ...onHsm, method: 'GET', route: hsm, action: read, handle: get },
  { name: 'ManagedHsms_Delete', ...onHsm, method: 'DELETE', route: hsm, action: 'Microsoft.KeyVault/managedHSMs/delete', timers: true, handle: remove },
  { name: 'ManagedHsms_ListByResourceGroup', plane: 'control', within: 'group', method: 'GET', route: inGroup, action: read, handle: listInGroup },
  { name: 'ManagedHsms_ListBySubscription', plane: 'control', method: 'GET', route: `${inSubscription}/managedHSMs`, action: read, aggregated: true, handle: listInSubscription },
  {
    name: 'ManagedHsms_CheckMhsmNameAvailability',
    plane: 'control',
    method: 'POST',
    route: `${inSubscription}/checkMhsmNameAvailability`,
    action: undefined,
    takes: 'body',
    handle: checkName,
  },
  { name: 'MHSMRegions_ListByResource', ...onHsm, method: 'GET', route: `${hsm}/regions`, action: read, handle: regions },
  {
    name: 'MHSMPrivateLinkResources_ListByMHSMResource',
    ...onHsm,
    method: 'GET',
    route: `${hsm}/privateLinkResources`,
    action: 'Microsoft.KeyVault/managedHSMs/privateLinkResources/read',
    handle: linkResources,
  },
  {
    name: 'MHSMPrivateEndpointConnections_ListByResource',
    ...onHsm,
    method: 'GET',
    route: `${hsm}/privateEndpointConnections`,
    action: 'Microsoft.KeyVault/managedHSMs/privateEndpointConnections/read',
    handle: connections,
  },
  {
    name: 'MHSMPrivateEndpointConnections_Get',
    ...onHsm,
    method: 'GET',
    route: connection,
    action: 'Microsoft.KeyVault/managedHSMs/privateEndpointConnections/read',
    handle: noConnections,
  },
  {
    name: 'MHSMPrivateEndpointConnections_Put',
    ...onHsm,
    method: 'PUT',
    route: connection,
    action: 'Microsoft.KeyVault/managedHSMs/privateEndpointConnections/write',
    handle: noConnections,
  },
  {
    name: 'MHSMPrivateEndpointConnections_Delete',
    ...onHsm,
    method: 'DELETE',
    route: connection,
    action: 'Microsoft.KeyVault/managedHSMs/privateEndpointConnections/delete',
    handle: noConnections,
  },
]);
