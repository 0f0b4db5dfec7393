// What stands around the HSMs on the control plane, over HTTP on Azurite: subscriptions, locations, providers, resources, vaults that are none, and resource groups with HSMs inside.
import { type ObservedService, startObservedService } from '../kit/observedService';
import { deletedList, deletedPath, groupPath, hsmPath, newHsm, recovering, SUBSCRIPTION } from '../kit/resources';
import { OTHER_SUBSCRIPTION_ID, SUBSCRIPTION_ID, TENANT_ID } from '../kit/service';

jest.setTimeout(120_000); // a slow machine is no failure

let observed: ObservedService;
let owner: ReturnType<ObservedService['service']['as']>;
const get = async (path: string) => owner.send('GET', path);

beforeAll(async () => {
  observed = await startObservedService();
  owner = observed.service.as('owner');
});
afterAll(() => observed.stop());
afterEach(() => expect(observed.faults()).toEqual([]));

const REGIONS = [
  ...[
    'Central US',
    'Central US EUAP',
    'East US 2',
    'East US 2 EUAP',
    'South Central US',
    'North Europe',
    'West Europe',
    'Canada Central',
    'Switzerland North',
    'South Africa North',
  ],
  ...['UK South', 'SouthEast Asia', 'East Asia', 'Korea Central', 'Australia Central', 'West US', 'East US', 'North Central US', 'West Central US', 'West US 2', 'West US 3'],
  ...['Canada East', 'Japan East', 'UAE North', 'Australia East', 'France Central', 'Switzerland West', 'Central India', 'Brazil South', 'Sweden Central', 'Qatar Central'],
  ...['South India', 'Poland Central', 'Japan West', 'Norway East', 'Norway West', 'Germany West Central'],
];

test('subscriptions: those on which the caller has a role', async () => {
  const one = (id: string, displayName: string) => expect.objectContaining({ id: `/subscriptions/${id}`, subscriptionId: id, tenantId: TENANT_ID, displayName, state: 'Enabled' });
  // The version is the one that az sends at login.
  expect((await get('/subscriptions?api-version=2019-11-01')).json).toMatchObject({ value: [one(SUBSCRIPTION_ID, 'Local'), one(OTHER_SUBSCRIPTION_ID, 'Other')] });
  expect((await observed.service.as('contributor').send('GET', '/subscriptions')).json.value).toEqual([one(SUBSCRIPTION_ID, 'Local')]);
  expect((await observed.service.as('nobody').send('GET', '/subscriptions')).json.value).toEqual([]);
  expect((await get(SUBSCRIPTION)).json).toEqual(one(SUBSCRIPTION_ID, 'Local'));
  const unknown = await get('/subscriptions/99999999-9999-4999-8999-999999999999');
  expect([unknown.status, unknown.json.error]).toEqual([
    404,
    { code: 'SubscriptionNotFound', message: "The subscription '99999999-9999-4999-8999-999999999999' could not be found." },
  ]);
});

test('locations and the provider name the 37 regions', async () => {
  const { value } = (await get(`${SUBSCRIPTION}/locations`)).json;
  expect(value.map(({ displayName }: { displayName: string }) => displayName)).toEqual(REGIONS);
  expect(value[15]).toMatchObject({ id: `${SUBSCRIPTION}/locations/westus`, name: 'westus', displayName: 'West US' });
  const provider = (await get(`${SUBSCRIPTION}/providers/Microsoft.KeyVault`)).json;
  expect(provider).toMatchObject({ id: `${SUBSCRIPTION}/providers/Microsoft.KeyVault`, namespace: 'Microsoft.KeyVault', registrationState: 'Registered' });
  const types = Object.fromEntries(provider.resourceTypes.map((type: { resourceType: string }) => [type.resourceType, type]));
  for (const type of ['managedHSMs', 'deletedManagedHSMs', 'locations/deletedManagedHSMs', 'locations/managedHsmOperationResults', 'checkMhsmNameAvailability'])
    expect(types[type].apiVersions).toContain('2023-07-01');
  expect(types.managedHSMs.locations).toEqual(REGIONS);
  expect((await get(`${SUBSCRIPTION}/providers`)).json.value).toEqual([provider]);
  expect((await owner.send('POST', `${SUBSCRIPTION}/providers/Microsoft.KeyVault/register`)).json).toEqual(provider);
  expect((await get(`${SUBSCRIPTION}/providers/Microsoft.Compute`)).json.error.code).toBe('InvalidResourceNamespace');
});

test('the operations of the provider are the actions that roles name', async () => {
  const { value } = (await get('/providers/Microsoft.KeyVault/operations')).json;
  expect(value.map(({ name }: { name: string }) => name)).toEqual(
    expect.arrayContaining(
      [
        'managedHSMs/read',
        'managedHSMs/write',
        'managedHSMs/delete',
        'deletedManagedHsms/read',
        'locations/deletedManagedHsms/read',
        'locations/deletedManagedHsms/purge/action',
        'locations/managedHsmOperationResults/read',
      ].map((action) => `Microsoft.KeyVault/${action}`),
    ),
  );
});

test('resource groups: made, shown, changed, listed, deleted', async () => {
  const path = groupPath('RG-Own');
  expect((await owner.send('HEAD', path)).status).toBe(404);
  const created = await owner.send('PUT', path, { location: 'West US', tags: { a: 'b' } });
  expect([created.status, created.text]).toEqual([
    201,
    '{"id":"/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/RG-Own","name":"RG-Own","type":"Microsoft.Resources/resourceGroups","location":"westus","tags":{"a":"b"},"properties":{"provisioningState":"Succeeded"}}',
  ]);
  const again = await owner.send('PUT', groupPath('rg-own'), { location: 'westus' });
  expect([again.status, again.text]).toEqual([200, created.text]);
  expect((await get(groupPath('rg-OWN'))).text).toBe(created.text);
  const head = await owner.send('HEAD', path);
  expect([head.status, head.text]).toEqual([204, '']);
  expect((await owner.send('PATCH', path, { tags: { c: 'd' } })).json).toEqual({ ...created.json, tags: { c: 'd' } });
  expect((await owner.send('PUT', path, { location: 'westus', tags: {} })).json.tags).toEqual({});
  expect((await get(groupPath('').slice(0, -1))).json.value.map(({ name }: { name: string }) => name)).toContain('RG-Own');
  const moved = await owner.send('PUT', path, { location: 'eastus' });
  expect([moved.status, moved.json.error.code]).toEqual([409, 'InvalidResourceGroupLocation']);
  const deleted = await owner.finish('DELETE', path);
  expect([deleted.status, deleted.text]).toEqual([200, '']);
  const missing = await get(path);
  expect([missing.status, missing.json.error]).toEqual([404, { code: 'ResourceGroupNotFound', message: "Resource group 'RG-Own' could not be found." }]);
  // A repeat resumes what may have been left undone; what never was is not found.
  expect((await owner.finish('DELETE', path)).status).toBe(200);
  expect((await owner.send('DELETE', groupPath('rg-never'))).json.error.code).toBe('ResourceGroupNotFound');
  expect((await owner.send('HEAD', path)).status).toBe(404);
});

test('a deleted group takes its HSMs along; made anew, they can be recovered into it', async () => {
  await owner.send('PUT', groupPath('rg-full'), { location: 'westus' });
  for (const name of ['inside-1', 'inside-2']) await owner.finish('PUT', hsmPath(name, 'rg-full'), newHsm(name === 'inside-2' ? { regions: [{ name: 'uksouth' }] } : {}));
  const before = (await get(hsmPath('inside-1', 'rg-full'))).json;
  expect((await owner.finish('DELETE', groupPath('rg-full'))).status).toBe(200);
  const missing = { code: 'ResourceGroupNotFound', message: "Resource group 'rg-full' could not be found." };
  for (const [method, body] of [['GET'], ['DELETE'], ['PUT', newHsm()], ['PATCH', {}], ['PUT', recovering]] as const) {
    const reply = await owner.send(method, hsmPath('inside-1', 'rg-full'), body);
    expect([reply.status, reply.json.error]).toEqual([404, missing]);
  }
  const deleted = (await get(deletedList())).json.value;
  expect(deleted.map(({ name }: { name: string }) => name)).toEqual(['inside-1', 'inside-2']);
  expect(deleted[0].properties.mhsmId).toBe(hsmPath('inside-1', 'rg-full'));

  expect((await owner.send('PUT', groupPath('rg-full'), { location: 'westus' })).status).toBe(201);
  const recovered = await owner.finish('PUT', hsmPath('inside-1', 'rg-full'), recovering);
  expect(recovered.json).toEqual({ ...before, systemData: { ...before.systemData, lastModifiedAt: expect.any(String) } });
  expect((await get(deletedPath('inside-2'))).status).toBe(200);
});

test("a deleted group's row stays, unseen, until nothing can land behind it, and a sweep takes it", async () => {
  await owner.send('PUT', groupPath('rg-row'), { location: 'westus' });
  await owner.send('PUT', groupPath('rg-stays'), { location: 'westus' });
  await owner.send('DELETE', groupPath('rg-row'));
  const row = (name = 'rg-row') => observed.storage.row('subscriptions', SUBSCRIPTION_ID, `g!${name}`);
  const writtenAt = Date.parse((await row())?.timestamp ?? '');
  // Two function time-outs by the storage's clock, which an advance does not move.
  await observed.restart({ env: { FUNCTION_TIMEOUT_SECONDS: '5' } });
  const sweepAt = async (seconds: number) => {
    observed.proxy.setDate(new Date(Math.floor(writtenAt / 1000 + seconds) * 1000));
    await observed.service.clock({ advance: 'PT15M' });
    return row();
  };
  expect(await sweepAt(9)).toBeDefined();
  expect(await sweepAt(10)).toBeUndefined();
  expect(await row('rg-stays')).toBeDefined();
  observed.proxy.setDate(undefined);
  await observed.restart({ env: { FUNCTION_TIMEOUT_SECONDS: '300' } });
});

test('resources by type, and vaults, of which there are none', async () => {
  await owner.send('PUT', groupPath(), { location: 'westus' });
  await owner.finish('PUT', hsmPath('resource'), { ...newHsm(), location: 'West US', tags: { a: 'b' } });
  const list = async (filter: string) => (await get(`${SUBSCRIPTION}/resources?$filter=${encodeURIComponent(filter)}`)).json.value;
  expect((await list("resourceType eq 'Microsoft.KeyVault/managedHSMs'")).find(({ name }: { name: string }) => name === 'resource')).toEqual({
    id: hsmPath('resource'),
    name: 'resource',
    type: 'Microsoft.KeyVault/managedHSMs',
    sku: { family: 'B', name: 'Standard_B1' },
    location: 'westus',
    tags: { a: 'b' },
  });
  expect(await list("resourceType eq 'Microsoft.KeyVault/vaults'")).toEqual([]);
  expect((await list("resourceType eq 'microsoft.keyvault/managedhsms' and name eq 'RESOURCE'")).map(({ id }: { id: string }) => id)).toEqual([hsmPath('resource')]);
  expect(await list("resourceGroup eq 'rg-full' and name eq 'resource'")).toEqual([]);
  expect((await get(`${groupPath()}/resources`)).json.value.map(({ id }: { id: string }) => id)).toEqual([hsmPath('resource')]);
  expect((await get(`${groupPath('rg-never')}/resources`)).json.error.code).toBe('ResourceGroupNotFound');
  expect((await get(`${SUBSCRIPTION}/resources?$filter=${encodeURIComponent("substringof('x', name)")}`)).json.error.code).toBe('BadRequest');
  for (const type of ['deletedVaults', 'vaults']) expect((await get(`${SUBSCRIPTION}/providers/Microsoft.KeyVault/${type}`)).text).toBe('{"value":[]}');
  const vault = await get(`${groupPath()}/providers/Microsoft.KeyVault/vaults/resource`);
  expect([vault.status, vault.json.error]).toEqual([
    404,
    {
      code: 'ResourceNotFound',
      message: "The Resource 'Microsoft.KeyVault/vaults/resource' under resource group 'rg1' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    },
  ]);
});
