// Who may do what on the control plane: built-in Azure roles, assignments at typed scopes, and their evaluation. Wildcards are matched by segment, never by a pattern made from input.

/** A control-plane scope; a member left out means "and all below". */
export type ArmScope = { readonly subscription: string; readonly group?: string; readonly hsm?: string };

export type RoleDefinition = { readonly name: string; readonly guid: string; readonly actions: readonly string[]; readonly notActions: readonly string[] };

export type ArmAssignment = { readonly principalId: string; readonly roleGuid: string; readonly scope: ArmScope };

/** The person or application behind a request, as its verified token names them. */
export type Caller = {
  readonly objectId: string;
  readonly groups: readonly string[];
  /** The token says that there are more groups than it lists; they grant nothing. */
  readonly groupsLeftOut: boolean;
  readonly kind: 'User' | 'Application';
  /** For systemData and messages: upn of a user, application id of an application. Never compared. */
  readonly displayName: string;
};

export const OWNER_ROLE = '8e3af657-a8ff-443c-a75c-2fe8c4bcb635';
export const READER_ROLE = 'acdd72a7-3385-48ef-bd42-f606fba81ae7';
export const HSM_CONTRIBUTOR_ROLE = '18500a29-7fe2-46b2-a342-b16a415e101d';

const withoutAuthorization = ['Microsoft.Authorization/*/Delete', 'Microsoft.Authorization/*/Write', 'Microsoft.Authorization/elevateAccess/Action'];

/** Azure's built-in roles that matter here (contract.md §6.2; Azure's own list for the general ones). */
export const builtInRoles: readonly RoleDefinition[] = [
  { name: 'Owner', guid: OWNER_ROLE, actions: ['*'], notActions: [] },
  { name: 'Contributor', guid: 'b24988ac-6180-42a0-ab88-20f7382dd24c', actions: ['*'], notActions: withoutAuthorization },
  { name: 'Reader', guid: READER_ROLE, actions: ['*/read'], notActions: [] },
  { name: 'User Access Administrator', guid: '18d7d88d-d35e-4fb5-a5c3-7773c20a72d9', actions: ['*/read', 'Microsoft.Authorization/*', 'Microsoft.Support/*'], notActions: [] },
  {
    name: 'Managed HSM contributor',
    guid: HSM_CONTRIBUTOR_ROLE,
    actions: [
      'Microsoft.KeyVault/managedHSMs/*',
      'Microsoft.KeyVault/deletedManagedHsms/read',
      'Microsoft.KeyVault/locations/deletedManagedHsms/read',
      'Microsoft.KeyVault/locations/deletedManagedHsms/purge/action',
      'Microsoft.KeyVault/locations/managedHsmOperationResults/read',
    ],
    notActions: [],
  },
];

const rolesByGuid: ReadonlyMap<string, RoleDefinition> = new Map(builtInRoles.map((role) => [role.guid, role]));

/** Whether any of the caller's assignments that cover the scope grants the action. Rights of one role are never subtracted from another's. */
export const mayDo = (caller: Caller, assignments: readonly ArmAssignment[], action: string, scope: ArmScope): boolean =>
  assignments.some(
    (assignment) =>
      (assignment.principalId === caller.objectId || caller.groups.includes(assignment.principalId)) &&
      covers(assignment.scope, scope) &&
      grants(rolesByGuid.get(assignment.roleGuid), action),
  );

const covers = (granted: ArmScope, asked: ArmScope): boolean =>
  granted.subscription === asked.subscription && (granted.group === undefined || granted.group === asked.group) && (granted.hsm === undefined || granted.hsm === asked.hsm);

const grants = (role: RoleDefinition | undefined, action: string): boolean =>
  role?.actions.some((pattern) => matchesAction(pattern, action)) === true && !role.notActions.some((pattern) => matchesAction(pattern, action));

/** `*` stands for one or more whole segments; comparison ignores case. */
function matchesAction(pattern: string, action: string): boolean {
  const parts = pattern.toLowerCase().split('/');
  const segments = action.toLowerCase().split('/');
  const from = (p: number, s: number): boolean => {
    if (p === parts.length) return s === segments.length;
    if (parts[p] !== '*') return s < segments.length && parts[p] === segments[s] && from(p + 1, s + 1);
    for (let taken = s + 1; taken <= segments.length; taken++) if (from(p + 1, taken)) return true;
    return false;
  };
  return from(0, 0);
}
