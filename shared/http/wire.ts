// Records <-> the REST JSON of the control plane: member names, order and casing as the service prints them (contract.md §2.2-2.7). Nothing else knows wire names.
import { refuse } from '../domain/errors';
import type { HsmRequest, HsmSettings, Identity, NetworkAcls } from '../domain/hsmSettings';
import type { LongOperation } from '../domain/lifecycle';
import { isInWindow } from '../domain/lifecycle';
import type { HsmRecord } from '../domain/managedHsm';
import { locationKey } from '../domain/names';
import type { GroupRecord } from '../domain/resourceGroup';
import { type Instant, toMillisecondText, toText } from '../domain/time';
import type { Seen } from '../service/hsms';
import { booleanOf, defined, listOf, type Members, numberOf, objectItem, objectOf, required, textItem, textOf, textsOf } from './read';

const PROVIDER = 'Microsoft.KeyVault';

/** The body of PUT and PATCH. Read-only members that clients send back are not looked at. @throws InvalidRequestContent for a wrong type */
export function hsmRequestOf(body: Members): HsmRequest {
  const properties = objectOf(body, 'properties') ?? { at: 'properties', members: {} };
  const sku = objectOf(body, 'sku');
  const identity = objectOf(body, 'identity');
  const networkAcls = objectOf(properties, 'networkAcls');
  return defined({
    recover: createModeOf(properties) === 'recover',
    location: textOf(body, 'location'),
    sku: sku && { family: required(textOf(sku, 'family'), 'sku.family'), name: required(textOf(sku, 'name'), 'sku.name') },
    tags: textsOf(body, 'tags'),
    identity: identity && { type: required(textOf(identity, 'type'), 'identity.type'), userAssignedIds: Object.keys(objectOf(identity, 'userAssignedIdentities')?.members ?? {}) },
    tenantId: textOf(properties, 'tenantId'),
    administrators: listOf(properties, 'initialAdminObjectIds', textItem),
    enableSoftDelete: booleanOf(properties, 'enableSoftDelete'),
    retentionDays: numberOf(properties, 'softDeleteRetentionInDays'),
    purgeProtection: booleanOf(properties, 'enablePurgeProtection'),
    networkAcls: networkAcls && networkAclsOf(networkAcls),
    publicNetworkAccess: textOf(properties, 'publicNetworkAccess'),
    secondaryRegions: listOf(properties, 'regions', (entry, at) => required(textOf(objectItem(entry, at), 'name'), `${at}.name`)),
  });
}

/** az writes `Recover`, the SDKs `recover`. @throws InvalidProperty for another word */
function createModeOf(properties: Members): 'default' | 'recover' {
  const mode = textOf(properties, 'createMode')?.toLowerCase() ?? 'default';
  if (mode !== 'default' && mode !== 'recover') throw refuse('InvalidProperty', { property: 'createMode', rule: 'it must be default or recover.' });
  return mode;
}

const networkAclsOf = (acls: Members): Partial<NetworkAcls> =>
  defined({
    bypass: textOf(acls, 'bypass'),
    defaultAction: textOf(acls, 'defaultAction'),
    ipRules: listOf(acls, 'ipRules', (entry, at) => ({ value: required(textOf(objectItem(entry, at), 'value'), `${at}.value`) })),
    virtualNetworkRules: listOf(acls, 'virtualNetworkRules', (entry, at) => ({ id: required(textOf(objectItem(entry, at), 'id'), `${at}.id`) })),
    serviceTags: listOf(acls, 'serviceTags', (entry, at) => ({ tag: required(textOf(objectItem(entry, at), 'tag'), `${at}.tag`) })),
  });

/** ManagedHsm, contract.md §2.3. */
export function managedHsm({ record, now }: Seen, hsmSuffix: string) {
  const { settings } = record;
  return {
    ...(settings.identity && { identity: identityBody(settings.identity, settings.tenantId) }),
    sku: settings.sku,
    id: hsmId(record),
    name: record.name,
    type: `${PROVIDER}/managedHSMs`,
    location: settings.location,
    tags: settings.tags,
    systemData: {
      createdBy: record.created.by,
      createdByType: record.created.byType,
      createdAt: toMillisecondText(record.created.at),
      lastModifiedBy: record.modified.by,
      lastModifiedByType: record.modified.byType,
      lastModifiedAt: toMillisecondText(record.modified.at),
    },
    properties: {
      tenantId: settings.tenantId,
      hsmUri: `https://${record.name.toLowerCase()}.${hsmSuffix}/`,
      initialAdminObjectIds: settings.administrators,
      enableSoftDelete: true,
      softDeleteRetentionInDays: settings.retentionDays,
      enablePurgeProtection: settings.purgeProtection,
      ...statusOf(record, now),
      networkAcls: settings.networkAcls,
      publicNetworkAccess: settings.publicNetworkAccess,
      regions: regionsOf(settings, false),
      securityDomainProperties: activationOf(record, now),
    },
  };
}

/** Transitions are shown, never stored: the first half of a creation allocates, the second starts (contract.md §2.4). */
function statusOf(record: HsmRecord, now: Instant): { readonly provisioningState: string; readonly statusMessage: string } {
  const window = record.window && isInWindow(record, now) ? record.window : undefined;
  if (!window) return { provisioningState: 'Succeeded', statusMessage: 'The Managed HSM is provisioned and ready to use.' };
  const isEarly = now < (window.startedAt + window.readyAt) / 2;
  return window.operation === 'update'
    ? { provisioningState: 'Updating', statusMessage: 'The Managed HSM is provisioned and ready to use.' }
    : { provisioningState: 'Provisioning', statusMessage: `Resource creation in progress. ${isEarly ? 'Allocating hardware...' : 'Starting service...'}` };
}

/** @NOTE differs: a new HSM is active at once; the real one waits until its security domain has been downloaded. */
function activationOf(record: HsmRecord, now: Instant) {
  const isProvisioning = isInWindow(record, now) && record.window?.operation !== 'update';
  return isProvisioning
    ? { activationStatus: 'Unknown', activationStatusMessage: 'An unknown error has occurred. Please contact Microsoft Support.' }
    : { activationStatus: 'Active', activationStatusMessage: 'Your HSM has been activated and can be used for cryptographic operations.' };
}

const identityBody = ({ type, principalId, userAssigned }: Identity, tenantId: string) => ({
  type,
  ...(principalId && { principalId, tenantId }),
  ...(Object.keys(userAssigned).length > 0 && { userAssignedIdentities: userAssigned }),
});

const regionsOf = (settings: HsmSettings, withPrimary: boolean) => [
  ...(withPrimary ? [{ name: locationKey(settings.location), provisioningState: 'Succeeded', isPrimary: true }] : []),
  ...settings.secondaryRegions.map((name) => ({ name, provisioningState: 'Succeeded', isPrimary: false })),
];

/** The list of all regions of an HSM, its primary first. */
export const regionList = ({ record }: Seen) => ({ value: regionsOf(record.settings, true) });

const hsmId = ({ subscription, group, name }: HsmRecord): string => `/subscriptions/${subscription}/resourceGroups/${group}/providers/${PROVIDER}/managedHSMs/${name}`;

/** The proxy resource of a soft-deleted HSM, contract.md §2.5 (the lower-case v in its type is the service's own). */
export function deletedManagedHsm({ record }: Seen) {
  const { subscription, name, settings, deletion } = record;
  const location = locationKey(settings.location);
  return {
    id: `/subscriptions/${subscription}/providers/${PROVIDER}/locations/${location}/deletedManagedHSMs/${name}`,
    name,
    type: 'Microsoft.Keyvault/deletedManagedHSMs',
    properties: {
      mhsmId: hsmId(record),
      location,
      ...(deletion && { deletionDate: toText(deletion.deletedAt), scheduledPurgeDate: toText(deletion.purgeAt) }),
      purgeProtectionEnabled: settings.purgeProtection,
      tags: settings.tags,
    },
  };
}

/** The one private link resource that every HSM has. */
export const privateLinkResources = ({ record }: Seen) => ({
  value: [
    {
      id: `${hsmId(record)}/privateLinkResources/managedhsm`,
      name: 'managedhsm',
      type: `${PROVIDER}/managedHSMs/privateLinkResources`,
      properties: { groupId: 'managedhsm', requiredMembers: ['default'], requiredZoneNames: ['privatelink.managedhsm.azure.net'] },
    },
  ],
});

/** The answer to a name check. */
export const nameAvailability = (name: string, refusal: 'AlreadyExists' | 'AccountNameInvalid' | undefined) =>
  refusal === undefined
    ? { nameAvailable: true }
    : {
        nameAvailable: false,
        reason: refusal,
        message:
          refusal === 'AlreadyExists'
            ? `The name '${name}' is already in use.`
            : `The name '${name.slice(0, 64)}' is invalid. A name must be 3 to 24 letters, digits and hyphens, begin with a letter, end with a letter or digit, and not contain consecutive hyphens.`,
      };

export const resourceGroup = (subscription: string, group: GroupRecord) => ({
  id: `/subscriptions/${subscription}/resourceGroups/${group.name}`,
  name: group.name,
  type: 'Microsoft.Resources/resourceGroups',
  location: group.location,
  tags: group.tags,
  properties: { provisioningState: 'Succeeded' },
});

/** What the URL of an operation's result carries: kind, name and group of the HSM, its incarnation (the path's guid), and when it ends. */
export type OperationUrl = {
  readonly subscription: string;
  readonly location: string;
  readonly incarnation: string;
  readonly apiVersion: string;
  readonly operation: LongOperation;
  readonly name: string;
  readonly group: string;
  readonly readyAt: Instant;
};

export function operationUrl(controlHost: string, { subscription, location, incarnation, apiVersion, operation, name, group, readyAt }: OperationUrl): string {
  const query = new URLSearchParams({ 'api-version': apiVersion, operation, name, group, readyAt: String(readyAt) });
  return `https://${controlHost}/subscriptions/${subscription}/providers/${PROVIDER}/locations/${encodeURIComponent(location)}/managedHsmOperationResults/${incarnation}?${query}`;
}

const operations: readonly string[] = ['create', 'update', 'recover', 'delete', 'purge'] satisfies LongOperation[];
export const isOperation = (text: string | undefined): text is LongOperation => text !== undefined && operations.includes(text);
