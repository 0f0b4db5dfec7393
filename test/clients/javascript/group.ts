// Makes the scenario's resource group, for clients whose SDK in use has no method for it, and in it the HSM that is named, for those who come for keys.
import { KeyVaultManagementClient } from '@azure/arm-keyvault';
import { ClientSecretCredential } from '@azure/identity';
import { putResourceGroup } from '../../../local/controlPlane';

const [group = '', location = '', hsm, administrator = ''] = process.argv.slice(2);
const { MHSM_TENANT = '', MHSM_SUBSCRIPTION = '', MHSM_EDGE_PORT } = process.env;
const RETENTION_DAYS = 7;

async function main(): Promise<void> {
  const credential = new ClientSecretCredential(MHSM_TENANT, 'owner', 'any');
  const { token } = await credential.getToken('https://management.azure.com/.default');
  await putResourceGroup({ edgePort: Number(MHSM_EDGE_PORT), subscriptionId: MHSM_SUBSCRIPTION, token }, group, location);
  if (hsm === undefined) return;
  const properties = { tenantId: MHSM_TENANT, initialAdminObjectIds: [administrator], softDeleteRetentionInDays: RETENTION_DAYS };
  const { managedHsms } = new KeyVaultManagementClient(credential, MHSM_SUBSCRIPTION);
  await managedHsms.createOrUpdate(group, hsm, { location, sku: { family: 'B', name: 'Standard_B1' }, properties }).pollUntilDone();
}

void main();
