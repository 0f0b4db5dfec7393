// Who may do what on the data plane: the built-in local roles as the service serves them, assignments at typed scopes, and their evaluation.
import type { Caller } from './armRoles';

const PREFIX = 'Microsoft.KeyVault/managedHsm';

type Permission = { readonly dataActions: readonly string[]; readonly notDataActions: readonly string[] };
export type LocalRole = { readonly name: string; readonly guid: string; readonly permissions: readonly Permission[] };

/** `/` and `/keys` are one scope; a key's covers that key alone. */
export type LocalScope = { readonly key?: string };

/** A grant as the evaluation sees it: `key` is there for one at a single key. */
export type LocalGrant = { readonly principalId: string; readonly roleGuid: string; readonly key?: string };

export const ADMINISTRATOR_ROLE = 'a290e904-7015-4bba-90c8-60543313cdb4';
export const CRYPTO_OFFICER_ROLE = '515eb02d-2335-4d2d-92f2-b1cbdf9c3778';
export const CRYPTO_USER_ROLE = '21dbd100-6940-42c2-9190-5d6cb909625b';
export const CRYPTO_AUDITOR_ROLE = '2c18b078-7c48-4d3a-af88-5a3a1b3f82b3';

const role = (name: string, guid: string, dataActions: readonly string[]): LocalRole => ({
  name: `Managed HSM ${name}`,
  guid,
  permissions: [{ dataActions: dataActions.map((action) => `${PREFIX}/${action}`), notDataActions: [] }],
});

/** In the order, and with the data actions in the order, in which GET roleDefinitions lists them (2024-11-06). */
export const localRoles: readonly LocalRole[] = [
  role('Restore User', '6efe6056-5259-49d2-8b3d-d3d73544b20b', ['restore/start/action', 'restore/status/action', 'keys/restore/action']),
  role('Backup User', '7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8', ['backup/start/action', 'backup/status/action', 'keys/backup/action']),
  role('Crypto Service Encryption User', '33413926-3206-4cdd-b39a-83574fe37a17', ['keys/read/action', 'keys/wrap/action', 'keys/unwrap/action']),
  role('Crypto Service Release User', '21dbd100-6940-42c2-9190-5d6cb909625c', ['keys/release/action']),
  role('Crypto Auditor', CRYPTO_AUDITOR_ROLE, ['roleAssignments/read/action', 'roleDefinitions/read/action', 'keys/read/action', 'keys/deletedKeys/read/action']),
  role('Policy Administrator', '4bd23610-cdcf-4971-bdee-bdc562cc28e4', [
    'roleDefinitions/read/action',
    'roleDefinitions/write/action',
    'roleDefinitions/delete/action',
    'roleAssignments/read/action',
    'roleAssignments/write/action',
    'roleAssignments/delete/action',
  ]),
  role('Crypto User', CRYPTO_USER_ROLE, [
    'roleDefinitions/read/action',
    'roleAssignments/read/action',
    'keys/read/action',
    'keys/write/action',
    'keys/delete',
    'keys/create',
    'keys/rotate/action',
    'keys/import/action',
    'keys/release/action',
    'keys/backup/action',
    'keys/restore/action',
    'keys/encrypt/action',
    'keys/decrypt/action',
    'keys/wrap/action',
    'keys/unwrap/action',
    'keys/sign/action',
    'keys/verify/action',
    'keys/derive/action',
    'rng/action',
  ]),
  role('Crypto Officer', CRYPTO_OFFICER_ROLE, [
    'roleAssignments/delete/action',
    'roleAssignments/read/action',
    'roleAssignments/write/action',
    'roleDefinitions/read/action',
    'roleDefinitions/write/action',
    'roleDefinitions/delete/action',
    'keys/deletedKeys/read/action',
    'keys/deletedKeys/delete',
    'keys/deletedKeys/recover/action',
    'keys/export/action',
  ]),
  role('Administrator', ADMINISTRATOR_ROLE, [
    'roleAssignments/delete/action',
    'roleAssignments/read/action',
    'roleAssignments/write/action',
    'roleDefinitions/read/action',
    'roleDefinitions/write/action',
    'roleDefinitions/delete/action',
    'securitydomain/download/action',
    'securitydomain/download/read',
    'securitydomain/upload/action',
    'securitydomain/upload/read',
    'securitydomain/transferkey/read',
    'backup/start/action',
    'restore/start/action',
    'backup/status/action',
    'restore/status/action',
    'settings/read/action',
    'settings/write/action',
  ]),
];

const rolesByGuid: ReadonlyMap<string, LocalRole> = new Map(localRoles.map((known) => [known.guid, known]));

/** The whole name of a data action, as refusals print it. */
export const dataAction = (action: string): string => `${PREFIX}/${action}`;

/**
 * Whether any grant that covers the scope gives the data action.
 * @param action without its prefix, such as `keys/create`
 */
export const mayUse = (caller: Caller, grants: readonly LocalGrant[], action: string, scope: LocalScope): boolean =>
  grants.some(
    ({ principalId, roleGuid, key }) =>
      (principalId === caller.objectId || caller.groups.includes(principalId)) && (key === undefined || key === scope.key) && gives(rolesByGuid.get(roleGuid), dataAction(action)),
  );

/** A role's rights are the union of its data actions minus the union of what its permissions take away. */
function gives(known: LocalRole | undefined, action: string): boolean {
  const has = (lists: (permission: Permission) => readonly string[]): boolean => known?.permissions.some((permission) => lists(permission).includes(action)) === true;
  return has((permission) => permission.dataActions) && !has((permission) => permission.notDataActions);
}
