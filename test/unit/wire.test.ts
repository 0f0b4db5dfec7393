// Records <-> the REST JSON of the control plane. Bodies are compared as text, since the order of members is the service's own (contract.md §2.2-2.7, typed by hand).
import type { HsmRequest } from '../../shared/domain/hsmSettings';
import { settingsOfNew } from '../../shared/domain/hsmSettings';
import type { HsmRecord } from '../../shared/domain/managedHsm';
import { parseJson } from '../../shared/http/json';
import { bodyOf } from '../../shared/http/read';
import { deletedManagedHsm, hsmRequestOf, isOperation, managedHsm, nameAvailability, operationUrl, privateLinkResources, regionList, resourceGroup } from '../../shared/http/wire';
import { at, contoso, countingIds, deletion, INCARNATION, SUBSCRIPTION, TENANT } from './support/contoso';
import { type Ending, endingOf, messageOf } from './support/refusals';

const now = at('2027-01-05T00:00:00Z');
const body = (record: HsmRecord, when = now): string => JSON.stringify(managedHsm({ record, now: when }, 'managedhsm.azure.net'));

const ready = '"provisioningState":"Succeeded","statusMessage":"The Managed HSM is provisioned and ready to use."';
const active = '{"activationStatus":"Active","activationStatusMessage":"Your HSM has been activated and can be used for cryptographic operations."}';
const unknown = '{"activationStatus":"Unknown","activationStatusMessage":"An unknown error has occurred. Please contact Microsoft Support."}';

test('ManagedHsm (§2.3), member by member', () => {
  expect(body(contoso({ modified: { at: at('2027-01-03T04:05:06Z'), by: '99999999-9999-4999-8999-999999999999', byType: 'Application' } }))).toBe(
    '{"sku":{"family":"B","name":"Standard_B1"}' +
      ',"id":"/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/Team/providers/Microsoft.KeyVault/managedHSMs/Contoso"' +
      ',"name":"Contoso","type":"Microsoft.KeyVault/managedHSMs","location":"West US","tags":{"dept":"hsm"}' +
      ',"systemData":{"createdBy":"alice@contoso.test","createdByType":"User","createdAt":"2027-01-01T00:00:00.000Z"' +
      ',"lastModifiedBy":"99999999-9999-4999-8999-999999999999","lastModifiedByType":"Application","lastModifiedAt":"2027-01-03T04:05:06.000Z"}' +
      ',"properties":{"tenantId":"33333333-3333-4333-8333-333333333333","hsmUri":"https://contoso.managedhsm.azure.net/"' +
      ',"initialAdminObjectIds":["44444444-4444-4444-8444-444444444444"],"enableSoftDelete":true,"softDeleteRetentionInDays":7,"enablePurgeProtection":false' +
      ',"provisioningState":"Succeeded","statusMessage":"The Managed HSM is provisioned and ready to use."' +
      ',"networkAcls":{"bypass":"AzureServices","defaultAction":"Allow","ipRules":[],"virtualNetworkRules":[]}' +
      ',"publicNetworkAccess":"Enabled","regions":[]' +
      ',"securityDomainProperties":{"activationStatus":"Active","activationStatusMessage":"Your HSM has been activated and can be used for cryptographic operations."}}}',
  );
});

test.each<[string, Parameters<typeof contoso>[0], string]>([
  ['no tags', { settings: { tags: {} } }, ',"tags":{},'],
  ['purge protection', { settings: { purgeProtection: true } }, ',"enablePurgeProtection":true,'],
  ['the location as sent', { settings: { location: 'westus' } }, ',"location":"westus",'],
  ['secondary regions without the primary', { settings: { secondaryRegions: ['uksouth'] } }, ',"regions":[{"name":"uksouth","provisioningState":"Succeeded","isPrimary":false}],'],
  ['no identity', {}, '{"sku":'],
  [
    'a system-assigned identity',
    { settings: { identity: { type: 'SystemAssigned', principalId: 'p', userAssigned: {} } } },
    '{"identity":{"type":"SystemAssigned","principalId":"p","tenantId":"33333333-3333-4333-8333-333333333333"},"sku":',
  ],
  [
    'both identities',
    { settings: { identity: { type: 'SystemAssigned,UserAssigned', principalId: 'p', userAssigned: { '/id/0': { principalId: 'p0', clientId: 'c0' } } } } },
    '{"identity":{"type":"SystemAssigned,UserAssigned","principalId":"p","tenantId":"33333333-3333-4333-8333-333333333333","userAssignedIdentities":{"/id/0":{"principalId":"p0","clientId":"c0"}}},"sku":',
  ],
])('ManagedHsm with %s', (_, more, part) => {
  expect(body(contoso(more))).toContain(part);
});

describe('status (§2.4) is derived from a window of ten minutes', () => {
  const allocating = '"provisioningState":"Provisioning","statusMessage":"Resource creation in progress. Allocating hardware..."';
  const starting = '"provisioningState":"Provisioning","statusMessage":"Resource creation in progress. Starting service..."';
  const updating = '"provisioningState":"Updating","statusMessage":"The Managed HSM is provisioned and ready to use."';

  test.each<['create' | 'update' | 'recover', string, string, string]>([
    ['create', '2027-01-05T00:00:00Z', allocating, unknown],
    ['create', '2027-01-05T00:04:59Z', allocating, unknown],
    ['create', '2027-01-05T00:05:00Z', starting, unknown],
    ['create', '2027-01-05T00:09:59Z', starting, unknown],
    ['create', '2027-01-05T00:10:00Z', ready, active],
    ['update', '2027-01-05T00:00:00Z', updating, active],
    ['update', '2027-01-05T00:10:00Z', ready, active],
    ['recover', '2027-01-05T00:00:00Z', allocating, unknown],
    ['recover', '2027-01-05T00:10:00Z', ready, active],
  ])('%s at %s', (operation, when, status, activation) => {
    const text = body(contoso({ window: { operation, startedAt: at('2027-01-05T00:00:00Z'), readyAt: at('2027-01-05T00:10:00Z') } }), at(when));
    expect(text).toContain(`,${status},`);
    expect(text).toContain(`"securityDomainProperties":${activation}`);
  });
});

test('a deleted HSM (§2.5), member by member', () => {
  expect(JSON.stringify(deletedManagedHsm({ record: contoso({ deletion }), now }))).toBe(
    '{"id":"/subscriptions/11111111-1111-4111-8111-111111111111/providers/Microsoft.KeyVault/locations/westus/deletedManagedHSMs/Contoso"' +
      ',"name":"Contoso","type":"Microsoft.Keyvault/deletedManagedHSMs"' +
      ',"properties":{"mhsmId":"/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/Team/providers/Microsoft.KeyVault/managedHSMs/Contoso"' +
      ',"location":"westus","deletionDate":"2027-01-02T00:00:00Z","scheduledPurgeDate":"2027-01-09T00:00:00Z","purgeProtectionEnabled":false,"tags":{"dept":"hsm"}}}',
  );
});

test('the other bodies (§2.7)', () => {
  const seen = { record: contoso({ settings: { location: 'East US 2', secondaryRegions: ['uksouth'] } }), now };
  expect(JSON.stringify(regionList(seen))).toBe(
    '{"value":[{"name":"eastus2","provisioningState":"Succeeded","isPrimary":true},{"name":"uksouth","provisioningState":"Succeeded","isPrimary":false}]}',
  );
  expect(JSON.stringify(privateLinkResources(seen))).toBe(
    '{"value":[{"id":"/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/Team/providers/Microsoft.KeyVault/managedHSMs/Contoso/privateLinkResources/managedhsm"' +
      ',"name":"managedhsm","type":"Microsoft.KeyVault/managedHSMs/privateLinkResources"' +
      ',"properties":{"groupId":"managedhsm","requiredMembers":["default"],"requiredZoneNames":["privatelink.managedhsm.azure.net"]}}]}',
  );
  expect(JSON.stringify(resourceGroup(SUBSCRIPTION, { name: 'Team', location: 'westus', tags: { a: 'b' }, deleting: { since: 1 }, writeId: 'w' }))).toBe(
    '{"id":"/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/Team","name":"Team","type":"Microsoft.Resources/resourceGroups","location":"westus","tags":{"a":"b"},"properties":{"provisioningState":"Succeeded"}}',
  );
});

test('a name check (§2.7)', () => {
  expect(JSON.stringify(nameAvailability('x', undefined))).toBe('{"nameAvailable":true}');
  expect(JSON.stringify(nameAvailability('x', 'AlreadyExists'))).toBe('{"nameAvailable":false,"reason":"AlreadyExists","message":"The name \'x\' is already in use."}');
  expect(nameAvailability('a--b', 'AccountNameInvalid')).toMatchObject({ nameAvailable: false, reason: 'AccountNameInvalid' });
  expect(JSON.stringify(nameAvailability('x'.repeat(1000), 'AccountNameInvalid')).length).toBeLessThan(400);
});

describe('the URL of an operation’s result', () => {
  const parts = {
    subscription: SUBSCRIPTION,
    location: 'westus',
    incarnation: INCARNATION,
    apiVersion: '2023-07-01',
    operation: 'delete',
    name: 'Contoso',
    group: 'Team',
    readyAt: 1_800_000_000,
  } as const;

  test('carries kind, name, group, incarnation and end', () => {
    expect(operationUrl('management.azure.com', parts)).toBe(
      'https://management.azure.com/subscriptions/11111111-1111-4111-8111-111111111111/providers/Microsoft.KeyVault/locations/westus/managedHsmOperationResults/77777777-7777-4777-8777-777777777777?api-version=2023-07-01&operation=delete&name=Contoso&group=Team&readyAt=1800000000',
    );
  });

  test.each(['location', 'name', 'group', 'apiVersion'] as const)('can be a header whatever the %s that a caller forged', (member) => {
    const url = operationUrl('management.azure.com', { ...parts, [member]: 'a\r\nSet-Cookie: b/../ü?c=d&readyAt=1#e' });
    expect(url).toMatch(/^[\x21-\x7e]+$/);
    expect(new URL(url).searchParams.getAll('readyAt')).toEqual(['1800000000']);
    expect(new URL(url).pathname.split('/')).toHaveLength(9);
  });

  test.each([
    ['create', true],
    ['update', true],
    ['recover', true],
    ['delete', true],
    ['purge', true],
    ['Delete', false],
    ['expire', false],
    ['', false],
    [undefined, false],
  ])('names an operation: %j', (text, known) => {
    expect(isOperation(text)).toBe(known);
  });
});

const request = (text: string): HsmRequest => hsmRequestOf(bodyOf(parseJson(text)));
const property = (text: string): string => `{"properties":{${text}}}`;

test('az’s body of a creation (§2.2)', () => {
  expect(
    request(
      '{"location":"West US","sku":{"family":"B","name":"Standard_B1"},"properties":{"tenantId":"t","initialAdminObjectIds":["a","b"],"enableSoftDelete":true,"softDeleteRetentionInDays":7,"networkAcls":{"bypass":"AzureServices","defaultAction":"Allow"}}}',
    ),
  ).toEqual({
    recover: false,
    location: 'West US',
    sku: { family: 'B', name: 'Standard_B1' },
    tenantId: 't',
    administrators: ['a', 'b'],
    enableSoftDelete: true,
    retentionDays: 7,
    networkAcls: { bypass: 'AzureServices', defaultAction: 'Allow' },
  });
});

test('a body of everything else that can be set', () => {
  expect(
    request(
      '{"tags":{"a":"b"},"identity":{"type":"UserAssigned","userAssignedIdentities":{"/id/0":{},"/id/1":null}},"properties":{"enablePurgeProtection":true,"publicNetworkAccess":"Disabled","regions":[{"name":"uksouth"},{"name":"East US"}],"networkAcls":{"ipRules":[{"value":"10.0.0.1"}],"virtualNetworkRules":[{"id":"v"}],"serviceTags":[{"tag":"Storage"}]}}}',
    ),
  ).toEqual({
    recover: false,
    tags: { a: 'b' },
    identity: { type: 'UserAssigned', userAssignedIds: ['/id/0', '/id/1'] },
    purgeProtection: true,
    publicNetworkAccess: 'Disabled',
    secondaryRegions: ['uksouth', 'East US'],
    networkAcls: { ipRules: [{ value: '10.0.0.1' }], virtualNetworkRules: [{ id: 'v' }], serviceTags: [{ tag: 'Storage' }] },
  });
});

test('what is left out is not there: an empty body asks for nothing', () => {
  expect(request('{}')).toEqual({ recover: false });
  expect(request('{"properties":{}}')).toEqual({ recover: false });
  expect(request('{"properties":null,"sku":null,"identity":null,"tags":null}')).toEqual({ recover: false });
});

test.each([
  ['recover', true],
  ['Recover', true],
  ['RECOVER', true],
  ['default', false],
  ['Default', false],
])('createMode %j: recover is %j', (mode, recover) => {
  expect(request(property(`"createMode":"${mode}"`)).recover).toBe(recover);
});

test.each(['recovered', 'restore', ''])('createMode %j is refused', (mode) => {
  expect(endingOf(() => request(property(`"createMode":"${mode}"`)))).toBe('InvalidProperty');
});

test('what clients read and send back is not looked at: every read-only member, of any type', () => {
  const readOnly =
    '{"id":1,"name":2,"type":3,"systemData":4,"etag":5,"properties":{"hsmUri":6,"provisioningState":7,"statusMessage":8,"securityDomainProperties":9,"privateEndpointConnections":10,"scheduledPurgeDate":11},"more":{"deeper":[]}}';
  expect(request(readOnly)).toEqual({ recover: false });
});

test('az’s update sends the whole answer of a GET again, and asks for what it was', () => {
  const asked = request(body(contoso({ settings: { secondaryRegions: ['uksouth'] } })));
  expect(asked).toMatchObject({ recover: false, location: 'West US', retentionDays: 7, purgeProtection: false, secondaryRegions: ['uksouth'], tags: { dept: 'hsm' } });
});

const anyJson = ['null', '"x"', '1', 'true', '[]', '{}'];

test.each<[string, (value: string) => string, readonly string[]]>([
  ['location', (value) => `{"location":${value}}`, ['"x"']],
  ['tags', (value) => `{"tags":${value}}`, ['null', '{}']],
  ['tags.a', (value) => `{"tags":{"a":${value}}}`, ['"x"']],
  ['sku', (value) => `{"sku":${value}}`, ['null']],
  ['sku.family', (value) => `{"sku":{"family":${value},"name":"n"}}`, ['"x"']],
  ['sku.name', (value) => `{"sku":{"family":"B","name":${value}}}`, ['"x"']],
  ['identity', (value) => `{"identity":${value}}`, ['null']],
  ['identity.type', (value) => `{"identity":{"type":${value}}}`, ['"x"']],
  ['identity.userAssignedIdentities', (value) => `{"identity":{"type":"None","userAssignedIdentities":${value}}}`, ['null', '{}']],
  ['properties', (value) => `{"properties":${value}}`, ['null', '{}']],
  ...['tenantId', 'publicNetworkAccess'].map((name): [string, (value: string) => string, string[]] => [name, (value) => property(`"${name}":${value}`), ['"x"']]),
  ...['enableSoftDelete', 'enablePurgeProtection'].map((name): [string, (value: string) => string, string[]] => [name, (value) => property(`"${name}":${value}`), ['true']]),
  ['softDeleteRetentionInDays', (value) => property(`"softDeleteRetentionInDays":${value}`), ['1']],
  ['initialAdminObjectIds', (value) => property(`"initialAdminObjectIds":${value}`), ['null', '[]']],
  ['initialAdminObjectIds[0]', (value) => property(`"initialAdminObjectIds":[${value}]`), ['"x"']],
  ['regions', (value) => property(`"regions":${value}`), ['null', '[]']],
  ['regions[0]', (value) => property(`"regions":[${value}]`), []],
  ['regions[0].name', (value) => property(`"regions":[{"name":${value}}]`), ['"x"']],
  ['networkAcls', (value) => property(`"networkAcls":${value}`), ['null', '{}']],
  ...['bypass', 'defaultAction'].map((name): [string, (value: string) => string, string[]] => [name, (value) => property(`"networkAcls":{"${name}":${value}}`), ['"x"']]),
  ...['ipRules', 'virtualNetworkRules', 'serviceTags'].map((name): [string, (value: string) => string, string[]] => [
    name,
    (value) => property(`"networkAcls":{"${name}":${value}}`),
    ['null', '[]'],
  ]),
  ...(
    [
      ['ipRules', 'value'],
      ['virtualNetworkRules', 'id'],
      ['serviceTags', 'tag'],
    ] as const
  ).map(([list, name]): [string, (value: string) => string, string[]] => [`${list}[0].${name}`, (value) => property(`"networkAcls":{"${list}":[{"${name}":${value}}]}`), ['"x"']]),
])('%s has one type', (_, bodyWith, accepted) => {
  expect(anyJson.filter((value) => endingOf(() => request(bodyWith(value))) === 'accepted')).toEqual(accepted);
});

test.each<[string, string, Ending]>([
  ['a whole sku', '{"sku":{"family":"B","name":"Standard_B1"}}', 'accepted'],
  ['a sku without a family', '{"sku":{"name":"Standard_B1"}}', 'InvalidRequestContent'],
  ['a sku without a name', '{"sku":{"family":"B"}}', 'InvalidRequestContent'],
  ['an identity without a type', '{"identity":{}}', 'InvalidRequestContent'],
  ['a region without a name', property('"regions":[{}]'), 'InvalidRequestContent'],
])('%s', (_, text, ending) => {
  expect(endingOf(() => request(text))).toBe(ending);
});

test('a refusal says where in the body the fault is', () => {
  expect(messageOf(() => request(property('"networkAcls":{"ipRules":[{"value":"a"},{"value":1}]}')))).toContain("'properties.networkAcls.ipRules[1].value'");
  expect(messageOf(() => request(property('"regions":[{}]')))).toContain("'properties.regions[0].name' is missing");
});

test('names of members are read in any case', () => {
  expect(request('{"LOCATION":"West US","Sku":{"Family":"B","NAME":"Standard_B1"},"Properties":{"TENANTID":"t","CreateMode":"Recover","softdeleteretentionindays":7}}')).toEqual({
    recover: true,
    location: 'West US',
    sku: { family: 'B', name: 'Standard_B1' },
    tenantId: 't',
    retentionDays: 7,
  });
});

test('tags named __proto__ and constructor come back as they were sent', () => {
  const settings = settingsOfNew(
    request('{"location":"West US","tags":{"__proto__":"p","constructor":"c"},"properties":{"initialAdminObjectIds":["44444444-4444-4444-8444-444444444444"]}}'),
    TENANT,
    countingIds(),
  );
  expect(body(contoso({ settings }))).toContain(',"tags":{"__proto__":"p","constructor":"c"},');
});

test('the service’s order of members is kept whatever order they were sent in', () => {
  const settings = settingsOfNew(
    request(
      '{"sku":{"name":"Standard_B1","family":"B"},"location":"West US","properties":{"networkAcls":{"serviceTags":[{"tag":"t"}],"ipRules":[],"defaultAction":"Deny","bypass":"None"},"initialAdminObjectIds":["44444444-4444-4444-8444-444444444444"]}}',
    ),
    TENANT,
    countingIds(),
  );
  const text = body(contoso({ settings }));
  expect(text).toMatch(/^\{"sku":\{"family":"B","name":"Standard_B1"\},"id":/);
  expect(text).toContain('"networkAcls":{"bypass":"None","defaultAction":"Deny","ipRules":[],"virtualNetworkRules":[],"serviceTags":[{"tag":"t"}]}');
});
