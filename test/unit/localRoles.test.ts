// Local roles: the list that the service serves, the matrix of who may do what to keys (contract.md §6.4, typed by hand), and the evaluation at scopes.
import type { Caller } from '../../shared/domain/armRoles';
import {
  ADMINISTRATOR_ROLE,
  CRYPTO_AUDITOR_ROLE,
  CRYPTO_OFFICER_ROLE,
  CRYPTO_USER_ROLE,
  dataAction,
  type LocalGrant,
  type LocalScope,
  localRoles,
  mayUse,
} from '../../shared/domain/localRoles';
import { ALICE, alice, BOB, GROUP_OF_ALICE } from './support/contoso';

/** In the order in which GET roleDefinitions lists them, with how many data actions each has (contract.md §6.3). */
const served: readonly (readonly [name: string, guid: string, dataActions: number])[] = [
  ['Managed HSM Restore User', '6efe6056-5259-49d2-8b3d-d3d73544b20b', 3],
  ['Managed HSM Backup User', '7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8', 3],
  ['Managed HSM Crypto Service Encryption User', '33413926-3206-4cdd-b39a-83574fe37a17', 3],
  ['Managed HSM Crypto Service Release User', '21dbd100-6940-42c2-9190-5d6cb909625c', 1],
  ['Managed HSM Crypto Auditor', '2c18b078-7c48-4d3a-af88-5a3a1b3f82b3', 4],
  ['Managed HSM Policy Administrator', '4bd23610-cdcf-4971-bdee-bdc562cc28e4', 6],
  ['Managed HSM Crypto User', '21dbd100-6940-42c2-9190-5d6cb909625b', 19],
  ['Managed HSM Crypto Officer', '515eb02d-2335-4d2d-92f2-b1cbdf9c3778', 10],
  ['Managed HSM Administrator', 'a290e904-7015-4bba-90c8-60543313cdb4', 17],
];

test('the roles are those that the service serves, in its order; none takes anything away', () => {
  expect(localRoles.map(({ name, guid, permissions }) => [name, guid, permissions[0]?.dataActions.length])).toEqual(served);
  expect(localRoles.map(({ permissions }) => [permissions.length, permissions[0]?.notDataActions])).toEqual(served.map(() => [1, []]));
  expect([ADMINISTRATOR_ROLE, CRYPTO_AUDITOR_ROLE, CRYPTO_OFFICER_ROLE, CRYPTO_USER_ROLE]).toEqual([
    'a290e904-7015-4bba-90c8-60543313cdb4',
    '2c18b078-7c48-4d3a-af88-5a3a1b3f82b3',
    '515eb02d-2335-4d2d-92f2-b1cbdf9c3778',
    '21dbd100-6940-42c2-9190-5d6cb909625b',
  ]);
});

test('data actions stand in the order of the service, with its prefix', () => {
  const list = (guid: string): readonly string[] => localRoles.find((known) => known.guid === guid)?.permissions[0]?.dataActions ?? [];
  const prefix = 'Microsoft.KeyVault/managedHsm';
  expect(list(CRYPTO_AUDITOR_ROLE)).toEqual([
    `${prefix}/roleAssignments/read/action`,
    `${prefix}/roleDefinitions/read/action`,
    `${prefix}/keys/read/action`,
    `${prefix}/keys/deletedKeys/read/action`,
  ]);
  expect(list(CRYPTO_OFFICER_ROLE).slice(-4)).toEqual([
    `${prefix}/keys/deletedKeys/read/action`,
    `${prefix}/keys/deletedKeys/delete`,
    `${prefix}/keys/deletedKeys/recover/action`,
    `${prefix}/keys/export/action`,
  ]);
  expect(dataAction('keys/create')).toBe(`${prefix}/keys/create`);
});

const actions = {
  create: 'keys/create',
  read: 'keys/read/action',
  update: 'keys/write/action',
  delete: 'keys/delete',
  readDeleted: 'keys/deletedKeys/read/action',
  recover: 'keys/deletedKeys/recover/action',
  purge: 'keys/deletedKeys/delete',
  import: 'keys/import/action',
  rotate: 'keys/rotate/action',
  sign: 'keys/sign/action',
  wrap: 'keys/wrap/action',
  unwrap: 'keys/unwrap/action',
  encrypt: 'keys/encrypt/action',
  release: 'keys/release/action',
  backup: 'keys/backup/action',
  restore: 'keys/restore/action',
  random: 'rng/action',
  export: 'keys/export/action',
  writeRoles: 'roleAssignments/write/action',
  readRoles: 'roleAssignments/read/action',
} as const;
type ActionName = keyof typeof actions;
const all = Object.keys(actions) as readonly ActionName[];

/** Who may do what; what is not named is refused. */
const matrix: readonly (readonly [role: string, guid: string, may: readonly ActionName[]])[] = [
  ['Crypto Officer', '515eb02d-2335-4d2d-92f2-b1cbdf9c3778', ['readDeleted', 'recover', 'purge', 'export', 'writeRoles', 'readRoles']],
  [
    'Crypto User',
    '21dbd100-6940-42c2-9190-5d6cb909625b',
    ['create', 'read', 'update', 'delete', 'import', 'rotate', 'sign', 'wrap', 'unwrap', 'encrypt', 'release', 'backup', 'restore', 'random', 'readRoles'],
  ],
  ['Crypto Auditor', '2c18b078-7c48-4d3a-af88-5a3a1b3f82b3', ['read', 'readDeleted', 'readRoles']],
  ['Administrator', 'a290e904-7015-4bba-90c8-60543313cdb4', ['writeRoles', 'readRoles']],
  ['Policy Administrator', '4bd23610-cdcf-4971-bdee-bdc562cc28e4', ['writeRoles', 'readRoles']],
  ['Service Encryption User', '33413926-3206-4cdd-b39a-83574fe37a17', ['read', 'wrap', 'unwrap']],
  ['Release User', '21dbd100-6940-42c2-9190-5d6cb909625c', ['release']],
  ['Backup User', '7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8', ['backup']],
  ['Restore User', '6efe6056-5259-49d2-8b3d-d3d73544b20b', ['restore']],
  ['a role that nobody knows', '00000000-0000-4000-8000-000000000000', []],
  ['the ARM role Owner', '8e3af657-a8ff-443c-a75c-2fe8c4bcb635', []],
];

test.each(matrix.flatMap(([role, guid, may]) => all.map((action) => [role, may.includes(action) ? 'may' : 'may not', action, guid] as const)))(
  '%s %s %s',
  (_, verdict, action, roleGuid) => {
    expect(mayUse(alice, [{ principalId: ALICE, roleGuid }], actions[action], {})).toBe(verdict === 'may');
  },
);

const user = (more: Partial<LocalGrant> = {}): LocalGrant => ({ principalId: ALICE, roleGuid: CRYPTO_USER_ROLE, ...more });

test.each<[string, readonly LocalGrant[], LocalScope, boolean]>([
  ['a grant at all keys covers all keys', [user()], {}, true],
  ['a grant at all keys covers one', [user()], { key: 'first' }, true],
  ['a grant at a key covers it', [user({ key: 'first' })], { key: 'first' }, true],
  ['a grant at a key covers no other whose name begins alike', [user({ key: 'first' })], { key: 'first-b' }, false],
  ['nor one whose name its own begins with', [user({ key: 'first-b' })], { key: 'first' }, false],
  ['a grant at a key does not cover all keys', [user({ key: 'first' })], {}, false],
  ['a grant at a key that has no name covers nothing', [user({ key: '' })], {}, false],
  ['of two grants one is enough', [user({ key: 'second' }), user({ key: 'first' })], { key: 'first' }, true],
  ['no grant', [], { key: 'first' }, false],
])('%s', (_, grants, scope, may) => {
  expect(mayUse(alice, grants, 'keys/read/action', scope)).toBe(may);
});

test('rights of several roles add up', () => {
  const officer = { principalId: ALICE, roleGuid: CRYPTO_OFFICER_ROLE };
  const may = (grants: readonly LocalGrant[]): readonly boolean[] => ['keys/delete', 'keys/deletedKeys/recover/action'].map((action) => mayUse(alice, grants, action, {}));
  expect([may([user()]), may([officer]), may([user(), officer])]).toEqual([
    [true, false],
    [false, true],
    [true, true],
  ]);
});

test.each<[string, Caller, string, boolean]>([
  ['the principal himself', alice, ALICE, true],
  ['a group that the token names', alice, GROUP_OF_ALICE, true],
  ['another principal', alice, BOB, false],
  ['a group that the token does not name', { ...alice, groups: [] }, GROUP_OF_ALICE, false],
  ['a group, when the token names too many to list them', { ...alice, groups: [], groupsLeftOut: true }, GROUP_OF_ALICE, false],
  ['a display name', alice, 'alice@contoso.test', false],
])('a grant is for its principal: %s', (_, caller, principalId, may) => {
  expect(mayUse(caller, [user({ principalId })], 'keys/read/action', {})).toBe(may);
});

test.each(['keys/READ/action', 'keys/read', 'keys/*', '*', '', 'Microsoft.KeyVault/managedHsm/keys/read/action'])('an action is compared whole: %j is none', (action) => {
  expect(mayUse(alice, [user()], action, {})).toBe(false);
});
