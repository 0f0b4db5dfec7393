// Routes as the functions host matches them, and what the fallback makes of a path that no route matched.
import type { ErrorName, ServiceError } from '../../shared/domain/errors';
import type { KeyOperation } from '../../shared/http/dataPlane';
import { fallbackFor } from '../../shared/http/fallback';
import type { Operation } from '../../shared/http/operation';
import { matchRoute, segmentsOf } from '../../shared/http/routes';

test.each<[string, readonly string[]]>([
  ['', []],
  ['/', []],
  ['a/b', ['a', 'b']],
  ['/a//b///c/', ['a', 'b', 'c']],
  ['a/ /b', ['a', ' ', 'b']],
  ['a/../b', ['a', '..', 'b']],
])('the segments of %j are %j', (path, segments) => {
  expect(segmentsOf(path)).toEqual(segments);
});

test.each<[string, string, Readonly<Record<string, string>> | undefined]>([
  ['tenants', 'tenants', {}],
  ['tenants', 'TENANTS', {}],
  ['tenants', 'tenant', undefined],
  ['tenants', 'tenants/a', undefined],
  ['tenants', '', undefined],
  ['subscriptions/{subscription}', 'Subscriptions/AbC', { subscription: 'AbC' }],
  ['subscriptions/{subscription}', 'subscriptions', undefined],
  ['subscriptions/{subscription}/resourceGroups/{group}', 'subscriptions/s/RESOURCEGROUPS/Team', { subscription: 's', group: 'Team' }],
  ['subscriptions/{subscription}/resourceGroups/{group}', 'subscriptions/s/resourceGroup/Team', undefined],
  ['subscriptions/{subscription}/providers', 'subscriptions/{subscription}/providers', { subscription: '{subscription}' }],
])('the route %s at %j: %j', (route, path, params) => {
  expect(matchRoute(route, segmentsOf(path))).toEqual(params);
});

test.each([
  ['0123456789abcdef0123456789ABCDEF', { key: 'first', version: '0123456789abcdef0123456789ABCDEF' }],
  ['0123456789abcdef0123456789abcdefa', undefined],
  ['0123456789abcdef0123456789abcde', undefined],
  ['versions', undefined],
])('a version in a route is told from an operation by its form: %s', (text, params) => {
  expect(matchRoute('keys/{key}/{version:regex(^[0-9a-fA-F]{{32}}$)}', ['keys', 'first', text])).toEqual(params);
});

const operation = (name: string, method: Operation['method'], route: string): Operation => ({
  name,
  plane: 'control',
  method,
  route,
  action: 'x/read',
  handle: async () => ({ status: 200 }),
});
const keyOperation = (name: string, method: KeyOperation['method'], route: string): KeyOperation => ({
  name,
  plane: 'hsm',
  method,
  route,
  action: 'keys/read/action',
  at: 'key',
  handle: async () => ({ status: 200 }),
});
const version = 'keys/{key}/{version:regex(^[0-9a-fA-F]{{32}}$)}';
const choose = fallbackFor([
  operation('Tenants_List', 'GET', 'tenants'),
  operation('Groups_Get', 'GET', 'subscriptions/{subscription}/resourceGroups/{group}'),
  operation('Groups_Put', 'PUT', 'subscriptions/{subscription}/resourceGroups/{group}'),
  keyOperation('CreateKey', 'POST', 'keys/{key}/create'),
  keyOperation('GetKey', 'GET', version),
  keyOperation('GetKey_latest', 'GET', 'keys/{key}'),
  keyOperation('GetKeys', 'GET', 'keys'),
  keyOperation('DeleteKey', 'DELETE', 'keys/{key}'),
  keyOperation('GetDeletedKey', 'GET', 'deletedkeys/{key}'),
]);

test.each([
  ['GET', '/tenants', 'Tenants_List', {}],
  ['GET', '//tenants//', 'Tenants_List', {}],
  ['PUT', 'subscriptions//s/resourceGroups/Team/', 'Groups_Put', { subscription: 's', group: 'Team' }],
  ['GET', 'subscriptions//s/resourceGroups/Team/', 'Groups_Get', { subscription: 's', group: 'Team' }],
  ['GET', 'keys//First/', 'GetKey_latest', { key: 'First' }],
  ['GET', 'KEYS/first//0123456789abcdef0123456789ABCDEF', 'GetKey', { key: 'first', version: '0123456789abcdef0123456789ABCDEF' }],
  ['DELETE', '/keys//restore', 'DeleteKey', { key: 'restore' }],
])('with empty segments in the way, %s %s means %s', (method, path, name, params) => {
  const chosen = choose(method, path);
  expect([chosen.operation.name, chosen.params]).toEqual([name, params]);
});

type PlaneName = 'control' | 'hsm';
const refusalOf = (method: string, path: string, plane: PlaneName): ServiceError => {
  const { operation: chosen, params } = choose(method, path);
  if (chosen.plane !== 'any') throw new Error(`${method} ${path} is ${chosen.name}`);
  expect([chosen.name, chosen.method, params]).toEqual(['Fallback', method, {}]);
  return chosen.refusal(plane);
};

test.each<[PlaneName, string, string, ErrorName]>([
  ['control', 'DELETE', 'tenants', 'MethodNotAllowed'],
  ['control', 'OPTIONS', 'subscriptions/s/resourceGroups/Team', 'MethodNotAllowed'],
  ['control', 'GET', 'vaults', 'NotFound'],
  ['control', 'GET', '', 'NotFound'],
  ['control', 'GET', 'subscriptions/s/resourceGroups', 'NotFound'],
  ['control', 'GET', 'subscriptions/s/../resourceGroups/Team', 'NotFound'],
  ['control', 'POST', 'rng', 'NotFound'],
  ['control', 'GET', 'keys/first/nohex', 'NotFound'],
  ['hsm', 'GET', '', 'NotFound'],
  ['hsm', 'GET', 'secrets', 'NotFound'],
  ['hsm', 'GET', 'deletedkeys/first/nohex', 'NotFound'],
  ['hsm', 'POST', 'keys/first', 'MethodNotAllowed'],
  ['hsm', 'GET', 'keys/first/create', 'MethodNotAllowed'],
  ['hsm', 'PUT', 'deletedkeys/first', 'MethodNotAllowed'],
  ['hsm', 'DELETE', 'keys/first/0123456789abcdef0123456789abcdef', 'MethodNotAllowed'],
  ['hsm', 'GET', 'keys/first/nohex', 'InvalidKeyIdentifier'],
  ['hsm', 'GET', 'keys/first/0123456789abcdef0123456789abcdeg', 'InvalidKeyIdentifier'],
  ['hsm', 'GET', 'Keys/first/0123456789abcdef0123456789abcdef/more', 'InvalidKeyIdentifier'],
  ['hsm', 'PATCH', 'keys/first/latest', 'InvalidKeyIdentifier'],
])('on the %s plane %s %j is refused behind all stages: %s', (plane, method, path, name) => {
  expect(refusalOf(method, path, plane).error).toBe(name);
});

/** What clients ask for and is not built (README lists it): 400, never 404, 405 or 501. */
test.each([
  ['PUT', 'keys/first'],
  ['POST', 'keys/restore'],
  ['POST', 'keys//restore'],
  ['POST', 'keys/first/rotate'],
  ['POST', 'keys/first/backup'],
  ['POST', 'keys/first/encrypt'],
  ['POST', 'keys/first/0123456789abcdef0123456789ABCDEF/encrypt'],
  ['POST', 'keys/first/0123456789abcdef0123456789abcdef/decrypt'],
  ['POST', 'keys/first/0123456789abcdef0123456789abcdef/sign'],
  ['POST', 'keys/first/0123456789abcdef0123456789abcdef/verify'],
  ['POST', 'keys/first/0123456789abcdef0123456789abcdef/wrapkey'],
  ['POST', 'keys/first/0123456789abcdef0123456789abcdef/unwrapkey'],
  ['POST', 'keys/first/0123456789abcdef0123456789abcdef/release'],
  ['GET', 'keys/first/0123456789abcdef0123456789abcdef/attestation'],
  ['GET', 'keys/first/rotationpolicy'],
  ['PUT', 'keys/first/rotationpolicy'],
  ['PUT', 'keys/first/restore'],
  ['POST', 'rng'],
  ['GET', 'settings'],
  ['PATCH', 'settings/AllowKeyManagementOperationsThroughARM'],
  ['POST', 'backup'],
  ['PUT', 'restore'],
  ['GET', 'backup/0123/pending'],
  ['POST', 'securitydomain/download'],
  ['GET', '///providers/Microsoft.Authorization/roleAssignments'],
  ['PUT', 'keys/providers/Microsoft.Authorization/roleAssignments/g'],
  ['GET', 'keys/first/providers/Microsoft.Authorization/roleDefinitions'],
])('%s %s is not built, and says so: NotSupported', (method, path) => {
  const { error, message } = refusalOf(method, path, 'hsm');
  expect([error, message.includes('README')]).toEqual(['NotSupported', true]);
});

test('a refusal shows the path shortened', () => {
  expect(refusalOf('GET', 'x'.repeat(1000), 'control').message).toBe(`No operation answers /${'x'.repeat(255)}. README lists the operations.`);
  expect(refusalOf('DELETE', 'tenants', 'control').message).toBe("Operation 'DELETE /tenants' is not allowed.");
});
