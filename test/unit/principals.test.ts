// The directory of the local tenant: stable ids, the file that may be edited, and what is refused in it.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findApplication, findUser, groupIdsOf, objectIdsOf, openDirectory, parseDirectory, SEEDED_NAMES, seedDirectory } from '../../local/principals';

const TENANT = '11111111-1111-4111-8111-111111111111';
const OTHER_TENANT = '22222222-2222-4222-8222-222222222222';

let dataDir: string;
beforeEach(() => (dataDir = mkdtempSync(join(tmpdir(), 'principals-'))));
afterEach(() => rmSync(dataDir, { recursive: true }));

test('the seeded names are there, each with three ids of its own', () => {
  const { principals } = seedDirectory(TENANT);
  expect(principals.map((one) => one.name)).toEqual([...SEEDED_NAMES]);
  expect(new Set(principals.flatMap((one) => [one.userId, one.clientId, one.servicePrincipalId])).size).toBe(18);
});

test('ids follow from tenant and name: the same tomorrow, others in another tenant', () => {
  expect(seedDirectory(TENANT)).toEqual(seedDirectory(TENANT));
  expect(objectIdsOf(seedDirectory(OTHER_TENANT), 'owner')).not.toEqual(objectIdsOf(seedDirectory(TENANT), 'owner'));
});

test('ids are name-based GUIDs in the namespace of the tenant, as other languages make them', () => {
  const [owner] = seedDirectory('6ba7b810-9dad-11d1-80b4-00c04fd430c8').principals;
  expect(owner?.userId).toBe('84670a5e-a04b-5442-bde8-71c60dbc8e10'); // Python's uuid.uuid5(uuid.NAMESPACE_DNS, 'user/owner')
});

test('the file is made once, for its owner only, and what is added to it counts', () => {
  const seeded = openDirectory(dataDir, TENANT);
  const file = join(dataDir, 'principals.json');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const added = {
    name: 'carol',
    userId: '00000000-0000-4000-8000-000000000001',
    clientId: '00000000-0000-4000-8000-000000000002',
    servicePrincipalId: '00000000-0000-4000-8000-000000000003',
  };
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), principals: [...seeded.principals, added] }));
  expect(findUser(openDirectory(dataDir, TENANT), 'Carol@Local.Test')).toEqual(added);
});

test('an application is found by client id in any case and by its bare name; a user by upn; nobody else', () => {
  const directory = seedDirectory(TENANT);
  const [owner] = directory.principals;
  expect(findApplication(directory, owner?.clientId.toUpperCase() ?? '')).toBe(owner);
  expect(findApplication(directory, 'owner')).toBe(owner);
  expect(findApplication(directory, owner?.userId ?? '')).toBeUndefined();
  expect(findUser(directory, 'owner@local.test')).toBe(owner);
  expect(findUser(directory, 'owner@contoso.com')).toBeUndefined();
});

test('groups are those that name the principal', () => {
  const directory = seedDirectory(TENANT);
  const named = (name: string) => directory.principals.filter((one) => one.name === name).flatMap((one) => groupIdsOf(directory, one));
  expect(named('auditor')).toEqual(directory.groups.map((group) => group.id));
  expect(named('owner')).toEqual([]);
});

const good = seedDirectory(TENANT);
const [first] = good.principals;
test.each([
  ['a principal without a client id', { ...good, principals: [{ ...first, clientId: undefined }] }, 'principals[0].clientId'],
  ['an id that is no GUID', { ...good, principals: [{ ...first, userId: 'x' }] }, 'principals[0].userId'],
  ['a name with a quote', { ...good, principals: [{ ...first, name: "o'hara" }] }, 'principals[0].name'],
  ['one id twice', { ...good, principals: [{ ...first, clientId: first?.userId }] }, 'ids'],
  ['no groups', { principals: good.principals }, 'groups'],
  ['a list', [], 'principals.json'],
])('%s is refused by name; the seeded file is not', (_what, content, member) => {
  expect(parseDirectory(JSON.stringify(good))).toEqual(good);
  expect(() => parseDirectory(JSON.stringify(content))).toThrow(member);
});
