// Who may do what to keys over HTTP on Azurite: the cells of contract.md §6.4, typed by hand, each refused one with its 403 and nothing changed.
import { objectIdsOf, seedDirectory } from '../../local/principals';
import type { HsmClient } from '../kit/hsmClient';
import { constantPart, masked } from '../kit/keyTexts';
import { type ObservedService, startObservedService } from '../kit/observedService';
import { groupPath, hsmPath, newHsm } from '../kit/resources';
import { TENANT_ID } from '../kit/service';

jest.setTimeout(120_000); // a slow machine is no failure

let observed: ObservedService;
let owner: HsmClient;

beforeAll(async () => {
  observed = await startObservedService({ localRoles: true });
  await observed.service.as('owner').send('PUT', groupPath(), { location: 'westus' });
  // An administrator of the HSM may give rights, and has none himself to any key.
  const administrators = objectIdsOf(seedDirectory(TENANT_ID), 'contributor');
  await observed.service.as('owner').finish('PUT', hsmPath('contoso'), newHsm({ initialAdminObjectIds: administrators }));
  owner = observed.service.hsm('contoso', 'owner');
}, 60_000);
afterAll(() => observed.stop());
afterEach(() => expect(observed.service.output()).not.toMatch(/Unhandled rejection|Uncaught exception|unexpected/));

const live = (name: string) => owner.create(name, { kty: 'oct-HSM' });
const deleted = async (name: string) => {
  await live(name);
  await owner.send('DELETE', `/keys/${name}`);
};
const PRINCIPALS = ['owner', 'user', 'officer', 'auditor', 'contributor', 'nobody'] as const;
type Given = ((name: string) => Promise<unknown>) | undefined;
const READERS = ['owner', 'user', 'auditor'];
const WRITERS = ['owner', 'user'];
const SEES_DELETED = ['owner', 'officer', 'auditor'];
const OFFICERS = ['owner', 'officer'];

test.each<[operation: string, given: Given, method: string, path: string, sent: object | undefined, may: readonly string[], action: string, scope: string]>([
  ['create', undefined, 'POST', '/keys/{}/create', { kty: 'oct-HSM' }, WRITERS, 'keys/create', '/keys'],
  ['version', live, 'POST', '/keys/{}/create', { kty: 'oct-HSM' }, WRITERS, 'keys/create', '/keys'],
  ['get', live, 'GET', '/keys/{}', undefined, READERS, 'keys/read/action', '/keys/{}'],
  ['versions', live, 'GET', '/keys/{}/versions', undefined, READERS, 'keys/read/action', '/keys/{}'],
  ['list', live, 'GET', '/keys', undefined, READERS, 'keys/read/action', '/keys'],
  ['update', live, 'PATCH', '/keys/{}/', { tags: { a: 'b' } }, WRITERS, 'keys/write/action', '/keys/{}'],
  ['delete', live, 'DELETE', '/keys/{}', undefined, WRITERS, 'keys/delete', '/keys/{}'],
  ['get-deleted', deleted, 'GET', '/deletedkeys/{}', undefined, SEES_DELETED, 'keys/deletedKeys/read/action', '/keys/{}'],
  ['list-deleted', deleted, 'GET', '/deletedkeys', undefined, SEES_DELETED, 'keys/deletedKeys/read/action', '/keys'],
  ['recover', deleted, 'POST', '/deletedkeys/{}/recover', undefined, OFFICERS, 'keys/deletedKeys/recover/action', '/keys/{}'],
  ['purge', deleted, 'DELETE', '/deletedkeys/{}', undefined, OFFICERS, 'keys/deletedKeys/delete', '/keys/{}'],
])('%s', async (operation, given, method, path, sent, may, action, scope) => {
  for (const principal of PRINCIPALS) {
    const name = `${operation}-by-${principal}`;
    await given?.(name);
    const before = await observed.storage.dump();
    const reply = await observed.service.hsm('contoso', principal).send(method, path.replace('{}', name), sent);
    if (may.includes(principal)) expect([principal, reply.status]).toEqual([principal, operation === 'purge' ? 204 : 200]);
    else {
      expect([principal, reply.status, masked(reply.text)]).toEqual([
        principal,
        403,
        `{"error":{"code":"AccessDenied","message":"Not authorized to access Microsoft.KeyVault/managedHsm/${action} on ${scope.replace('{}', name)} <activity>"}}`,
      ]);
      expect(await observed.storage.dump()).toEqual(before);
    }
  }
});

test('without the right nobody learns whether a key is there; a token for the control plane opens nothing here', async () => {
  await live('secret-1');
  await deleted('secret-2');
  const nobody = observed.service.hsm('contoso', 'nobody');
  const answers = async (name: string) =>
    Promise.all(
      [nobody.send('GET', `/keys/${name}`), nobody.send('GET', `/deletedkeys/${name}`), nobody.create(name), nobody.send('PATCH', `/keys/${name}`, 'no json')].map(async (reply) =>
        constantPart(await reply).replaceAll(name, 'name'),
      ),
    );
  const unknown = await answers('secret-3');
  expect(await answers('secret-1')).toEqual(unknown);
  expect(await answers('secret-2')).toEqual(unknown);
  expect(unknown.every((answer) => answer.startsWith('[403,'))).toBe(true);
  const wrongPlane = await observed.service.as('owner').send('GET', '/keys/secret-1?api-version=7.4', undefined, { host: 'contoso.managedhsm.azure.net' });
  expect([wrongPlane.status, wrongPlane.text]).toEqual([401, 'OK']);
  expect((await owner.send('GET', '/keys/secret-1')).status).toBe(200);
});
