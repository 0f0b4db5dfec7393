// What the resource manager around the HSMs answers: subscriptions, locations, providers, groups, and the look-ups for vaults, of which there are none.
import { refuse } from '../domain/errors';
import { checkTags } from '../domain/hsmSettings';
import { isRegion, locationKey, REGIONS } from '../domain/names';
import type { GroupPath } from '../domain/resourceGroup';
import type { Call, Path } from './operation';
import { textOf, textsOf } from './read';
import { type Answer, ok } from './render';
import { resourceGroup } from './wire';

const groupPath = ({ subscription, group, display }: Path): GroupPath => {
  if (group === undefined) throw refuse('ResourceGroupNotFound', { group: display.group.slice(0, 96) });
  return { subscription, group, display: display.group };
};

const subscriptionBody =
  (tenantId: string) =>
  ({ id, name }: { readonly id: string; readonly name: string }) => ({
    id: `/subscriptions/${id}`,
    authorizationSource: 'RoleBased',
    managedByTenants: [],
    subscriptionId: id,
    tenantId,
    displayName: name,
    state: 'Enabled',
    subscriptionPolicies: { locationPlacementId: 'Public_2014-09-01', quotaId: 'PayAsYouGo_2014-09-01', spendingLimit: 'Off' },
  });

/** Those on which the caller has any role at all; others do not exist to him. */
export const subscriptions = async ({ door, caller, assignments }: Call): Promise<Answer> => {
  const visible = await Promise.all(
    door.subscriptions.map(async ({ id }) => (await assignments(id)).some(({ principalId }) => principalId === caller.objectId || caller.groups.includes(principalId))),
  );
  return ok({
    value: door.subscriptions.filter((_, index) => visible[index]).map(subscriptionBody(door.tenantId)),
    count: { type: 'Total', value: visible.filter(Boolean).length },
  });
};

export const subscription = async ({ door, path }: Call): Promise<Answer> => {
  const found = door.subscriptions.find(({ id }) => id === path.subscription);
  if (!found) throw refuse('SubscriptionNotFound', { subscription: path.subscription });
  return ok(subscriptionBody(door.tenantId)(found));
};

export const locations = async ({ path }: Call): Promise<Answer> =>
  ok({
    value: REGIONS.map((displayName) => ({
      id: `/subscriptions/${path.subscription}/locations/${locationKey(displayName)}`,
      name: locationKey(displayName),
      type: 'Region',
      displayName,
      regionalDisplayName: displayName,
      metadata: { regionType: 'Physical', regionCategory: 'Recommended' },
    })),
  });

/** Newest first: `az resource` takes the first that is no preview. */
const API_VERSIONS = ['2023-07-01', '2023-02-01', '2022-11-01', '2022-07-01', '2021-10-01'];

const RESOURCE_TYPES = [
  'managedHSMs',
  'deletedManagedHSMs',
  'locations',
  'locations/deletedManagedHSMs',
  'locations/managedHsmOperationResults',
  'checkMhsmNameAvailability',
  'operations',
] as const;

const keyVaultProvider = (subscriptionId: string) => ({
  id: `/subscriptions/${subscriptionId}/providers/Microsoft.KeyVault`,
  namespace: 'Microsoft.KeyVault',
  registrationPolicy: 'RegistrationRequired',
  registrationState: 'Registered',
  resourceTypes: RESOURCE_TYPES.map((resourceType) => ({ resourceType, locations: resourceType === 'operations' ? [] : REGIONS, apiVersions: API_VERSIONS, capabilities: 'None' })),
});

export const providers = async ({ path }: Call): Promise<Answer> => ok({ value: [keyVaultProvider(path.subscription)] });

export const provider = async ({ path }: Call): Promise<Answer> => {
  const namespace = path.raw.namespace ?? '';
  if (namespace.toLowerCase() !== 'microsoft.keyvault') throw refuse('InvalidResourceNamespace', { namespace: namespace.slice(0, 96) });
  return ok(keyVaultProvider(path.subscription));
};

const OPERATIONS = [
  ['managedHSMs/read', 'Managed HSM', 'Get Managed HSM', 'View the properties of a Managed HSM'],
  ['managedHSMs/write', 'Managed HSM', 'Create or update Managed HSM', 'Create a new Managed HSM or update the properties of an existing Managed HSM'],
  ['managedHSMs/delete', 'Managed HSM', 'Delete Managed HSM', 'Delete a Managed HSM'],
  ['deletedManagedHsms/read', 'Deleted Managed HSM', 'View soft deleted Managed HSMs', 'View the properties of a deleted managed HSM'],
  ['locations/deletedManagedHsms/read', 'Deleted Managed HSM', 'View soft deleted Managed HSM', 'View the properties of a deleted managed HSM'],
  ['locations/deletedManagedHsms/purge/action', 'Deleted Managed HSM', 'Purge soft deleted Managed HSM', 'Purge a soft deleted managed HSM'],
  ['locations/managedHsmOperationResults/read', 'Managed HSM operation', 'Check operation results', 'Check the result of a long run operation'],
] as const;

export const providerOperations = async (): Promise<Answer> =>
  ok({
    value: OPERATIONS.map(([name, resource, operation, description]) => ({
      name: `Microsoft.KeyVault/${name}`,
      isDataAction: false,
      display: { provider: 'Microsoft Key Vault', resource, operation, description },
    })),
  });

/** Of all resources only managed HSMs can be; clients look for vaults here too, of which there are none. */
export const resources = async (call: Call): Promise<Answer> => {
  const wanted = filterOf(call.query.get('$filter'));
  if ((wanted.get('resourcetype') ?? HSM_TYPE.toLowerCase()) !== HSM_TYPE.toLowerCase()) return ok({ value: [] });
  const { items } = await call.hsms.list(call.path.subscription, call.path.group, {});
  const shown = items.filter(
    ({ record }) => [wanted.get('name') ?? record.name, wanted.get('resourcegroup') ?? record.group].join('/').toLowerCase() === `${record.name}/${record.group}`.toLowerCase(),
  );
  return ok({
    value: shown.map(({ record: { subscription: id, group, name, settings } }) => ({
      id: `/subscriptions/${id}/resourceGroups/${group}/providers/${HSM_TYPE}/${name}`,
      name,
      type: HSM_TYPE,
      sku: settings.sku,
      location: locationKey(settings.location),
      tags: settings.tags,
    })),
  });
};

const HSM_TYPE = 'Microsoft.KeyVault/managedHSMs';

/** `a eq 'x' and b eq 'y'`, the form in which az and the SDKs ask, in lower case. @throws InvalidParameter for another form */
function filterOf(text: string | undefined): ReadonlyMap<string, string> {
  const terms = (text ?? '').split(/\s+and\s+/i).filter((term) => term.trim() !== '');
  return new Map(
    terms.map((term) => {
      const [, member, value] = /^\s*(\w+)\s+eq\s+'([^']*)'\s*$/i.exec(term) ?? [];
      if (member === undefined || value === undefined)
        throw refuse('InvalidParameter', { name: '$filter', rule: "give terms such as resourceType eq 'Microsoft.KeyVault/managedHSMs', joined by and." });
      return [member.toLowerCase(), value.toLowerCase()] as const;
    }),
  );
}

export const putGroup = async ({ groups, path, body }: Call): Promise<Answer> => {
  if (path.group === undefined) throw refuse('InvalidResourceGroup', { group: path.display.group.slice(0, 96) });
  const location = textOf(body, 'location');
  const tags = textsOf(body, 'tags');
  if (tags) checkTags(tags);
  if (location === undefined || location === '') throw refuse('LocationRequired');
  if (!isRegion(location))
    throw refuse('LocationNotAvailable', { location: location.slice(0, 64), type: 'Microsoft.Resources/resourceGroups', known: REGIONS.map(locationKey).join(', ') });
  const { record, created } = await groups.put(groupPath(path), location, tags);
  return { status: created ? 201 : 200, body: resourceGroup(path.subscription, record) };
};

/** PATCH: tags alone can change. */
export const patchGroup = async ({ groups, path, body }: Call): Promise<Answer> => {
  const tags = textsOf(body, 'tags');
  if (tags) checkTags(tags);
  const { location } = await groups.show(groupPath(path));
  return ok(resourceGroup(path.subscription, (await groups.put(groupPath(path), location, tags)).record));
};

export const getGroup = async ({ groups, path }: Call): Promise<Answer> => ok(resourceGroup(path.subscription, await groups.show(groupPath(path))));

export const headGroup = async ({ groups, path }: Call): Promise<Answer> => {
  await groups.show(groupPath(path));
  return { status: 204 };
};

export const listGroups = async ({ groups, path }: Call): Promise<Answer> =>
  ok({ value: (await groups.list(path.subscription)).map((group) => resourceGroup(path.subscription, group)) });

/** Takes effect at once; the result that clients poll is 200 from the start. */
export const deleteGroup = async ({ groups, path, caller, door, apiVersion }: Call): Promise<Answer> => {
  await groups.remove(groupPath(path), caller);
  return {
    status: 202,
    headers: { Location: `https://${door.hosts.controlHost}/subscriptions/${path.subscription}/operationresults/${door.ids.guid()}?api-version=${apiVersion}`, 'Retry-After': '1' },
  };
};

export const groupResult = async (): Promise<Answer> => ({ status: 200 });

/** There are no vaults, deleted or not. */
export const noVaults = async (): Promise<Answer> => ok({ value: [] });

export const noVault = async ({ path }: Call): Promise<Answer> => {
  throw refuse('VaultNotFound', path.display);
};
