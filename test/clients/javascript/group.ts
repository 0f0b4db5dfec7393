// Makes the scenario's resource group, for clients whose SDK in use has no method for it.
import { ClientSecretCredential } from '@azure/identity';
import { putResourceGroup } from '../../../local/controlPlane';

const [name = '', location = ''] = process.argv.slice(2);
const { MHSM_TENANT = '', MHSM_SUBSCRIPTION = '', MHSM_EDGE_PORT } = process.env;

async function main(): Promise<void> {
  const { token } = await new ClientSecretCredential(MHSM_TENANT, 'owner', 'any').getToken('https://management.azure.com/.default');
  await putResourceGroup({ edgePort: Number(MHSM_EDGE_PORT), subscriptionId: MHSM_SUBSCRIPTION, token }, name, location);
}

void main();
