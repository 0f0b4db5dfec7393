// The control plane's operations on managed HSMs over HTTP on Azurite: bodies as text, headers and polls, typed by hand from contract.md §2. The storage's clock stands still wherever an instant is asserted.
import { seedDirectory } from '../../local/principals';
import { createClient, type Reply } from '../kit/client';
import { type ObservedService, startObservedService } from '../kit/observedService';
import { ADMINISTRATOR, deletedList, deletedPath, groupPath, hsmPath, newHsm, recovering, SUBSCRIPTION } from '../kit/resources';
import { ARM_AUDIENCE, OTHER_SUBSCRIPTION_ID, SUBSCRIPTION_ID, TENANT_ID } from '../kit/service';
import { mintToken } from '../kit/tokens';

const OWNER_APPLICATION = seedDirectory(TENANT_ID).principals.find(({ name }) => name === 'owner')?.clientId;
const RESULTS =
  /^https:\/\/management\.azure\.com\/subscriptions\/22222222-2222-4222-8222-222222222222\/providers\/Microsoft\.KeyVault\/locations\/westus\/managedHsmOperationResults\/[0-9a-f-]{36}\?api-version=2023-07-01&/;
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

jest.setTimeout(120_000); // a slow machine is no failure

let observed: ObservedService;
let owner: ReturnType<ObservedService['service']['as']>;
const at = (instant: string) => observed.proxy.setDate(new Date(instant));

beforeAll(async () => {
  observed = await startObservedService();
  owner = observed.service.as('owner');
  at('2027-01-01T00:00:00Z');
  await owner.send('PUT', groupPath('rg1'), { location: 'westus' });
});
afterAll(() => observed.stop());
afterEach(() => expect(observed.faults()).toEqual([]));

/** 202, nothing but a Location, and the resource that one poll of it brings. */
const accepted = async (reply: Reply): Promise<Reply> => {
  expect([reply.status, reply.text]).toEqual([202, '']);
  expect(reply.headers).toMatchObject({ location: expect.stringMatching(RESULTS), 'retry-after': '1' });
  expect(reply.headers).not.toHaveProperty('azure-asyncoperation');
  return poll(reply);
};
const poll = (reply: Reply): Promise<Reply> => {
  const { pathname, search } = new URL(String(reply.headers.location));
  return owner.send('GET', pathname + search);
};
const statuses = async (...replies: readonly Promise<Reply>[]) => (await Promise.all(replies)).map(({ status, json }) => (json?.error ? `${status} ${json.error.code}` : status));

const ALL = `{"identity":{"type":"UserAssigned","userAssignedIdentities":{"/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/u":{"principalId":"*","clientId":"*"}}},\
"sku":{"family":"B","name":"Custom_B32"},"id":"/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg1/providers/Microsoft.KeyVault/managedHSMs/All-Options1","name":"All-Options1",\
"type":"Microsoft.KeyVault/managedHSMs","location":"West US","tags":{"env":"test","Owner":"hsm team"},\
"systemData":{"createdBy":"${OWNER_APPLICATION}","createdByType":"Application","createdAt":"2027-01-01T00:00:00.000Z","lastModifiedBy":"${OWNER_APPLICATION}","lastModifiedByType":"Application","lastModifiedAt":"2027-01-01T00:00:00.000Z"},\
"properties":{"tenantId":"11111111-1111-4111-8111-111111111111","hsmUri":"https://all-options1.managedhsm.azure.net/",\
"initialAdminObjectIds":["33333333-3333-4333-8333-333333333333","55555555-5555-4555-8555-555555555555"],"enableSoftDelete":true,"softDeleteRetentionInDays":30,"enablePurgeProtection":true,\
"provisioningState":"Succeeded","statusMessage":"The Managed HSM is provisioned and ready to use.",\
"networkAcls":{"bypass":"None","defaultAction":"Deny","ipRules":[{"value":"10.1.0.0/16"}],"virtualNetworkRules":[{"id":"/subscriptions/s/vnet"}],"serviceTags":[{"tag":"Storage"}]},\
"publicNetworkAccess":"Disabled","regions":[{"name":"uksouth","provisioningState":"Succeeded","isPrimary":false}],\
"securityDomainProperties":{"activationStatus":"Active","activationStatusMessage":"Your HSM has been activated and can be used for cryptographic operations."}}}`;

test('create with every option, show, regions, private links, and a delete that waits for its secondary region', async () => {
  const path = hsmPath('All-Options1');
  const created = await accepted(
    await owner.send('PUT', path, {
      location: 'West US',
      sku: { family: 'B', name: 'Custom_B32' },
      tags: { env: 'test', Owner: 'hsm team' },
      identity: { type: 'UserAssigned', userAssignedIdentities: { '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/u': {} } },
      properties: {
        tenantId: TENANT_ID,
        initialAdminObjectIds: [ADMINISTRATOR, '55555555-5555-4555-8555-555555555555'],
        enableSoftDelete: true,
        softDeleteRetentionInDays: 30,
        enablePurgeProtection: true,
        networkAcls: {
          bypass: 'None',
          defaultAction: 'Deny',
          ipRules: [{ value: '10.1.0.0/16' }],
          virtualNetworkRules: [{ id: '/subscriptions/s/vnet' }],
          serviceTags: [{ tag: 'Storage' }],
        },
        publicNetworkAccess: 'Disabled',
        regions: [{ name: 'UK South' }],
      },
    }),
  );
  expect(created.status).toBe(200);
  for (const reply of [created, await owner.send('GET', path), await owner.send('GET', `${path.toUpperCase()}/`)]) {
    const [identity] = Object.values(reply.json.identity.userAssignedIdentities) as { principalId: string; clientId: string }[];
    expect([identity?.principalId, identity?.clientId]).toEqual([expect.stringMatching(GUID), expect.stringMatching(GUID)]);
    expect(reply.text.replace(/"(principalId|clientId)":"[^"]*"/g, '"$1":"*"')).toBe(ALL);
  }
  expect((await owner.send('GET', `${path}/regions`)).text).toBe(
    '{"value":[{"name":"westus","provisioningState":"Succeeded","isPrimary":true},{"name":"uksouth","provisioningState":"Succeeded","isPrimary":false}]}',
  );
  expect((await owner.send('GET', `${path}/privateLinkResources`)).json).toEqual({
    value: [
      {
        id: `${path}/privateLinkResources/managedhsm`,
        name: 'managedhsm',
        type: 'Microsoft.KeyVault/managedHSMs/privateLinkResources',
        properties: { groupId: 'managedhsm', requiredMembers: ['default'], requiredZoneNames: ['privatelink.managedhsm.azure.net'] },
      },
    ],
  });
  expect((await owner.send('GET', `${path}/privateEndpointConnections`)).text).toBe('{"value":[]}');
  const connection = `${path}/privateEndpointConnections/pec`;
  expect(await statuses(owner.send('GET', connection), owner.send('PUT', connection, {}), owner.send('DELETE', connection))).toEqual(Array(3).fill('400 NotSupported'));

  const refused = await owner.send('DELETE', path);
  expect([refused.status, refused.text]).toEqual([
    400,
    '{"error":{"code":"400","message":"Soft delete of a pool All-Options1 that is extended to regions (uksouth) is not allowed."}}',
  ]);
  const whole = (await owner.send('GET', path)).json;
  const reduced = await accepted(await owner.send('PATCH', path, { ...whole, properties: { ...whole.properties, regions: [] } }));
  expect([reduced.status, reduced.json.properties.regions]).toEqual([200, []]);
  expect((await accepted(await owner.send('DELETE', path))).status).toBe(200);
  const purge = await owner.send('POST', `${deletedPath('all-options1')}/purge`);
  expect([purge.status, purge.text]).toEqual([405, `{"error":{"code":"MethodNotAllowed","message":"Operation 'DeletedManagedHsmPurge' is not allowed."}}`]);
});

test('what a creation leaves out has its default, and every answer its headers', async () => {
  at('2027-02-03T04:05:06Z');
  const path = hsmPath('defaults');
  const put = await owner.send('PUT', path, { location: 'westus', properties: { initialAdminObjectIds: [ADMINISTRATOR] } });
  const { json, headers } = await accepted(put);
  expect(json).not.toHaveProperty('identity');
  expect(json).toMatchObject({ sku: { family: 'B', name: 'Standard_B1' }, location: 'westus', tags: {}, systemData: { createdAt: '2027-02-03T04:05:06.000Z' } });
  expect(json.properties).toMatchObject({
    enableSoftDelete: true,
    softDeleteRetentionInDays: 90,
    enablePurgeProtection: false,
    networkAcls: { bypass: 'AzureServices', defaultAction: 'Allow', ipRules: [], virtualNetworkRules: [] },
    publicNetworkAccess: 'Enabled',
    regions: [],
  });
  const ours = {
    'cache-control': 'no-cache',
    pragma: 'no-cache',
    expires: '-1',
    'x-ms-request-id': expect.stringMatching(GUID),
    'x-ms-correlation-request-id': expect.stringMatching(GUID),
    'x-ms-routing-request-id': expect.any(String),
    'strict-transport-security': expect.stringContaining('max-age='),
    'x-content-type-options': 'nosniff',
  };
  const provider = { ...ours, 'x-ms-keyvault-service-version': expect.stringMatching(/^1\.5\./), 'x-aspnet-version': expect.any(String), server: 'Microsoft-IIS/10.0' };
  expect(put.headers).toMatchObject({ ...provider, 'x-ms-ratelimit-remaining-subscription-writes': expect.any(String) });
  expect(headers).toMatchObject({ ...provider, 'content-type': 'application/json; charset=utf-8', 'x-ms-ratelimit-remaining-subscription-reads': expect.any(String) });
  expect((await owner.send('GET', hsmPath('nobody-there'))).headers).toMatchObject({ ...provider, 'content-type': 'application/json; charset=utf-8' });
  const list = await owner.send('GET', `${SUBSCRIPTION}/providers/Microsoft.KeyVault/managedHSMs`, undefined, {
    headers: { 'x-ms-correlation-request-id': '66666666-6666-4666-8666-666666666666' },
  });
  expect(list.headers).toMatchObject({ ...ours, 'x-ms-original-request-ids': expect.any(String), 'x-ms-correlation-request-id': '66666666-6666-4666-8666-666666666666' });
  expect(list.headers).not.toHaveProperty('x-ms-keyvault-service-version');
  expect((await owner.send('DELETE', path)).headers).toMatchObject({ 'x-ms-ratelimit-remaining-subscription-deletes': expect.any(String) });
});

test("az's own walk: create, update-hsm, delete, recover, purge", async () => {
  at('2027-03-01T00:00:00Z');
  const path = hsmPath('azwalk');
  const sku = { family: 'B', name: 'Standard_B1' };
  await accepted(
    await owner.send('PUT', path, {
      location: 'westus',
      sku,
      properties: {
        tenantId: TENANT_ID,
        initialAdminObjectIds: [ADMINISTRATOR],
        enableSoftDelete: true,
        softDeleteRetentionInDays: 7,
        networkAcls: { bypass: 'AzureServices', defaultAction: 'Allow' },
      },
    }),
  );
  at('2027-03-02T00:00:00Z');
  const shown = (await owner.send('GET', path)).json;
  const user = createClient(() => observed.service.port(), userToken());
  const updated = await accepted(await user.send('PUT', path, { ...shown, tags: { tier: 'gold' }, properties: { ...shown.properties, enablePurgeProtection: false } }));
  expect(updated.json).toEqual({
    ...shown,
    tags: { tier: 'gold' },
    systemData: { ...shown.systemData, lastModifiedBy: 'owner@local.test', lastModifiedByType: 'User', lastModifiedAt: '2027-03-02T00:00:00.000Z' },
  });
  const partly = await accepted(await owner.send('PATCH', path, { properties: { networkAcls: { bypass: 'None', defaultAction: 'Deny' } } }));
  expect(partly.json).toMatchObject({ tags: { tier: 'gold' }, properties: { softDeleteRetentionInDays: 7, networkAcls: { bypass: 'None', defaultAction: 'Deny' } } });

  at('2027-03-03T10:20:30Z');
  expect(await accepted(await owner.send('DELETE', path))).toMatchObject({ status: 200, text: '' });
  const item = `{"id":"/subscriptions/22222222-2222-4222-8222-222222222222/providers/Microsoft.KeyVault/locations/westus/deletedManagedHSMs/azwalk","name":"azwalk",\
"type":"Microsoft.Keyvault/deletedManagedHSMs","properties":{"mhsmId":"/subscriptions/22222222-2222-4222-8222-222222222222/resourceGroups/rg1/providers/Microsoft.KeyVault/managedHSMs/azwalk",\
"location":"westus","deletionDate":"2027-03-03T10:20:30Z","scheduledPurgeDate":"2027-03-10T10:20:30Z","purgeProtectionEnabled":false,"tags":{"tier":"gold"}}}`;
  expect((await owner.send('GET', deletedPath('azwalk'))).text).toBe(item);
  expect((await owner.send('GET', deletedPath('AZWALK', 'West%20US'))).text).toBe(item);
  expect((await owner.send('GET', deletedList())).text).toContain(item);
  const gone = await owner.send('GET', path);
  expect([gone.status, gone.text]).toEqual([
    404,
    `{"error":{"code":"ResourceNotFound","message":"The Resource 'Microsoft.KeyVault/managedHSMs/azwalk' under resource group 'rg1' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"}}`,
  ]);
  expect((await owner.send('GET', `${groupPath('rg1')}/providers/Microsoft.KeyVault/managedHSMs`)).text).not.toContain('azwalk');
  const again = await owner.send('PUT', path, newHsm());
  expect([again.status, again.text]).toEqual([
    409,
    '{"error":{"code":"ConflictError","message":"A KV MHSM with the same name already exists in deleted state. You need to either recover or purge existing KV MHSM."}}',
  ]);
  expect(await statuses(owner.send('DELETE', path), owner.send('PATCH', path, { tags: {} }))).toEqual([204, '404 ResourceNotFound']);

  at('2027-03-04T00:00:00Z');
  const recovered = await accepted(await owner.send('PUT', path, { location: 'westus', sku, properties: { tenantId: TENANT_ID, createMode: 'Recover' } }));
  expect(recovered.json).toEqual({
    ...partly.json,
    systemData: { ...partly.json.systemData, lastModifiedBy: OWNER_APPLICATION, lastModifiedByType: 'Application', lastModifiedAt: '2027-03-04T00:00:00.000Z' },
  });
  expect((await owner.send('GET', path)).text).toBe(recovered.text);
  expect((await owner.send('GET', deletedPath('azwalk'))).text).toBe(
    '{"error":{"code":"ResourceNotFound","message":"The specified resource does not exist. Follow this link for more information: https://go.microsoft.com/fwlink/?linkid=2147446"}}',
  );
  at('2027-03-05T00:00:00Z');
  await accepted(await owner.send('DELETE', path));
  expect((await owner.send('GET', deletedPath('azwalk'))).json.properties).toMatchObject({ deletionDate: '2027-03-05T00:00:00Z', scheduledPurgeDate: '2027-03-12T00:00:00Z' });
  expect(await accepted(await owner.send('POST', `${deletedPath('azwalk')}/purge`))).toMatchObject({ status: 200, text: '' });
  expect(await statuses(owner.send('GET', deletedPath('azwalk')), owner.send('POST', `${deletedPath('azwalk')}/purge`), owner.send('PUT', path, recovering))).toEqual([
    '404 ResourceNotFound',
    '404 ResourceNotFound',
    '404 SoftDeletedVaultDoesNotExist',
  ]);
  expect((await owner.finish('PUT', path, newHsm())).json.systemData.createdAt).toBe('2027-03-05T00:00:00.000Z');
});

const userToken = () =>
  mintToken({ tenantId: TENANT_ID, directory: seedDirectory(TENANT_ID) }, observed.service.signingKey, { principal: 'owner', kind: 'user', audience: ARM_AUDIENCE });

test('tags are data, whatever they are called and hold', async () => {
  const tags = '{"__proto__":"a","constructor":"b","line \u2028 separator":"\u2029 \u00fc \ud83d\ude00 \'"}';
  const body = JSON.stringify(newHsm()).replace('{', `{"tags":${tags},`);
  expect((await owner.finish('PUT', hsmPath('tagged'), body)).status).toBe(200);
  expect((await owner.send('GET', hsmPath('tagged'))).text).toContain(`"tags":${JSON.stringify(JSON.parse(tags))}`);
});

test('lists, by group and by subscription, whole and in pages', async () => {
  const other = `/subscriptions/${OTHER_SUBSCRIPTION_ID}`;
  await owner.send('PUT', groupPath('rg-pages', other), { location: 'westus' });
  await owner.send('PUT', groupPath('rg-more', other), { location: 'westus' });
  expect((await owner.send('GET', `${other}/providers/Microsoft.KeyVault/managedHSMs`)).text).toBe('{"value":[]}');
  for (const [name, group] of [
    ['page-a', 'rg-pages'],
    ['page-b', 'rg-more'],
    ['page-c', 'rg-pages'],
    ['page-d', 'rg-pages'],
  ] as const)
    await owner.finish('PUT', hsmPath(name, group, other), newHsm());
  const pagesOf = async (list: string): Promise<readonly (readonly string[])[]> => {
    const pages: string[][] = [];
    for (let next: string | undefined = list; next !== undefined; ) {
      const { json } = await owner.send('GET', next);
      pages.push(json.value.map(({ name }: { name: string }) => name));
      if (json.nextLink) expect(json.nextLink).toMatch(/^https:\/\/management\.azure\.com\/.*[?&]api-version=2023-07-01(&|$)/);
      next = json.nextLink?.replace('https://management.azure.com', '');
    }
    return pages;
  };
  const inGroup = `${groupPath('rg-pages', other)}/providers/Microsoft.KeyVault/managedHSMs`;
  const inSubscription = `${other}/providers/Microsoft.KeyVault/managedHSMs`;
  expect(await pagesOf(inSubscription)).toEqual([['page-a', 'page-b', 'page-c', 'page-d']]);
  expect(await pagesOf(inGroup)).toEqual([['page-a', 'page-c', 'page-d']]);
  expect(await pagesOf(`${inSubscription}?$top=3`)).toEqual([['page-a', 'page-b', 'page-c'], ['page-d']]);
  expect(await pagesOf(`${inGroup}?$top=1`)).toEqual([['page-a'], ['page-c'], ['page-d']]);
  expect(await pagesOf(`${inSubscription}?$top=4`)).toEqual([['page-a', 'page-b', 'page-c', 'page-d']]);
  const [first] = (await owner.send('GET', inGroup)).json.value;
  expect(JSON.stringify(first)).toBe((await owner.send('GET', hsmPath('page-a', 'rg-pages', other))).text);
  for (const name of ['page-a', 'page-c']) await owner.finish('DELETE', hsmPath(name, 'rg-pages', other));
  expect([await pagesOf(inSubscription), await pagesOf(deletedList(other)), await pagesOf(`${deletedList(other)}?$top=1`)]).toEqual([
    [['page-b', 'page-d']],
    [['page-a', 'page-c']],
    [['page-a'], ['page-c']],
  ]);
});

test('the name check says what a creation would', async () => {
  const check = async (name: string, subscription = SUBSCRIPTION) =>
    (await owner.send('POST', `${subscription}/providers/Microsoft.KeyVault/checkMhsmNameAvailability`, { name })).text;
  await owner.finish('PUT', hsmPath('checked'), newHsm());
  expect(await check('free-name')).toBe('{"nameAvailable":true}');
  const taken = `{"nameAvailable":false,"reason":"AlreadyExists","message":"The name 'Checked' is already in use."}`;
  expect([await check('Checked'), await check('Checked', `/subscriptions/${OTHER_SUBSCRIPTION_ID}`)]).toEqual([taken, taken]);
  await owner.finish('DELETE', hsmPath('checked'));
  expect(await check('Checked')).toBe(taken);
  await owner.finish('POST', `${deletedPath('checked')}/purge`);
  expect(await check('Checked')).toBe('{"nameAvailable":true}');
  expect(JSON.parse(await check('no--double'))).toEqual({ nameAvailable: false, reason: 'AccountNameInvalid', message: expect.any(String) });
  // Anybody with a token may ask, and an HSM of another group or subscription holds its name as well.
  expect((await observed.service.as('nobody').send('POST', `${SUBSCRIPTION}/providers/Microsoft.KeyVault/checkMhsmNameAvailability`, { name: 'x1y' })).status).toBe(200);
});

test('roles: a Managed HSM contributor works with HSMs, a reader sees them, nobody sees nothing', async () => {
  const [contributor, reader, nobody] = ['contributor', 'auditor', 'nobody'].map((name) => observed.service.as(name)) as [typeof owner, typeof owner, typeof owner];
  expect((await contributor.finish('PUT', hsmPath('by-roles'), newHsm())).status).toBe(200);
  expect(await statuses(...[contributor, reader, nobody].map((client) => client.send('GET', hsmPath('by-roles'))))).toEqual([200, 200, '403 AuthorizationFailed']);
  expect(await statuses(...[reader, nobody].map((client) => client.send('DELETE', hsmPath('by-roles'))))).toEqual(Array(2).fill('403 AuthorizationFailed'));
  expect((await contributor.finish('DELETE', hsmPath('by-roles'))).status).toBe(200);
  expect(await statuses(...[contributor, reader, nobody].map((client) => client.send('GET', deletedPath('by-roles'))))).toEqual([200, 200, '403 AuthorizationFailed']);
  expect((await reader.send('POST', `${deletedPath('by-roles')}/purge`)).json.error.message).toMatch(
    new RegExp(
      `^The client '[0-9a-f-]{36}' with object id '[0-9a-f-]{36}' does not have authorization to perform action 'Microsoft.KeyVault/locations/deletedManagedHsms/purge/action' over scope '/subscriptions/${SUBSCRIPTION_ID}[^']*' or the scope is invalid\\. If access was recently granted, please refresh your credentials\\.$`,
    ),
  );
  expect((await contributor.finish('POST', `${deletedPath('by-roles')}/purge`)).status).toBe(200);
  expect(await statuses(contributor.send('PUT', groupPath('rg-roles'), { location: 'westus' }), nobody.send('GET', groupPath('rg1')))).toEqual(
    Array(2).fill('403 AuthorizationFailed'),
  );
});
