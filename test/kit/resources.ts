// Paths and bodies of the control plane as tests write them: the group `rg1` of the first subscription, in westus, unless a test says otherwise.
import { SUBSCRIPTION_ID, TENANT_ID } from './service';

export const SUBSCRIPTION = `/subscriptions/${SUBSCRIPTION_ID}`;
export const ADMINISTRATOR = '33333333-3333-4333-8333-333333333333';

export const groupPath = (group = 'rg1', subscription = SUBSCRIPTION): string => `${subscription}/resourceGroups/${group}`;

export const hsmPath = (name: string, group = 'rg1', subscription = SUBSCRIPTION): string => `${groupPath(group, subscription)}/providers/Microsoft.KeyVault/managedHSMs/${name}`;

export const deletedList = (subscription = SUBSCRIPTION): string => `${subscription}/providers/Microsoft.KeyVault/deletedManagedHSMs`;

export const deletedPath = (name: string, location = 'westus', subscription = SUBSCRIPTION): string =>
  `${subscription}/providers/Microsoft.KeyVault/locations/${location}/deletedManagedHSMs/${name}`;

export const recovering = { location: 'westus', properties: { createMode: 'recover' } };

/** What a creation needs, with seven days of retention, and what else `properties` says. */
export const newHsm = (properties: object = {}) => ({
  location: 'westus',
  sku: { family: 'B', name: 'Standard_B1' },
  properties: { tenantId: TENANT_ID, initialAdminObjectIds: [ADMINISTRATOR], softDeleteRetentionInDays: 7, ...properties },
});
