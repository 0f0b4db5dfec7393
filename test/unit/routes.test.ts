// Routes as the functions host matches them, and what the fallback makes of a path that no route matched.
import { fallbackFor } from '../../shared/http/fallback';
import type { Call, Operation } from '../../shared/http/operation';
import { matchRoute, segmentsOf } from '../../shared/http/routes';
import { endingOfAsync } from './support/refusals';

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

const operation = (name: string, method: Operation['method'], route: string): Operation => ({
  name,
  plane: 'control',
  method,
  route,
  action: 'x/read',
  handle: async () => ({ status: 200 }),
});
const choose = fallbackFor([
  operation('Tenants_List', 'GET', 'tenants'),
  operation('Groups_Get', 'GET', 'subscriptions/{subscription}/resourceGroups/{group}'),
  operation('Groups_Put', 'PUT', 'subscriptions/{subscription}/resourceGroups/{group}'),
]);

test.each([
  ['GET', '/tenants', 'Tenants_List', {}],
  ['GET', '//tenants//', 'Tenants_List', {}],
  ['PUT', 'subscriptions//s/resourceGroups/Team/', 'Groups_Put', { subscription: 's', group: 'Team' }],
  ['GET', 'subscriptions//s/resourceGroups/Team/', 'Groups_Get', { subscription: 's', group: 'Team' }],
])('with empty segments in the way, %s %s means %s', (method, path, name, params) => {
  const chosen = choose(method, path);
  expect([chosen.operation.name, chosen.operation.action, chosen.params]).toEqual([name, 'x/read', params]);
});

test.each([
  ['DELETE', 'tenants', 'MethodNotAllowed'],
  ['OPTIONS', 'subscriptions/s/resourceGroups/Team', 'MethodNotAllowed'],
  ['GET', 'vaults', 'NotFound'],
  ['GET', '', 'NotFound'],
  ['GET', 'subscriptions/s/resourceGroups', 'NotFound'],
  ['GET', 'subscriptions/s/../resourceGroups/Team', 'NotFound'],
])('%s %s is refused by a handler behind all stages: %s', async (method, path, name) => {
  const chosen = choose(method, path);
  expect([chosen.operation.name, chosen.operation.plane, chosen.params]).toEqual(['Fallback', 'control', {}]);
  expect(await endingOfAsync(() => chosen.operation.handle({} as Call))).toBe(name);
});

test('a refusal shows the path shortened', async () => {
  await expect(choose('GET', 'x'.repeat(1000)).operation.handle({} as Call)).rejects.toThrow(`No operation answers /${'x'.repeat(255)}. README lists the operations.`);
  await expect(choose('DELETE', 'tenants').operation.handle({} as Call)).rejects.toThrow("Operation 'DELETE /tenants' is not allowed.");
});
