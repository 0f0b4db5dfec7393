// What a caller may set on an HSM: each value that is refused stands beside one that is accepted and differs in it alone; defaults; what is fixed once the HSM exists.
import { checkTags, type HsmRequest, type HsmSettings, settingsAfterUpdate, settingsOfNew } from '../../shared/domain/hsmSettings';
import { ALICE, BOB, contosoSettings, countingIds, creation, TENANT } from './support/contoso';
import { type Ending, endingOf, messageOf } from './support/refusals';

const ofNew = (more: Partial<HsmRequest> = {}): HsmSettings => settingsOfNew(creation(more), TENANT, countingIds());
const afterUpdate = (more: Partial<HsmRequest>, before: Partial<HsmSettings> = {}): HsmSettings =>
  settingsAfterUpdate({ ...contosoSettings, ...before }, { recover: false, ...more }, countingIds());

const guids = (count: number): string[] => Array.from({ length: count }, (_, index) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`);
const tags = (count: number): Record<string, string> => Object.fromEntries(Array.from({ length: count }, (_, index) => [`tag${index}`, 'v']));
const ipRules = (count: number): { value: string }[] => Array.from({ length: count }, () => ({ value: '10.0.0.0/8' }));
const userAssigned = (ids: readonly string[]): Partial<HsmRequest> => ({ identity: { type: 'UserAssigned', userAssignedIds: ids } });
const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `/id/${index}`);

/** Wrong or right whatever the HSM is: asked of a creation and of an update alike. */
test.each<[string, Partial<HsmRequest>, Ending]>([
  ['retention of 6 days', { retentionDays: 6 }, 'InvalidProperty'],
  ['retention of 91 days', { retentionDays: 91 }, 'InvalidProperty'],
  ['retention of 7.5 days', { retentionDays: 7.5 }, 'InvalidProperty'],
  ['retention of 0 days', { retentionDays: 0 }, 'InvalidProperty'],
  ['retention of -7 days', { retentionDays: -7 }, 'InvalidProperty'],
  ['retention of NaN days', { retentionDays: Number.NaN }, 'InvalidProperty'],
  ['retention of 7 days', { retentionDays: 7 }, 'accepted'],
  ['soft delete off', { enableSoftDelete: false }, 'SoftDeleteAlwaysOn'],
  ['soft delete on', { enableSoftDelete: true }, 'accepted'],
  ['an unknown sku', { sku: { family: 'B', name: 'Standard_B2' } }, 'InvalidProperty'],
  ['a sku of the other family', { sku: { family: 'C', name: 'Standard_B1' } }, 'InvalidProperty'],
  ['a known sku', { sku: { family: 'B', name: 'Standard_B1' } }, 'accepted'],
  ['network access "enabled"', { publicNetworkAccess: 'enabled' }, 'InvalidProperty'],
  ['network access "Enabled"', { publicNetworkAccess: 'Enabled' }, 'accepted'],
  ['network access "Disabled"', { publicNetworkAccess: 'Disabled' }, 'accepted'],
  ['an administrator who is no GUID', { administrators: ['alice@contoso.test'] }, 'InvalidProperty'],
  ['an administrator in capitals', { administrators: [ALICE.toUpperCase()] }, 'accepted'],
  ['51 tags', { tags: tags(51) }, 'InvalidProperty'],
  ['50 tags', { tags: tags(50) }, 'accepted'],
  ['a tag without a name', { tags: { '': 'v' } }, 'InvalidProperty'],
  ['a tag name of 513 characters', { tags: { ['n'.repeat(513)]: 'v' } }, 'InvalidProperty'],
  ['a tag name of 512 characters', { tags: { ['n'.repeat(512)]: 'v' } }, 'accepted'],
  ['a tag value of 257 characters', { tags: { n: 'v'.repeat(257) } }, 'InvalidProperty'],
  ['a tag value of 256 characters', { tags: { n: 'v'.repeat(256) } }, 'accepted'],
  ['an empty tag value', { tags: { n: '' } }, 'accepted'],
  ['a bypass of everything', { networkAcls: { bypass: 'All' } }, 'InvalidBypass'],
  ['no bypass', { networkAcls: { bypass: 'None' } }, 'accepted'],
  ['a default action Block', { networkAcls: { defaultAction: 'Block' } }, 'InvalidProperty'],
  ['a default action Deny', { networkAcls: { defaultAction: 'Deny' } }, 'accepted'],
  ['101 address rules', { networkAcls: { ipRules: ipRules(101) } }, 'InvalidProperty'],
  ['100 address rules', { networkAcls: { ipRules: ipRules(100) } }, 'accepted'],
  ['a network rule of 401 characters', { networkAcls: { virtualNetworkRules: [{ id: 'i'.repeat(401) }] } }, 'InvalidProperty'],
  ['a network rule of 400 characters', { networkAcls: { virtualNetworkRules: [{ id: 'i'.repeat(400) }] } }, 'accepted'],
  ['a service tag of 401 characters', { networkAcls: { serviceTags: [{ tag: 't'.repeat(401) }] } }, 'InvalidProperty'],
  ['a service tag of 400 characters', { networkAcls: { serviceTags: [{ tag: 't'.repeat(400) }] } }, 'accepted'],
  ['an identity of an unknown type', { identity: { type: 'Mine', userAssignedIds: [] } }, 'InvalidProperty'],
  ['an identity of type None', { identity: { type: 'None', userAssignedIds: [] } }, 'accepted'],
  ['a user-assigned identity without ids', userAssigned([]), 'InvalidProperty'],
  ['a user-assigned identity with 21 ids', userAssigned(ids(21)), 'InvalidProperty'],
  ['a user-assigned identity with 20 ids', userAssigned(ids(20)), 'accepted'],
  ['a user-assigned identity with an id of 401 characters', userAssigned(['i'.repeat(401)]), 'InvalidProperty'],
  ['a user-assigned identity with an id of 400 characters', userAssigned(['i'.repeat(400)]), 'accepted'],
  ['a system-assigned identity with ids', { identity: { type: 'SystemAssigned', userAssignedIds: ['/id/0'] } }, 'InvalidProperty'],
  ['a system-assigned identity without ids', { identity: { type: 'SystemAssigned', userAssignedIds: [] } }, 'accepted'],
  ['an identity of both kinds', { identity: { type: 'SystemAssigned, UserAssigned', userAssignedIds: ['/id/0'] } }, 'accepted'],
  ['an unknown secondary region', { secondaryRegions: ['Atlantis'] }, 'InvalidRegion'],
  ['a known secondary region', { secondaryRegions: ['UK South'] }, 'accepted'],
])('%s', (_, more, ending) => {
  expect(endingOf(() => ofNew(more))).toBe(ending);
  expect(endingOf(() => afterUpdate(more))).toBe(ending);
});

test.each<[string, Partial<HsmRequest>, Ending]>([
  ['the tenant of the service', { tenantId: TENANT }, 'accepted'],
  ['the tenant in capitals', { tenantId: TENANT.toUpperCase() }, 'accepted'],
  ['another tenant', { tenantId: BOB }, 'InvalidProperty'],
  ['50 administrators', { administrators: guids(50) }, 'accepted'],
  ['51 administrators', { administrators: guids(51) }, 'InvalidProperty'],
  ['no administrators', { administrators: [] }, 'InvalidProperty'],
  ['90 days', { retentionDays: 90 }, 'accepted'],
  ['Custom_B32', { sku: { family: 'B', name: 'Custom_B32' } }, 'accepted'],
  ['Custom_B6', { sku: { family: 'B', name: 'Custom_B6' } }, 'accepted'],
  ['Custom_C42', { sku: { family: 'C', name: 'Custom_C42' } }, 'accepted'],
  ['Custom_C10', { sku: { family: 'C', name: 'Custom_C10' } }, 'accepted'],
  ['an empty location', { location: ' ' }, 'LocationRequired'],
  ['an unknown location', { location: 'Atlantis' }, 'LocationNotAvailable'],
  ['a location in any writing', { location: 'WESTUS' }, 'accepted'],
])('a new HSM with %s', (_, more, ending) => {
  expect(endingOf(() => ofNew(more))).toBe(ending);
});

test('a new HSM without a location or without administrators is refused', () => {
  const { location: _, ...nowhere } = creation();
  const { administrators: __, ...nobody } = creation();
  expect(endingOf(() => settingsOfNew(nowhere, TENANT, countingIds()))).toBe('LocationRequired');
  expect(endingOf(() => settingsOfNew(nobody, TENANT, countingIds()))).toBe('InvalidProperty');
  expect(endingOf(() => settingsOfNew(creation(), TENANT, countingIds()))).toBe('accepted');
});

test('a new HSM gets every default: 90 days, no purge protection, an open network, no tags', () => {
  expect(ofNew()).toEqual({
    location: 'West US',
    sku: { family: 'B', name: 'Standard_B1' },
    tags: {},
    tenantId: TENANT,
    administrators: [ALICE],
    retentionDays: 90,
    purgeProtection: false,
    networkAcls: { bypass: 'AzureServices', defaultAction: 'Allow', ipRules: [], virtualNetworkRules: [] },
    publicNetworkAccess: 'Enabled',
    secondaryRegions: [],
  });
});

test('a new HSM keeps what it is given: administrators in lower case and once, regions without its own', () => {
  expect(
    ofNew({
      location: 'westus',
      sku: { family: 'C', name: 'Custom_C10' },
      tags: { a: 'b' },
      administrators: [ALICE.toUpperCase(), ALICE, BOB],
      retentionDays: 7,
      purgeProtection: true,
      networkAcls: { defaultAction: 'Deny', serviceTags: [{ tag: 'Storage' }] },
      publicNetworkAccess: 'Disabled',
      secondaryRegions: ['UK South', 'West US', 'uksouth', 'East US 2'],
    }),
  ).toEqual({
    location: 'westus',
    sku: { family: 'C', name: 'Custom_C10' },
    tags: { a: 'b' },
    tenantId: TENANT,
    administrators: [ALICE, BOB],
    retentionDays: 7,
    purgeProtection: true,
    networkAcls: { bypass: 'AzureServices', defaultAction: 'Deny', ipRules: [], virtualNetworkRules: [], serviceTags: [{ tag: 'Storage' }] },
    publicNetworkAccess: 'Disabled',
    secondaryRegions: ['uksouth', 'eastus2'],
  });
});

describe('an update', () => {
  test('that says nothing changes nothing', () => {
    const before = { ...contosoSettings, identity: { type: 'SystemAssigned', principalId: 'p', userAssigned: {} }, purgeProtection: true };
    expect(afterUpdate({}, before)).toEqual(before);
  });

  test.each<[string, Partial<HsmRequest>, Partial<HsmSettings>, Ending]>([
    ['the same retention again (az sends it)', { retentionDays: 7 }, {}, 'accepted'],
    ['another retention', { retentionDays: 8 }, {}, 'PropertyFixed'],
    ['the same location in another writing', { location: 'westus' }, {}, 'accepted'],
    ['another location', { location: 'East US' }, {}, 'PropertyFixed'],
    ['another sku of the family', { sku: { family: 'B', name: 'Custom_B32' } }, {}, 'PropertyFixed'],
    ['a sku of another family', { sku: { family: 'C', name: 'Custom_C10' } }, {}, 'PropertyFixed'],
    ['the same sku', { sku: { family: 'B', name: 'Standard_B1' } }, {}, 'accepted'],
    ['the same tenant', { tenantId: TENANT.toUpperCase() }, {}, 'accepted'],
    ['another tenant', { tenantId: BOB }, {}, 'PropertyFixed'],
    ['the same administrators in another order', { administrators: [BOB.toUpperCase(), ALICE] }, { administrators: [ALICE, BOB] }, 'accepted'],
    ['one administrator less', { administrators: [ALICE] }, { administrators: [ALICE, BOB] }, 'PropertyFixed'],
    ['another administrator', { administrators: [BOB] }, { administrators: [ALICE] }, 'PropertyFixed'],
    ['an empty list of administrators', { administrators: [] }, { administrators: [ALICE] }, 'PropertyFixed'],
    ['purge protection on', { purgeProtection: true }, { purgeProtection: false }, 'accepted'],
    ['purge protection on once more', { purgeProtection: true }, { purgeProtection: true }, 'accepted'],
    ['purge protection left off (az sends it)', { purgeProtection: false }, { purgeProtection: false }, 'accepted'],
    ['I9 purge protection off', { purgeProtection: false }, { purgeProtection: true }, 'PurgeProtectionStaysOn'],
  ])('with %s', (_, more, before, ending) => {
    expect(endingOf(() => afterUpdate(more, before))).toBe(ending);
  });

  test('replaces tags, network, access and regions whole, and switches purge protection on', () => {
    const before = { networkAcls: { ...contosoSettings.networkAcls, defaultAction: 'Deny', ipRules: [{ value: '10.0.0.1' }] }, secondaryRegions: ['eastus2'] };
    expect(
      afterUpdate({ tags: {}, purgeProtection: true, networkAcls: { bypass: 'None' }, publicNetworkAccess: 'Disabled', secondaryRegions: ['UK South', 'westus'] }, before),
    ).toEqual({
      ...contosoSettings,
      tags: {},
      purgeProtection: true,
      networkAcls: { bypass: 'None', defaultAction: 'Allow', ipRules: [], virtualNetworkRules: [] },
      publicNetworkAccess: 'Disabled',
      secondaryRegions: ['uksouth'],
    });
  });

  test('takes the last secondary region away', () => {
    expect(afterUpdate({ secondaryRegions: [] }, { secondaryRegions: ['uksouth'] }).secondaryRegions).toEqual([]);
  });
});

describe('identities', () => {
  test('get principals when they are assigned', () => {
    expect(ofNew({ identity: { type: 'SystemAssigned, UserAssigned', userAssignedIds: ['/id/0'] } }).identity).toEqual({
      type: 'SystemAssigned,UserAssigned',
      principalId: 'id-1',
      userAssigned: { '/id/0': { principalId: 'id-2', clientId: 'id-3' } },
    });
  });

  const identity = { type: 'SystemAssigned,UserAssigned', principalId: 'p', userAssigned: { '/id/0': { principalId: 'p0', clientId: 'c0' } } };

  test('keep their principals over an update, and new ones get theirs', () => {
    expect(afterUpdate({ identity: { type: 'SystemAssigned,UserAssigned', userAssignedIds: ['/id/0', '/id/1'] } }, { identity }).identity).toEqual({
      type: 'SystemAssigned,UserAssigned',
      principalId: 'p',
      userAssigned: { '/id/0': { principalId: 'p0', clientId: 'c0' }, '/id/1': { principalId: 'id-1', clientId: 'id-2' } },
    });
  });

  test('lose the system’s principal with its type, and everything with None', () => {
    expect(afterUpdate({ identity: { type: 'UserAssigned', userAssignedIds: ['/id/0'] } }, { identity }).identity).toEqual({
      type: 'UserAssigned',
      userAssigned: identity.userAssigned,
    });
    expect(afterUpdate({ identity: { type: 'None', userAssignedIds: [] } }, { identity })).toEqual(contosoSettings);
  });

  test.each(['constructor', '__proto__', 'toString'])('whose id is %s are data like any other', (id) => {
    const after = afterUpdate({ identity: { type: 'UserAssigned', userAssignedIds: [id] } }, { identity }).identity?.userAssigned ?? {};
    expect(JSON.stringify(after)).toBe(`{"${id}":{"principalId":"id-1","clientId":"id-2"}}`);
  });
});

test('tags named constructor and __proto__ are data like any other', () => {
  const given = JSON.parse('{"constructor":"c","__proto__":"p"}') as Record<string, string>;
  expect(endingOf(() => checkTags(given))).toBe('accepted');
  expect(JSON.stringify(ofNew({ tags: given }).tags)).toBe('{"constructor":"c","__proto__":"p"}');
  expect(endingOf(() => checkTags(JSON.parse(`{"__proto__":"${'v'.repeat(257)}"}`) as Record<string, string>))).toBe('InvalidProperty');
});

test('the messages are the service’s own where they are known', () => {
  expect(messageOf(() => afterUpdate({ retentionDays: 8 }))).toBe('The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.');
  expect(messageOf(() => ofNew({ networkAcls: { bypass: 'All' } }))).toBe('ByPass property is invalid. Supported values are : None, AzureServices');
  expect(messageOf(() => ofNew({ secondaryRegions: ['atlantis'] }))).toMatch(
    /^Invalid region name: atlantis passed\. The valid list of region names: centralus, centraluseuap, eastus2, /,
  );
  expect(messageOf(() => ofNew({ secondaryRegions: ['x'.repeat(1000)] })).length).toBeLessThan(1000);
});
