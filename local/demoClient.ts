// The client's part of the demo: the published @azure/arm-keyvault with its default arguments, as any program would use it in a shell that sourced env.sh. Each step is held against what it should bring; the first that differs ends the demo with 1.
import { isDeepStrictEqual } from 'node:util';
import { KeyVaultManagementClient, type ManagedHsm } from '@azure/arm-keyvault';
import { ClientSecretCredential } from '@azure/identity';
import picocolors from 'picocolors';
import { putResourceGroup } from './controlPlane';

const GROUP = 'ContosoRG';
const NAME = 'ContosoMHSM';
const LOCATION = 'westus';
const RETENTION_DAYS = 7;
const DAY_MS = 86_400_000;

const variable = (name: string): string => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: source env.sh of a running instance.`);
  return value;
};

const [tenantId, subscriptionId] = [variable('MHSM_TENANT'), variable('MHSM_SUBSCRIPTION')];
const credential = new ClientSecretCredential(tenantId, 'owner', 'any');
const { managedHsms } = new KeyVaultManagementClient(credential, subscriptionId);

const description = (): ManagedHsm => ({
  location: LOCATION,
  sku: { family: 'B', name: 'Standard_B1' },
  properties: { tenantId, initialAdminObjectIds: ['33333333-3333-4333-8333-333333333333'], softDeleteRetentionInDays: RETENTION_DAYS },
});

/** What a step showed, in the words of its expectation. */
type Shown = Readonly<Record<string, unknown>>;

const shortly = (shown: Shown): string => picocolors.dim(JSON.stringify(shown).replaceAll('"', '').replaceAll(',', ', ').slice(1, -1) || 'nothing');

async function step(title: string, run: () => Promise<Shown>, expected: Shown, note?: () => string): Promise<void> {
  const shown = await run();
  if (!isDeepStrictEqual(shown, expected)) {
    console.log(`${picocolors.red('✗')} ${picocolors.bold(title)}\n    it showed  ${shortly(shown)}\n    it should  ${shortly(expected)}`);
    process.exit(1);
  }
  console.log(`${picocolors.green('✓')} ${picocolors.bold(title.padEnd(34))} ${note ? picocolors.dim(note()) : shortly(shown)}`);
}

/** The status and code with which a call was refused, or that it was not. */
async function refusal(call: Promise<unknown>): Promise<Shown> {
  try {
    await call;
    return { refused: false };
  } catch (error) {
    const { statusCode, code } = error as { readonly statusCode?: number; readonly code?: string };
    if (statusCode === undefined) throw error;
    return { status: statusCode, code };
  }
}

/** Names of deleted HSMs, each with the days between its deletion and its scheduled purge. */
async function deleted(): Promise<{ readonly names: Record<string, number>; readonly dates: string }> {
  const names: Record<string, number> = {};
  let dates = 'none';
  for await (const { name = '', properties } of managedHsms.listDeleted()) {
    const [from, to] = [properties?.deletionDate?.getTime() ?? Number.NaN, properties?.scheduledPurgeDate?.getTime() ?? Number.NaN];
    names[name] = (to - from) / DAY_MS;
    dates = `${name}: deleted ${new Date(from).toISOString()}, purge scheduled ${new Date(to).toISOString()}`;
  }
  return { names, dates };
}

async function advanceClock(by: string): Promise<string> {
  const response = await fetch(variable('MHSM_CLOCK_URL'), {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-clock-token': variable('MHSM_CLOCK_TOKEN') },
    body: JSON.stringify({ advance: by }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`The clock answered ${response.status}: ${text}`);
  return (JSON.parse(text) as { readonly now: string }).now;
}

async function main(advance: string): Promise<void> {
  const token = (await credential.getToken('https://management.azure.com/.default')).token;
  await putResourceGroup({ edgePort: Number(variable('MHSM_EDGE_PORT')), subscriptionId, token }, GROUP, LOCATION);
  let [dates, now] = ['', ''];
  const remove = async (): Promise<Shown> => {
    await managedHsms.delete(GROUP, NAME).pollUntilDone();
    return refusal(managedHsms.get(GROUP, NAME));
  };
  const state = ({ name, properties }: ManagedHsm): Shown => ({
    name,
    state: properties?.provisioningState,
    softDelete: properties?.enableSoftDelete,
    retentionDays: properties?.softDeleteRetentionInDays,
  });
  const alive = { name: NAME, state: 'Succeeded', softDelete: true, retentionDays: RETENTION_DAYS };
  const gone = { status: 404, code: 'ResourceNotFound' };

  await step('create', async () => state(await managedHsms.createOrUpdate(GROUP, NAME, description()).pollUntilDone()), alive);
  await step('delete: it is gone', remove, gone);
  const list = async (): Promise<Shown> => {
    const found = await deleted();
    dates = found.dates;
    return found.names;
  };
  await step('and is listed as deleted', list, { [NAME]: RETENTION_DAYS }, () => dates);
  await step('its name cannot be taken', () => refusal(managedHsms.createOrUpdate(GROUP, NAME, description()).pollUntilDone()), { status: 409, code: 'ConflictError' });
  await step(
    'recover: it is back, as it was',
    async () => state(await managedHsms.createOrUpdate(GROUP, NAME, { location: LOCATION, properties: { createMode: 'recover' } }).pollUntilDone()),
    alive,
  );
  await step('and no longer among the deleted', list, {});
  await step('delete it again', remove, gone);
  await step('it has 7 days from now', list, { [NAME]: RETENTION_DAYS }, () => dates);
  const move = async (): Promise<Shown> => {
    now = await advanceClock(advance);
    return {};
  };
  await step(`advance the clock by ${advance}`, move, {}, () => `it is ${now}`);
  await step('nothing is left to recover', list, {});
  await step('its name is free', async () => ({ available: (await managedHsms.checkMhsmNameAvailability({ name: NAME })).nameAvailable }), { available: true });
}

main(String(process.argv[2])).catch((error: unknown) => {
  console.error(`${picocolors.red('✗')} ${(error as Error).message}`);
  process.exit(1);
});
