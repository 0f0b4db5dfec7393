// The scenario with @azure/arm-keyvault, all arguments at their defaults. One line of JSON per step on standard output.
import { readFileSync } from 'node:fs';
import { type DeletedManagedHsm, KeyVaultManagementClient, type ManagedHsm } from '@azure/arm-keyvault';
import { ClientSecretCredential } from '@azure/identity';
import type { Outcome, Scenario, Step } from '../scenario';

const [tenantId, subscriptionId] = [String(process.env.MHSM_TENANT), String(process.env.MHSM_SUBSCRIPTION)];
const { group, location, administrator, steps } = JSON.parse(readFileSync(String(process.argv[2]), 'utf8')) as Scenario;
const { managedHsms } = new KeyVaultManagementClient(new ClientSecretCredential(tenantId, 'owner', 'any'), subscriptionId);

const hsmOf = ({ name, location, tags, properties }: ManagedHsm): Outcome => ({
  name,
  location,
  uri: properties?.hsmUri,
  state: properties?.provisioningState,
  softDelete: properties?.enableSoftDelete,
  retentionDays: properties?.softDeleteRetentionInDays,
  purgeProtection: properties?.enablePurgeProtection,
  tags,
});

const deletedOf = ({ name, properties }: DeletedManagedHsm): Outcome => ({
  name,
  location: properties?.location,
  from: properties?.mhsmId,
  purgeProtection: properties?.purgeProtectionEnabled,
  tags: properties?.tags,
  deletedAt: properties?.deletionDate?.toISOString(),
  purgeAt: properties?.scheduledPurgeDate?.toISOString(),
});

async function namesOf(list: AsyncIterable<{ readonly name?: string }>): Promise<Outcome> {
  const names: unknown[] = [];
  for await (const { name } of list) names.push(name);
  return { names };
}

const description = ({ retentionDays, purgeProtection, tags }: Step): ManagedHsm => ({
  location,
  sku: { family: 'B', name: 'Standard_B1' },
  ...(tags && { tags: { ...tags } }),
  properties: {
    tenantId,
    initialAdminObjectIds: [administrator],
    ...(retentionDays !== undefined && { softDeleteRetentionInDays: retentionDays }),
    ...(purgeProtection !== undefined && { enablePurgeProtection: purgeProtection }),
  },
});

const change = ({ purgeProtection, tags }: Step): ManagedHsm => ({
  ...(tags && { tags: { ...tags } }),
  ...(purgeProtection !== undefined && { properties: { enablePurgeProtection: purgeProtection } }),
});

const calls: Readonly<Record<Step['do'], (name: string, step: Step) => Promise<Outcome>>> = {
  async checkName(name) {
    const { nameAvailable, reason } = await managedHsms.checkMhsmNameAvailability({ name });
    return { available: nameAvailable, ...(reason && { reason }) };
  },
  create: async (name, step) => hsmOf(await managedHsms.createOrUpdate(group, name, description(step)).pollUntilDone()),
  update: async (name, step) => hsmOf(await managedHsms.update(group, name, change(step)).pollUntilDone()),
  recover: async (name) => hsmOf(await managedHsms.createOrUpdate(group, name, { location, properties: { createMode: 'recover' } }).pollUntilDone()),
  get: async (name) => hsmOf(await managedHsms.get(group, name)),
  list: () => namesOf(managedHsms.listBySubscription()),
  listByGroup: () => namesOf(managedHsms.listByResourceGroup(group)),
  listDeleted: () => namesOf(managedHsms.listDeleted()),
  getDeleted: async (name) => deletedOf(await managedHsms.getDeleted(name, location)),
  async delete(name) {
    await managedHsms.delete(group, name).pollUntilDone();
    return {};
  },
  async purge(name) {
    await managedHsms.purgeDeleted(name, location).pollUntilDone();
    return {};
  },
};

async function outcomeOf(step: Step): Promise<Outcome> {
  try {
    return await calls[step.do](step.hsm ?? '', step);
  } catch (error) {
    const { statusCode, code } = error as { readonly statusCode?: number; readonly code?: string };
    if (statusCode === undefined) throw error;
    return { status: statusCode, code };
  }
}

async function main(): Promise<void> {
  for (const step of steps) console.log(JSON.stringify(await outcomeOf(step)));
}

void main();
