// Who may do what on the control plane: the cells of the role matrix typed by hand from Azure's own role lists, then scopes, groups and the union over roles.
import { type ArmAssignment, type ArmScope, builtInRoles, type Caller, HSM_CONTRIBUTOR_ROLE, mayDo, OWNER_ROLE } from '../../shared/domain/armRoles';
import { ALICE, alice, BOB, GROUP_OF_ALICE, OTHER_SUBSCRIPTION, robot, SUBSCRIPTION } from './support/contoso';

const CONTRIBUTOR = 'b24988ac-6180-42a0-ab88-20f7382dd24c';
const READER = 'acdd72a7-3385-48ef-bd42-f606fba81ae7';
const USER_ACCESS_ADMINISTRATOR = '18d7d88d-d35e-4fb5-a5c3-7773c20a72d9';
const HSM_CONTRIBUTOR = '18500a29-7fe2-46b2-a342-b16a415e101d';
const OWNER = '8e3af657-a8ff-443c-a75c-2fe8c4bcb635';

const whole: ArmScope = { subscription: SUBSCRIPTION };
const assigned = (roleGuid: string, scope: ArmScope = whole, principalId = ALICE): ArmAssignment => ({ principalId, roleGuid, scope });
const may = (action: string, assignments: readonly ArmAssignment[], scope: ArmScope = whole, caller: Caller = alice): boolean => mayDo(caller, assignments, action, scope);

test('the roles are Azure’s own five, by their own guids', () => {
  expect(builtInRoles.map(({ name, guid }) => [name, guid])).toEqual([
    ['Owner', OWNER],
    ['Contributor', CONTRIBUTOR],
    ['Reader', READER],
    ['User Access Administrator', USER_ACCESS_ADMINISTRATOR],
    ['Managed HSM contributor', HSM_CONTRIBUTOR],
  ]);
  expect([OWNER_ROLE, HSM_CONTRIBUTOR_ROLE]).toEqual([OWNER, HSM_CONTRIBUTOR]);
});

const columns = [OWNER, CONTRIBUTOR, READER, USER_ACCESS_ADMINISTRATOR, HSM_CONTRIBUTOR];

test.each([
  // action, then Owner, Contributor, Reader, User Access Administrator, Managed HSM contributor
  ['Microsoft.KeyVault/managedHSMs/read', 'x x x x x'],
  ['Microsoft.KeyVault/managedHSMs/write', 'x x - - x'],
  ['Microsoft.KeyVault/managedHSMs/delete', 'x x - - x'],
  ['Microsoft.KeyVault/deletedManagedHsms/read', 'x x x x x'],
  ['Microsoft.KeyVault/locations/deletedManagedHsms/read', 'x x x x x'],
  ['Microsoft.KeyVault/locations/deletedManagedHsms/purge/action', 'x x - - x'],
  ['Microsoft.KeyVault/locations/managedHsmOperationResults/read', 'x x x x x'],
  ['Microsoft.KeyVault/managedHSMs/privateEndpointConnections/read', 'x x x x x'],
  ['Microsoft.KeyVault/managedHSMs/privateEndpointConnections/write', 'x x - - x'],
  ['Microsoft.KeyVault/managedHSMs/privateLinkResources/read', 'x x x x x'],
  ['Microsoft.KeyVault/register/action', 'x x - - -'],
  ['Microsoft.KeyVault/vaults/read', 'x x x x -'],
  ['Microsoft.KeyVault/deletedVaults/read', 'x x x x -'],
  ['Microsoft.Resources/subscriptions/read', 'x x x x -'],
  ['Microsoft.Resources/subscriptions/resourceGroups/read', 'x x x x -'],
  ['Microsoft.Resources/subscriptions/resourceGroups/write', 'x x - - -'],
  ['Microsoft.Resources/subscriptions/resourceGroups/delete', 'x x - - -'],
  ['Microsoft.Authorization/roleAssignments/read', 'x x x x -'],
  ['Microsoft.Authorization/roleAssignments/write', 'x - - x -'],
  ['Microsoft.Authorization/roleAssignments/delete', 'x - - x -'],
  ['Microsoft.Authorization/roleDefinitions/write', 'x - - x -'],
  ['Microsoft.Authorization/elevateAccess/Action', 'x - - x -'],
])('%s: %s', (action, cells) => {
  expect(columns.map((role) => (may(action, [assigned(role)]) ? 'x' : '-')).join(' ')).toBe(cells);
});

test.each([
  ['MICROSOFT.KEYVAULT/MANAGEDHSMS/WRITE', true, 'case is ignored'],
  ['Microsoft.KeyVault/managedHSMs/keys/versions/read', true, '* stands for several segments'],
  ['Microsoft.KeyVault/managedHSMs', false, '* stands for at least one segment'],
  ['Microsoft.KeyVault/managedHSMsX/write', false, 'segments are matched whole'],
  ['Microsoft.KeyVault/managedHSMs.write', false, 'a dot is no separator'],
  ['Microsoft.KeyVault/deletedManagedHsms/read/more', false, 'a pattern without * ends where it ends'],
  ['Microsoft.KeyVault/deletedManagedHsms', false, 'an action that ends early is another action'],
  ['', false, 'no action is no right'],
])('Managed HSM contributor and %j: %j, since %s', (action, granted) => {
  expect(may(action, [assigned(HSM_CONTRIBUTOR)])).toBe(granted);
});

test('a right that ends in a pattern’s last segment must be that segment: Reader reads, and does not read/write', () => {
  expect(may('Microsoft.KeyVault/managedHSMs/read', [assigned(READER)])).toBe(true);
  expect(may('Microsoft.KeyVault/managedHSMs/read/action', [assigned(READER)])).toBe(false);
  expect(may('read', [assigned(READER)])).toBe(false);
});

describe('scopes', () => {
  const hsmA: ArmScope = { subscription: SUBSCRIPTION, group: 'a', hsm: 'contoso' };
  const groupA: ArmScope = { subscription: SUBSCRIPTION, group: 'a' };

  test.each<[string, ArmScope, ArmScope, boolean]>([
    ['a subscription covers itself', whole, whole, true],
    ['a subscription covers its groups', whole, groupA, true],
    ['a subscription covers its HSMs', whole, hsmA, true],
    ['another subscription covers nothing here', { subscription: OTHER_SUBSCRIPTION }, hsmA, false],
    ['a group covers itself', groupA, groupA, true],
    ['a group covers its HSMs', groupA, hsmA, true],
    ['a group does not cover its subscription', groupA, whole, false],
    ['group a does not cover group ab', groupA, { subscription: SUBSCRIPTION, group: 'ab' }, false],
    ['group ab does not cover group a', { subscription: SUBSCRIPTION, group: 'ab' }, groupA, false],
    ['a group of another subscription covers nothing here', { subscription: OTHER_SUBSCRIPTION, group: 'a' }, groupA, false],
    ['an HSM covers itself', hsmA, hsmA, true],
    ['an HSM does not cover its group', hsmA, groupA, false],
    ['an HSM does not cover another', hsmA, { ...hsmA, hsm: 'contoso2' }, false],
    ['an HSM does not cover its namesake in another group', hsmA, { ...hsmA, group: 'b' }, false],
  ])('%s', (_, granted, asked, covered) => {
    expect(may('Microsoft.KeyVault/managedHSMs/read', [assigned(OWNER, granted)], asked)).toBe(covered);
  });
});

describe('principals', () => {
  const action = 'Microsoft.KeyVault/managedHSMs/write';

  test.each<[string, Caller, string, boolean]>([
    ['one’s own assignment counts', alice, ALICE, true],
    ['another’s does not', robot, ALICE, false],
    ['a group’s counts for a member', alice, GROUP_OF_ALICE, true],
    ['a group’s does not count for others', robot, GROUP_OF_ALICE, false],
    ['a display name is never compared', robot, robot.displayName, false],
    ['groups that the token left out grant nothing', { ...alice, groups: [], groupsLeftOut: true }, GROUP_OF_ALICE, false],
    ['nor do they take one’s own rights away', { ...alice, groups: [], groupsLeftOut: true }, ALICE, true],
  ])('%s', (_, caller, principalId, granted) => {
    expect(may(action, [assigned(OWNER, whole, principalId)], whole, caller)).toBe(granted);
  });

  test('without an assignment nobody may do anything', () => {
    expect(may(action, [])).toBe(false);
    expect(may(action, [assigned(OWNER, whole, BOB)])).toBe(false);
    expect(may(action, [assigned(OWNER)])).toBe(true);
  });

  test('an assignment to a role that is not known grants nothing', () => {
    expect(may(action, [assigned('00000000-0000-4000-8000-000000000000')])).toBe(false);
  });
});

test('rights are the union over roles: what Contributor leaves out User Access Administrator brings', () => {
  const write = 'Microsoft.Authorization/roleAssignments/write';
  const create = 'Microsoft.KeyVault/managedHSMs/write';
  expect([write, create].map((action) => may(action, [assigned(CONTRIBUTOR)]))).toEqual([false, true]);
  expect([write, create].map((action) => may(action, [assigned(USER_ACCESS_ADMINISTRATOR)]))).toEqual([true, false]);
  expect([write, create].map((action) => may(action, [assigned(CONTRIBUTOR), assigned(USER_ACCESS_ADMINISTRATOR)]))).toEqual([true, true]);
});
