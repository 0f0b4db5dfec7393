// What a caller may set on an HSM: the values that are allowed, their defaults, and which of them are fixed once the HSM exists.
import { refuse } from './errors';
import { guid, isRegion, locationKey, REGIONS } from './names';

type Sku = { readonly family: string; readonly name: string };
export type NetworkAcls = {
  readonly bypass: string;
  readonly defaultAction: string;
  readonly ipRules: readonly { readonly value: string }[];
  readonly virtualNetworkRules: readonly { readonly id: string }[];
  readonly serviceTags?: readonly { readonly tag: string }[];
};
export type Identity = {
  readonly type: string;
  readonly principalId?: string;
  readonly userAssigned: Readonly<Record<string, { readonly principalId: string; readonly clientId: string }>>;
};

/** The settings of a stored HSM, every default filled in. */
export type HsmSettings = {
  readonly location: string;
  readonly sku: Sku;
  readonly tags: Readonly<Record<string, string>>;
  readonly identity?: Identity;
  readonly tenantId: string;
  readonly administrators: readonly string[];
  readonly retentionDays: number;
  readonly purgeProtection: boolean;
  readonly networkAcls: NetworkAcls;
  readonly publicNetworkAccess: string;
  readonly secondaryRegions: readonly string[];
};

/** What a request body says; a member that it leaves out is not there. Types are checked by the reader, values here. */
export type HsmRequest = {
  readonly recover: boolean;
  readonly location?: string;
  readonly sku?: Sku;
  readonly tags?: Readonly<Record<string, string>>;
  readonly identity?: { readonly type: string; readonly userAssignedIds: readonly string[] };
  readonly tenantId?: string;
  readonly administrators?: readonly string[];
  readonly enableSoftDelete?: boolean;
  readonly retentionDays?: number;
  readonly purgeProtection?: boolean;
  readonly networkAcls?: Partial<NetworkAcls>;
  readonly publicNetworkAccess?: string;
  readonly secondaryRegions?: readonly string[];
};

const RETENTION_DAYS_MIN = 7;
const RETENTION_DAYS_MAX = 90;
const ADMINISTRATORS_MAX = 50;
const TAGS_MAX = 50;
const TAG_NAME_CHARACTERS_MAX = 512;
const TAG_VALUE_CHARACTERS_MAX = 256;
const NETWORK_RULES_MAX = 100;
const NETWORK_RULE_CHARACTERS_MAX = 400;
const IDENTITIES_MAX = 20;

const skus: ReadonlySet<string> = new Set(['B/Standard_B1', 'B/Custom_B32', 'B/Custom_B6', 'C/Custom_C42', 'C/Custom_C10']);
const identityTypes = ['None', 'SystemAssigned', 'UserAssigned', 'SystemAssigned,UserAssigned'];
const openNetwork: NetworkAcls = { bypass: 'AzureServices', defaultAction: 'Allow', ipRules: [], virtualNetworkRules: [] };
const knownRegions = REGIONS.map(locationKey).join(', ');

/** @throws LocationRequired, LocationNotAvailable */
export function checkedLocation(location: string | undefined): string {
  if (location === undefined || location.trim() === '') throw refuse('LocationRequired');
  if (!isRegion(location)) throw refuse('LocationNotAvailable', { location: location.slice(0, 64), type: 'Microsoft.KeyVault/managedHSMs', known: knownRegions });
  return location;
}

/**
 * The settings of a new HSM.
 * @param tenantId the service's tenant; an HSM belongs to it.
 * @param newId makes principal ids for managed identities.
 * @throws the refusal of the first value that is not allowed.
 */
export function settingsOfNew(request: HsmRequest, tenantId: string, newId: () => string): HsmSettings {
  const location = checkedLocation(request.location);
  checkValues(request);
  if (request.tenantId !== undefined && request.tenantId.toLowerCase() !== tenantId) throw invalid('tenantId', 'it must be the tenant of the subscription.');
  if (!request.administrators?.length) throw invalid('initialAdminObjectIds', `give the object ids of 1 to ${ADMINISTRATORS_MAX} administrators.`);
  const identity = identityOf(request, undefined, newId);
  return {
    location,
    sku: request.sku ?? { family: 'B', name: 'Standard_B1' },
    tags: request.tags ?? {},
    ...(identity && { identity }),
    tenantId,
    administrators: administratorsOf(request.administrators),
    retentionDays: request.retentionDays ?? RETENTION_DAYS_MAX,
    purgeProtection: request.purgeProtection ?? false,
    networkAcls: networkOf(request.networkAcls),
    publicNetworkAccess: request.publicNetworkAccess ?? 'Enabled',
    secondaryRegions: secondariesOf(request.secondaryRegions ?? [], location),
  };
}

/**
 * The settings of an HSM after an update: what the request leaves out stays, what is fixed may be sent again unchanged.
 * @throws PropertyFixed, PurgeProtectionStaysOn, or the refusal of the first value that is not allowed.
 */
export function settingsAfterUpdate(before: HsmSettings, request: HsmRequest, newId: () => string): HsmSettings {
  checkValues(request);
  if (request.location !== undefined && locationKey(request.location) !== locationKey(before.location)) throw refuse('PropertyFixed', { property: 'location' });
  if (request.sku && (request.sku.family !== before.sku.family || request.sku.name !== before.sku.name)) throw refuse('PropertyFixed', { property: 'sku' });
  if (request.tenantId !== undefined && request.tenantId.toLowerCase() !== before.tenantId) throw refuse('PropertyFixed', { property: 'tenantId' });
  if (request.retentionDays !== undefined && request.retentionDays !== before.retentionDays) throw refuse('PropertyFixed', { property: 'softDeleteRetentionInDays' });
  if (request.administrators && !sameMembers(administratorsOf(request.administrators), before.administrators)) throw refuse('PropertyFixed', { property: 'initialAdminObjectIds' });
  if (request.purgeProtection === false && before.purgeProtection) throw refuse('PurgeProtectionStaysOn');
  const { identity: _, ...kept } = before;
  const identity = identityOf(request, before.identity, newId);
  return {
    ...kept,
    ...(identity && { identity }),
    tags: request.tags ?? before.tags,
    purgeProtection: request.purgeProtection ?? before.purgeProtection,
    networkAcls: request.networkAcls ? networkOf(request.networkAcls) : before.networkAcls,
    publicNetworkAccess: request.publicNetworkAccess ?? before.publicNetworkAccess,
    secondaryRegions: request.secondaryRegions ? secondariesOf(request.secondaryRegions, before.location) : before.secondaryRegions,
  };
}

const invalid = (property: string, rule: string) => refuse('InvalidProperty', { property, rule });

/** Values that are wrong whatever the HSM is. */
function checkValues(request: HsmRequest): void {
  const { retentionDays, sku, publicNetworkAccess, administrators, tags, networkAcls, identity, secondaryRegions } = request;
  if (request.enableSoftDelete === false) throw refuse('SoftDeleteAlwaysOn');
  if (retentionDays !== undefined && !(Number.isInteger(retentionDays) && retentionDays >= RETENTION_DAYS_MIN && retentionDays <= RETENTION_DAYS_MAX))
    throw invalid('softDeleteRetentionInDays', `it must be a whole number from ${RETENTION_DAYS_MIN} to ${RETENTION_DAYS_MAX}.`);
  if (sku && !skus.has(`${sku.family}/${sku.name}`)) throw invalid('sku', 'family B comes with Standard_B1, Custom_B32 or Custom_B6, family C with Custom_C42 or Custom_C10.');
  if (publicNetworkAccess !== undefined && !['Enabled', 'Disabled'].includes(publicNetworkAccess)) throw invalid('publicNetworkAccess', 'it must be Enabled or Disabled.');
  if (administrators && (administrators.length > ADMINISTRATORS_MAX || administrators.some((id) => !guid(id))))
    throw invalid('initialAdminObjectIds', `give at most ${ADMINISTRATORS_MAX} object ids, each a GUID.`);
  if (tags) checkTags(tags);
  if (networkAcls) checkNetwork(networkAcls);
  if (identity) checkIdentity(identity);
  const unknown = secondaryRegions?.find((region) => !isRegion(region));
  if (unknown !== undefined) throw refuse('InvalidRegion', { region: unknown.slice(0, 64), known: knownRegions });
}

/** Limits of tags on ARM resources; the data plane has its own. @throws InvalidProperty */
export function checkTags(tags: Readonly<Record<string, string>>): void {
  const entries = Object.entries(tags);
  const names = new Set(entries.map(([name]) => name.toLowerCase()));
  if (names.size < entries.length) throw invalid('tags', 'tag names that differ only in letter case are one name.');
  if (entries.length > TAGS_MAX || entries.some(([name, value]) => name.length === 0 || name.length > TAG_NAME_CHARACTERS_MAX || value.length > TAG_VALUE_CHARACTERS_MAX))
    throw invalid('tags', `give at most ${TAGS_MAX} tags, with names of 1 to ${TAG_NAME_CHARACTERS_MAX} and values of at most ${TAG_VALUE_CHARACTERS_MAX} characters.`);
}

function checkNetwork({ bypass, defaultAction, ipRules = [], virtualNetworkRules = [], serviceTags = [] }: Partial<NetworkAcls>): void {
  if (bypass !== undefined && !['AzureServices', 'None'].includes(bypass)) throw refuse('InvalidBypass');
  if (defaultAction !== undefined && !['Allow', 'Deny'].includes(defaultAction)) throw invalid('networkAcls.defaultAction', 'it must be Allow or Deny.');
  const rules = [ipRules.map((rule) => rule.value), virtualNetworkRules.map((rule) => rule.id), serviceTags.map((rule) => rule.tag)];
  if (rules.some((list) => list.length > NETWORK_RULES_MAX || list.some((text) => text.length > NETWORK_RULE_CHARACTERS_MAX)))
    throw invalid('networkAcls', `give at most ${NETWORK_RULES_MAX} rules of each kind, each of at most ${NETWORK_RULE_CHARACTERS_MAX} characters.`);
}

function checkIdentity({ type, userAssignedIds }: NonNullable<HsmRequest['identity']>): void {
  if (!identityTypes.includes(spaceless(type))) throw invalid('identity.type', `it must be one of ${identityTypes.join('; ')}.`);
  if (
    spaceless(type).includes('UserAssigned') !== userAssignedIds.length > 0 ||
    userAssignedIds.length > IDENTITIES_MAX ||
    userAssignedIds.some((id) => id.length > NETWORK_RULE_CHARACTERS_MAX)
  )
    throw invalid('identity.userAssignedIdentities', `give 1 to ${IDENTITIES_MAX} resource ids with a type that has UserAssigned in it, and none otherwise.`);
}

const spaceless = (text: string): string => text.replaceAll(' ', '');

function identityOf({ identity }: HsmRequest, before: Identity | undefined, newId: () => string): Identity | undefined {
  if (!identity) return before;
  const type = spaceless(identity.type);
  if (type === 'None') return undefined;
  const principalId = type.includes('SystemAssigned') ? (before?.principalId ?? newId()) : undefined;
  const userAssigned = Object.fromEntries(identity.userAssignedIds.map((id) => [id, ownMember(before?.userAssigned, id) ?? { principalId: newId(), clientId: newId() }]));
  return { type, ...(principalId && { principalId }), userAssigned };
}

/** An identity may be named `constructor`. */
const ownMember = <T>(of: Readonly<Record<string, T>> | undefined, name: string): T | undefined => (of && Object.hasOwn(of, name) ? of[name] : undefined);

const networkOf = (given: Partial<NetworkAcls> | undefined): NetworkAcls => ({ ...openNetwork, ...given });

const administratorsOf = (ids: readonly string[]): readonly string[] => [...new Set(ids.map((id) => id.toLowerCase()))];

const sameMembers = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((member) => b.includes(member));

const secondariesOf = (regions: readonly string[], location: string): readonly string[] =>
  [...new Set(regions.map(locationKey))].filter((region) => region !== locationKey(location));
