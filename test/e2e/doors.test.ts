// The doors of the app, all of them: what is registered, who gets in, which function a path reaches, and that each orchestrator finds its activities. A door that is added and not listed here fails.
import { type AppDescription, type AppFunction, describeApp } from '../kit/appDescription';
import { type ObservedService, startObservedService } from '../kit/observedService';
import { rawHttp } from '../kit/rawHttp';
import { groupPath, hsmPath, newHsm } from '../kit/resources';
import { routeFaults } from '../kit/routeFaults';
import { SUBSCRIPTION_ID } from '../kit/service';

jest.setTimeout(120_000); // a slow machine is no failure

let app: AppDescription;
let observed: ObservedService;
beforeAll(async () => {
  [app, observed] = await Promise.all([describeApp(), startObservedService({ disabled: ['sweep'] })]);
});
afterAll(() => observed.stop());
afterEach(() => expect(observed.faults()).toEqual([]));

/** Each operation and the action that it asks for: contract.md §6.1, and Azure's own list for what is not Microsoft.KeyVault's. Typed by hand. */
const ACTIONS: Readonly<Record<string, string>> = {
  ManagedHsms_CreateOrUpdate: 'Microsoft.KeyVault/managedHSMs/write',
  ManagedHsms_Update: 'Microsoft.KeyVault/managedHSMs/write',
  ManagedHsms_Get: 'Microsoft.KeyVault/managedHSMs/read',
  ManagedHsms_Delete: 'Microsoft.KeyVault/managedHSMs/delete',
  ManagedHsms_ListByResourceGroup: 'Microsoft.KeyVault/managedHSMs/read',
  ManagedHsms_ListBySubscription: 'Microsoft.KeyVault/managedHSMs/read',
  MHSMRegions_ListByResource: 'Microsoft.KeyVault/managedHSMs/read',
  MHSMPrivateLinkResources_ListByMHSMResource: 'Microsoft.KeyVault/managedHSMs/privateLinkResources/read',
  MHSMPrivateEndpointConnections_ListByResource: 'Microsoft.KeyVault/managedHSMs/privateEndpointConnections/read',
  MHSMPrivateEndpointConnections_Get: 'Microsoft.KeyVault/managedHSMs/privateEndpointConnections/read',
  MHSMPrivateEndpointConnections_Put: 'Microsoft.KeyVault/managedHSMs/privateEndpointConnections/write',
  MHSMPrivateEndpointConnections_Delete: 'Microsoft.KeyVault/managedHSMs/privateEndpointConnections/delete',
  ManagedHsms_ListDeleted: 'Microsoft.KeyVault/deletedManagedHsms/read',
  ManagedHsms_GetDeleted: 'Microsoft.KeyVault/locations/deletedManagedHsms/read',
  ManagedHsms_PurgeDeleted: 'Microsoft.KeyVault/locations/deletedManagedHsms/purge/action',
  ManagedHsms_OperationResult: 'Microsoft.KeyVault/locations/managedHsmOperationResults/read',
  Vaults_ListDeleted: 'Microsoft.KeyVault/deletedVaults/read',
  Vaults_ListBySubscription: 'Microsoft.KeyVault/vaults/read',
  Vaults_Get: 'Microsoft.KeyVault/vaults/read',
  Providers_Register: 'Microsoft.KeyVault/register/action',
  Providers_List: 'Microsoft.Resources/subscriptions/providers/read',
  Providers_Get: 'Microsoft.Resources/subscriptions/providers/read',
  Subscriptions_Get: 'Microsoft.Resources/subscriptions/read',
  Subscriptions_ListLocations: 'Microsoft.Resources/subscriptions/locations/read',
  Resources_List: 'Microsoft.Resources/subscriptions/resources/read',
  Resources_ListByResourceGroup: 'Microsoft.Resources/subscriptions/resourceGroups/resources/read',
  ResourceGroups_List: 'Microsoft.Resources/subscriptions/resourceGroups/read',
  ResourceGroups_CreateOrUpdate: 'Microsoft.Resources/subscriptions/resourceGroups/write',
  ResourceGroups_Update: 'Microsoft.Resources/subscriptions/resourceGroups/write',
  ResourceGroups_Get: 'Microsoft.Resources/subscriptions/resourceGroups/read',
  ResourceGroups_CheckExistence: 'Microsoft.Resources/subscriptions/resourceGroups/read',
  ResourceGroups_Delete: 'Microsoft.Resources/subscriptions/resourceGroups/delete',
  ResourceGroups_DeleteResult: 'Microsoft.Resources/subscriptions/operationresults/read',
};
/** The same on the data plane: contract.md §4.1. */
const KEY_ACTIONS: Readonly<Record<string, string>> = {
  CreateKey: 'keys/create',
  GetKey: 'keys/read/action',
  GetKey_latest: 'keys/read/action',
  GetKeyVersions: 'keys/read/action',
  GetKeys: 'keys/read/action',
  UpdateKey: 'keys/write/action',
  UpdateKey_latest: 'keys/write/action',
  DeleteKey: 'keys/delete',
  GetDeletedKeys: 'keys/deletedKeys/read/action',
  GetDeletedKey: 'keys/deletedKeys/read/action',
  RecoverDeletedKey: 'keys/deletedKeys/recover/action',
  PurgeDeletedKey: 'keys/deletedKeys/delete',
};
/** Operations for any authenticated caller: they tell nothing that is not said to everybody, or filter by the caller's own roles. */
const WITHOUT_ACTION = ['ManagedHsms_CheckMhsmNameAvailability', 'Operations_List', 'Subscriptions_List'];
/** Functions that are no operations: one trigger each, and the catch-all, which takes operations from the same table or refuses. */
const EXEMPT = ['cleanup', 'lookAtDeletion', 'purgeAtDeadline', 'sweep', 'zFallback'];
const ORCHESTRATORS = { purgeAtDeadline: ['lookAtDeletion'] };

test('every registered function is an operation row with its action, or exempt by name', () => {
  expect(app.functions.map(({ name }) => name).sort()).toEqual([...Object.keys(ACTIONS), ...Object.keys(KEY_ACTIONS), ...WITHOUT_ACTION, ...EXEMPT].sort());
  expect(Object.fromEntries(app.operations.filter(({ action }) => action !== undefined).map(({ name, action }) => [name, action]))).toEqual({ ...ACTIONS, ...KEY_ACTIONS });
  expect(
    app.operations
      .filter(({ action }) => action === undefined)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(WITHOUT_ACTION);
  for (const { name, method, route } of app.operations) expect(app.functions.find((one) => one.name === name)).toEqual({ name, trigger: 'httpTrigger', route, methods: [method] });
});

test('routes are disjoint, but for the catch-all, which comes last', () => {
  expect(routeFaults(app.functions.filter(({ trigger }) => trigger === 'httpTrigger'))).toEqual([]);
});

const ROUTE_CASES: readonly (readonly [string, readonly Pick<AppFunction, 'name' | 'route' | 'methods'>[], number])[] = [
  ['a catch-all that comes first', [door('Any', '{*rest}'), door('Keys', 'keys/{name}')], 1],
  ['its twin, which comes last', [door('zAny', '{*rest}'), door('Keys', 'keys/{name}')], 0],
  ['a parameter before the literal that it hides', [door('GetKey', 'keys/{name}/{version}'), door('GetVersions', 'KEYS/{name}/versions')], 1],
  ['its twin in the right order', [door('GetVersion', 'keys/{name}/versions'), door('ReadKey', 'keys/{name}/{version}')], 0],
  ['its twin with a constraint', [door('GetKey', 'keys/{name}/{version:regex(^[0-9a-f]{{32}}$)}'), door('GetVersions', 'keys/{name}/versions')], 0],
  ['the same route twice', [door('A', 'keys/{name}'), door('B', 'keys/{key}')], 1],
  ['its twin by another method', [door('A', 'keys/{name}'), { ...door('B', 'keys/{key}'), methods: ['PUT'] }], 0],
  ['each more specific in one segment', [door('A', 'keys/{name}/versions'), door('B', 'keys/restore/{version}')], 1],
  ['other lengths', [door('A', 'keys/{name}'), door('B', 'keys/{name}/{version}')], 0],
];
test.each(ROUTE_CASES)('the proof of routes finds what is wrong: %s', (_, functions, faults) => expect(routeFaults(functions)).toHaveLength(faults));

function door(name: string, route: string): Pick<AppFunction, 'name' | 'route' | 'methods'> {
  return { name, route, methods: ['GET'] };
}

/** A path that a route matches, with names of things that are not there. */
const pathOf = (route: string) =>
  `/${route
    .replace('{subscription}', SUBSCRIPTION_ID)
    .replace('{location}', 'westus')
    .replace('{namespace}', 'Microsoft.KeyVault')
    .replace(/\{version:regex\(.*\)\}/, '0123456789abcdef0123456789abcdef')
    .replace('{*rest}', 'no/such/path')
    .replace(/\{\w+\}/g, 'absent')}`;
const CONTROL = 'management.azure.com';
/** What the host itself does besides: it looks for messages. */
const storageCalls = () => observed.proxy.count(({ service, method, path }) => service === 'table' || (service === 'queue' && !(method === 'GET' && path.includes('/messages'))));
const knock = (method: string, path: string, headers: Readonly<Record<string, string>> = {}, host = CONTROL) =>
  rawHttp(observed.service.port(), {
    method,
    target: `${path}${path.includes('?') ? '&' : '?'}api-version=2023-07-01`,
    headers: { host, ...headers },
    ...(['PUT', 'PATCH', 'POST'].includes(method) && { body: '{}' }),
  });
const bearer = (principal: string) => ({ authorization: `Bearer ${observed.service.token(principal)}`, 'content-type': 'application/json' });

test('every function by every method: without a token 401, and the storage is not asked', async () => {
  const doors = app.functions.filter(({ trigger }) => trigger === 'httpTrigger').flatMap(({ route, methods }) => methods.map((method) => [method, pathOf(route)] as const));
  expect(doors.length).toBeGreaterThanOrEqual(43);
  const before = storageCalls();
  for (const [method, path] of doors) {
    const reply = await knock(method, path);
    expect([method, path, reply.status, reply.headers['www-authenticate']]).toEqual([
      ...[method, path, 401],
      `Bearer authorization_uri="https://login.microsoftonline.com/11111111-1111-4111-8111-111111111111", error="invalid_token", error_description="Authentication failed. The 'Authorization' header is missing."`,
    ]);
    if (method !== 'HEAD') expect(reply.json).toEqual({ error: { code: 'AuthenticationFailed', message: "Authentication failed. The 'Authorization' header is missing." } });
    // The Host of an HSM, and one of neither plane, get no further; nor does a token that is none.
    const others = [
      await knock(method, path, {}, 'contoso.managedhsm.azure.net'),
      await knock(method, path, {}, 'example.org'),
      await knock(method, path, { authorization: 'Bearer x.y.z' }),
    ];
    expect(others.map(({ status }) => status)).toEqual([401, 400, 401]);
  }
  expect(storageCalls()).toBe(before);
  // The counter counts: the same request with a token reaches the storage.
  expect((await knock('GET', hsmPath('absent'), bearer('owner'))).status).toBe(404);
  expect(storageCalls()).toBeGreaterThan(before);
});

test('every path reaches its own operation: refused, the caller is told its action', async () => {
  for (const { name, method, route } of app.operations.filter(({ plane, action }) => plane === 'control' && action !== undefined)) {
    const path = pathOf(route);
    for (const target of [path, `${path.toUpperCase()}/`, path.replace('/subscriptions/', '/subscriptions//')]) {
      const reply = await knock(method, target, bearer('nobody'));
      const told = /perform action '([^']*)'/.exec(reply.json?.error.message ?? '')?.[1];
      expect([name, target, reply.status, told]).toEqual([name, target, 403, method === 'HEAD' ? undefined : ACTIONS[name]]);
    }
  }
});

test('every data-plane path reaches its own operation: refused, the caller is told its data action', async () => {
  const owner = observed.service.as('owner');
  await owner.send('PUT', groupPath(), { location: 'westus' });
  await owner.finish('PUT', hsmPath('doors'), newHsm());
  const nobody = observed.service.hsm('doors', 'nobody');
  for (const { name, method, route } of app.operations.filter(({ plane }) => plane === 'hsm')) {
    const path = pathOf(route);
    for (const target of [path, `${path.toUpperCase()}/`, path.replace(/^\/([a-z]+)\//, '/$1//')]) {
      const { status, json } = await nobody.send(method, target, ['POST', 'PATCH'].includes(method) ? {} : undefined);
      const told = /Not authorized to access Microsoft.KeyVault\/managedHsm\/(\S+) on /.exec(json?.error.message ?? '')?.[1];
      expect([name, target, status, told]).toEqual([name, target, 403, KEY_ACTIONS[name]]);
    }
  }
});

test('a path that is no route is 404, a method that a route does not take 405', async () => {
  const reply = async (method: string, path: string) => {
    const { status, json } = await knock(method, path, bearer('owner'));
    return [status, json?.error];
  };
  expect(await reply('GET', '/no/such/path')).toEqual([404, { code: 'NotFound', message: 'No operation answers /no/such/path. README lists the operations.' }]);
  expect(await reply('POST', hsmPath('x'))).toEqual([405, { code: 'MethodNotAllowed', message: `Operation 'POST ${hsmPath('x')}' is not allowed.` }]);
  expect((await reply('OPTIONS', hsmPath('x')))[0]).toBe(405);
  expect((await reply('GET', '/'))[0]).toBe(404);
});

test('every orchestrator is started by a deletion, and each of its activities runs', async () => {
  const of = (trigger: string) => app.functions.filter((one) => one.trigger === trigger).map(({ name }) => name);
  expect([of('orchestrationTrigger'), of('activityTrigger')]).toEqual([Object.keys(ORCHESTRATORS), Object.values(ORCHESTRATORS).flat()]);
  const owner = observed.service.as('owner');
  await owner.send('PUT', groupPath(), { location: 'westus' });
  await owner.finish('PUT', hsmPath('orchestrated'), newHsm());
  await owner.finish('DELETE', hsmPath('orchestrated'));
  await observed.service.clock({ advance: 'P7DT5M' });
  const instances = await observed.instances.all();
  expect(instances.map(({ name, status }) => [name, status])).toEqual([['purgeAtDeadline', 'Completed']]);
  const history = await observed.instances.history(String(instances[0]?.instanceId));
  const scheduled = history.flatMap((event) => (event.EventType === 4 ? [event] : []));
  const completed = history.flatMap((event) => (event.EventType === 5 ? [event.TaskScheduledId] : []));
  expect(new Set(scheduled.map(({ Name }) => Name))).toEqual(new Set(ORCHESTRATORS.purgeAtDeadline));
  expect(completed).toEqual(scheduled.map(({ EventId }) => EventId));
});
