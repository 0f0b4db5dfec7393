// I14: an HSM is reached by its own subscription and group, or location, and by no other, though the caller owns them all: elsewhere it is absent, but that its name is taken.
import { type ObservedService, startObservedService } from '../kit/observedService';
import { type Ask, refusalsOf } from '../kit/refusals';
import { deletedPath, groupPath, hsmPath, newHsm, recovering } from '../kit/resources';
import { OTHER_SUBSCRIPTION_ID, SUBSCRIPTION_ID } from '../kit/service';

jest.setTimeout(120_000); // a slow machine is no failure

let observed: ObservedService;
const { ask, everything } = refusalsOf(() => observed);
const OTHER = `/subscriptions/${OTHER_SUBSCRIPTION_ID}`;
/** The polls of a creation and of a deletion, as their Locations were. */
const results = { live: '', deleted: '' };

beforeAll(async () => {
  observed = await startObservedService({ disabled: ['sweep'] });
  const owner = observed.service.as('owner');
  for (const path of [groupPath(), groupPath('rg2'), groupPath('rg1', OTHER)]) await owner.send('PUT', path, { location: 'westus' });
  for (const name of ['live', 'deleted'] as const) {
    const { pathname, search } = new URL(String((await owner.send('PUT', hsmPath(name), newHsm())).headers.location));
    results[name] = pathname + search;
  }
  await owner.finish('DELETE', hsmPath('deleted'));
});
afterAll(() => observed.stop());
afterEach(() => expect(observed.faults()).toEqual([]));

/** Where the HSM is not: another group, another subscription with a group of that name. */
const ELSEWHERE: readonly (readonly [string, string, string])[] = [
  ['group', 'rg2', `/subscriptions/${SUBSCRIPTION_ID}`],
  ['subscription', 'rg1', OTHER],
];
/** Every operation that names an HSM by group, with what it answers where there is none. */
const BY_GROUP: readonly (readonly [string, string, object | null, string])[] = [
  ['GET', '', null, '404 ResourceNotFound'],
  ['PATCH', '', { tags: { a: 'b' } }, '404 ResourceNotFound'],
  ['DELETE', '', null, '204 '],
  ['PUT', '', newHsm(), '409 ConflictError'],
  ['PUT', '', recovering, '409 ConflictError'],
  ['GET', '/regions', null, '404 ResourceNotFound'],
  ['GET', '/privateLinkResources', null, '404 ResourceNotFound'],
  ['GET', '/privateEndpointConnections', null, '404 ResourceNotFound'],
  ['GET', '/privateEndpointConnections/pec', null, '404 ResourceNotFound'],
  ['PUT', '/privateEndpointConnections/pec', {}, '404 ResourceNotFound'],
  ['DELETE', '/privateEndpointConnections/pec', null, '404 ResourceNotFound'],
];

async function answersOf(asked: Ask): Promise<string> {
  const { status, json } = await ask(asked);
  return `${status} ${json?.error.code ?? ''}`;
}

describe.each(ELSEWHERE)('in another %s', (_, group, subscription) => {
  test.each(BY_GROUP)('%s {hsm}%s finds neither the live nor the deleted one', async (method, below, body, expected) => {
    const before = await everything();
    for (const name of ['live', 'deleted'] as const) expect(await answersOf({ method, path: hsmPath(name, group, subscription) + below, body })).toBe(expected);
    expect(await everything()).toEqual(before);
  });

  test('a name that is taken says so, and not where', async () => {
    const replies = await Promise.all(['live', 'deleted'].map((name) => ask({ path: hsmPath(name, group, subscription) })));
    expect(replies.map(({ json }) => json.error)).toEqual([
      { code: 'ConflictError', message: "The name 'live' is already in use." },
      { code: 'ConflictError', message: "The name 'deleted' is already in use." },
    ]);
  });

  test('lists do not show them', async () => {
    const before = await everything();
    const { json } = await ask({ method: 'GET', path: `${groupPath(group, subscription)}/providers/Microsoft.KeyVault/managedHSMs`, body: null });
    expect([json, await everything()]).toEqual([{ value: [] }, before]);
  });
});

const DELETED_ELSEWHERE: readonly (readonly [string, string, string])[] = [
  ['location', 'eastus', `/subscriptions/${SUBSCRIPTION_ID}`],
  ['subscription', 'westus', OTHER],
];
test.each(DELETED_ELSEWHERE)('in another %s the deleted one is neither shown nor purged, nor does an operation have its result', async (_, location, subscription) => {
  const before = await everything();
  for (const name of ['live', 'deleted'] as const) {
    expect(await answersOf({ method: 'GET', path: deletedPath(name, location, subscription), body: null })).toBe('404 ResourceNotFound');
    expect(await answersOf({ method: 'POST', path: `${deletedPath(name, location, subscription)}/purge`, body: null })).toBe('404 ResourceNotFound');
    const result = results[name].replace('/westus/', `/${location}/`).replace(`/subscriptions/${SUBSCRIPTION_ID}`, subscription);
    expect(await answersOf({ method: 'GET', path: result, version: null, body: null })).toBe('404 ResourceNotFound');
  }
  expect(await everything()).toEqual(before);
});

test('recovery asks for the location it was deleted from', async () => {
  const before = await everything();
  expect(await answersOf({ path: hsmPath('deleted'), body: { ...recovering, location: 'eastus' } })).toBe('404 SoftDeletedVaultDoesNotExist');
  expect(await everything()).toEqual(before);
});

test('the twins: at their own path each of these requests is served', async () => {
  for (const [method, below, body] of BY_GROUP.filter(([, below]) => !below.endsWith('/pec') && below !== ''))
    expect((await ask({ method, path: hsmPath('live') + below, body })).status).toBe(200);
  expect((await ask({ method: 'GET', path: results.live, version: null, body: null })).status).toBe(200);
  expect((await ask({ method: 'PATCH', path: hsmPath('LIVE', 'RG1'), body: { tags: { a: 'b' } } })).status).toBe(202);
  expect((await ask({ method: 'PUT', path: hsmPath('live') })).status).toBe(202);
  expect((await ask({ method: 'GET', path: deletedPath('deleted'), body: null })).status).toBe(200);
  expect((await ask({ path: hsmPath('deleted'), body: { ...recovering, location: 'West US' } })).status).toBe(202);
  expect((await ask({ method: 'DELETE', path: hsmPath('live'), body: null })).status).toBe(202);
  expect((await ask({ method: 'POST', path: `${deletedPath('live')}/purge`, body: null })).status).toBe(202);
});
