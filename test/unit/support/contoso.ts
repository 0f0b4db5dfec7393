// The one HSM that the unit tests tell their stories about: `contoso` in group `Team`, West US, and the people around it.
import type { Caller } from '../../../shared/domain/armRoles';
import type { HsmRequest, HsmSettings } from '../../../shared/domain/hsmSettings';
import type { Deletion } from '../../../shared/domain/lifecycle';
import type { DeletedHsmPath, HsmPath, HsmRecord, Setting } from '../../../shared/domain/managedHsm';
import type { Row } from '../../../shared/domain/plan';
import type { Instant } from '../../../shared/domain/time';

export const SUBSCRIPTION = '11111111-1111-4111-8111-111111111111';
export const OTHER_SUBSCRIPTION = '22222222-2222-4222-8222-222222222222';
export const TENANT = '33333333-3333-4333-8333-333333333333';
export const ALICE = '44444444-4444-4444-8444-444444444444';
export const BOB = '55555555-5555-4555-8555-555555555555';
export const GROUP_OF_ALICE = '66666666-6666-4666-8666-666666666666';
export const INCARNATION = '77777777-7777-4777-8777-777777777777';
export const DELETION = '88888888-8888-4888-8888-888888888888';

/** Whole seconds of a literal instant. */
export const at = (text: string): Instant => Date.parse(text) / 1000;

export const alice: Caller = { objectId: ALICE, groups: [GROUP_OF_ALICE], groupsLeftOut: false, kind: 'User', displayName: 'alice@contoso.test' };
export const robot: Caller = { objectId: BOB, groups: [], groupsLeftOut: false, kind: 'Application', displayName: '99999999-9999-4999-8999-999999999999' };

export const contosoSettings: HsmSettings = {
  location: 'West US',
  sku: { family: 'B', name: 'Standard_B1' },
  tags: { dept: 'hsm' },
  tenantId: TENANT,
  administrators: [ALICE],
  retentionDays: 7,
  purgeProtection: false,
  networkAcls: { bypass: 'AzureServices', defaultAction: 'Allow', ipRules: [], virtualNetworkRules: [] },
  publicNetworkAccess: 'Enabled',
  secondaryRegions: [],
};

const created = { at: at('2027-01-01T00:00:00Z'), by: 'alice@contoso.test', byType: 'User' } as const;

export const contoso = ({ settings = {}, ...more }: Partial<Omit<HsmRecord, 'settings'>> & { readonly settings?: Partial<HsmSettings> } = {}): HsmRecord => ({
  name: 'Contoso',
  incarnation: INCARNATION,
  subscription: SUBSCRIPTION,
  group: 'Team',
  settings: { ...contosoSettings, ...settings },
  wrappedSealingKey: 'wrapped-sealing-key',
  created,
  modified: created,
  writeId: 'write-1',
  ...more,
});

/** Deleted on the 2nd, due on the 9th. */
export const deletion: Deletion = { deletionId: DELETION, deletedAt: at('2027-01-02T00:00:00Z'), purgeAt: at('2027-01-09T00:00:00Z') };

export const stored = (record: HsmRecord, etag = 'etag-1'): Row<HsmRecord> => ({
  partition: 'contoso',
  row: '!hsm',
  etag,
  writtenAt: at('2027-01-01T00:00:00Z'),
  value: record,
});

export const path = (more: Partial<HsmPath> = {}): HsmPath => ({
  subscription: SUBSCRIPTION,
  group: 'team',
  name: 'contoso',
  display: { group: 'Team', name: 'Contoso' },
  ...more,
});

export const deletedPath = (more: Partial<DeletedHsmPath> = {}): DeletedHsmPath => ({ subscription: SUBSCRIPTION, location: 'westus', name: 'contoso', ...more });

/** The smallest request that creates an HSM. */
export const creation = (more: Partial<HsmRequest> = {}): HsmRequest => ({ recover: false, location: 'West US', administrators: [ALICE], ...more });

/** Ids are id-1, id-2, …, in the order in which they are asked for. */
export function countingIds(prefix = 'id'): () => string {
  let count = 0;
  return () => `${prefix}-${++count}`;
}

export const setting = (now: Instant, more: Partial<Setting> = {}): Setting => ({
  caller: alice,
  now,
  tenantId: TENANT,
  daySeconds: 86_400,
  lroSeconds: () => 0,
  newId: countingIds(),
  grantsAtCreation: [],
  ...more,
});
