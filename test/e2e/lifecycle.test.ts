// An HSM through its whole life over HTTP, on Azurite.
import { type Service, SUBSCRIPTION_ID, startService } from '../kit/service';

const SUBSCRIPTION = `/subscriptions/${SUBSCRIPTION_ID}`;
const GROUP = `${SUBSCRIPTION}/resourceGroups/rg1`;
const HSM = `${GROUP}/providers/Microsoft.KeyVault/managedHSMs/contoso`;

let service: Service;
beforeAll(async () => {
  service = await startService();
}, 60_000);
afterAll(() => service.stop());

test('created, deleted, purged at its date', async () => {
  const owner = service.as('owner');
  await owner.send('PUT', GROUP, { location: 'westus' });
  const created = await owner.finish('PUT', HSM, {
    location: 'westus',
    properties: { initialAdminObjectIds: ['33333333-3333-4333-8333-333333333333'], softDeleteRetentionInDays: 7 },
  });
  expect(created.status).toBe(200);
  expect((await owner.finish('DELETE', HSM)).status).toBe(200);
  await service.clock({ advance: 'P8D' });
  expect((await owner.send('GET', `${SUBSCRIPTION}/providers/Microsoft.KeyVault/deletedManagedHSMs`)).json).toEqual({ value: [] });
});
