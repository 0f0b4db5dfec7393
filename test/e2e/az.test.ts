// The HSM part of "How to use Managed HSM soft-delete with CLI", command by command in its real form, with the real az through the edge: exit codes, printed fields, and the requests that it makes, held against those recorded of az 2.45, 2.74 and 2.91.
import { azOn, azVersion, findAz, runAz, testWithAz } from '../kit/az';
import { type RunningInstance, runInstance } from '../kit/instance';

const SUBSCRIPTION = '22222222-2222-4222-8222-222222222222';
const TENANT = '11111111-1111-4111-8111-111111111111';
const ADMINISTRATOR = '33333333-3333-4333-8333-333333333333';
const HSM_ID = `/subscriptions/${SUBSCRIPTION}/resourceGroups/ContosoRG/providers/Microsoft.KeyVault/managedHSMs/ContosoMHSM`;
const DELETED_ID = `/subscriptions/${SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/westus/deletedManagedHSMs/ContosoMHSM`;
const DAY_MS = 86_400_000;

/** Paths in the log's notation. */
const HSM = 'ARM/resourceGroups/ContosoRG/KV/managedHSMs/ContosoMHSM';
const DELETED = 'ARM/KV/locations/westus/deletedManagedHSMs/ContosoMHSM';
const LIST = 'GET ARM/KV/managedHSMs 200';
const LIST_DELETED = 'GET ARM/KV/deletedManagedHSMs 200';
const OPERATION_ENDED = 'GET ARM/KV/locations/westus/managedHsmOperationResults/GUID 200';

const CREATE = `keyvault create --hsm-name ContosoMHSM -g ContosoRG -l westus --administrators ${ADMINISTRATOR} --retention-days 7`;

/** What each az sends as api-version of managed HSMs. */
const API_VERSIONS: Readonly<Record<string, string>> = { '2.45': '2022-07-01', '2.74': '2024-11-01', '2.91': '2026-02-01' };
/** `az resource` takes the newest that the provider lists. */
const LISTED_VERSION = '2023-07-01';

const path = findAz();
const told = (name: string, run: (az: string) => Promise<void>): void => testWithAz(path, name, run);
jest.setTimeout(120_000);

let instance: RunningInstance;
let az: ReturnType<typeof azOn>;
let version: string;
const refused = new Set<string>();
const versions = new Set<string>();

beforeAll(async () => {
  if (path === undefined) return;
  instance = await runInstance();
  version = azVersion(path, instance.sourced());
  const run = azOn(instance, path);
  az = async (command) => {
    const result = await run(command);
    for (const host of result.refused) refused.add(host);
    for (const line of result.lines) if (/ManagedHSM/i.test(line)) versions.add(/[?&]api-version=([\d-]+)/.exec(line)?.[1] ?? 'none');
    return result;
  };
});
afterAll(() => instance?.stop());

/** How az prints the HSM. */
const hsm = (properties: object = {}, tags: object = {}) => ({
  id: HSM_ID,
  name: 'ContosoMHSM',
  type: 'Microsoft.KeyVault/managedHSMs',
  location: 'westus',
  resourceGroup: 'ContosoRG',
  sku: { family: 'B', name: 'Standard_B1' },
  tags,
  systemData: {
    createdAt: expect.stringMatching(/^20/),
    createdBy: expect.any(String),
    createdByType: 'Application',
    lastModifiedAt: expect.stringMatching(/^20/),
    lastModifiedBy: expect.any(String),
    lastModifiedByType: 'Application',
  },
  properties: {
    tenantId: TENANT,
    hsmUri: 'https://contosomhsm.managedhsm.azure.net/',
    initialAdminObjectIds: [ADMINISTRATOR],
    enableSoftDelete: true,
    softDeleteRetentionInDays: 7,
    enablePurgeProtection: false,
    provisioningState: 'Succeeded',
    statusMessage: 'The Managed HSM is provisioned and ready to use.',
    networkAcls: { bypass: 'AzureServices', defaultAction: 'Allow', ipRules: [], virtualNetworkRules: [] },
    publicNetworkAccess: 'Enabled',
    regions: [],
    securityDomainProperties: { activationStatus: 'Active', activationStatusMessage: 'Your HSM has been activated and can be used for cryptographic operations.' },
    ...properties,
  },
});

const group = {
  id: `/subscriptions/${SUBSCRIPTION}/resourceGroups/ContosoRG`,
  name: 'ContosoRG',
  type: 'Microsoft.Resources/resourceGroups',
  location: 'westus',
  properties: { provisioningState: 'Succeeded' },
  tags: {},
};

/** Holds a printed deleted HSM against all that is known of it; its purge date is 7 days after its deletion, to the second. */
function expectDeleted(printed: unknown): void {
  const { deletionDate } = (printed as { properties: { deletionDate: string } }).properties;
  expect(Math.abs(Date.parse(deletionDate) - Date.now())).toBeLessThan(DAY_MS);
  expect(printed).toEqual({
    id: DELETED_ID,
    name: 'ContosoMHSM',
    type: 'Microsoft.Keyvault/deletedManagedHSMs',
    properties: {
      mhsmId: HSM_ID,
      location: 'westus',
      deletionDate,
      scheduledPurgeDate: new Date(Date.parse(deletionDate) + 7 * DAY_MS).toISOString().replace('.000Z', deletionDate.endsWith('Z') ? 'Z' : '+00:00'),
      purgeProtectionEnabled: false,
      tags: {},
    },
  });
}

told('az logs in with a name, any password and the tenant', async () => {
  expect(await az(`login --service-principal -u owner -p any --tenant ${TENANT}`)).toMatchObject({
    exit: 0,
    json: [{ cloudName: 'AzureCloud', id: SUBSCRIPTION, name: 'Local', isDefault: true, state: 'Enabled', tenantId: TENANT, user: { name: 'owner', type: 'servicePrincipal' } }],
    asked: [
      'GET login.microsoftonline.com/GUID/v2.0/.well-known/openid-configuration 200',
      'POST login.microsoftonline.com/GUID/oauth2/v2.0/token 200',
      'GET ARM/subscriptions 200',
    ],
  });
});

told('an HSM is created in a group, and takes its name', async () => {
  expect(await az('group create -n ContosoRG -l westus')).toMatchObject({ exit: 0, json: group, asked: ['PUT ARM/resourcegroups/ContosoRG 201'] });
  const free = await az('keyvault check-name --name ContosoMHSM --resource-type hsm');
  expect(free).toMatchObject({ exit: 0, json: { nameAvailable: true }, asked: ['POST ARM/KV/checkMhsmNameAvailability 200'] });

  const created = await az(CREATE);
  expect(created).toMatchObject({ exit: 0, asked: [`PUT ${HSM} 202`, OPERATION_ENDED] });
  expect(created.json).toEqual(hsm());

  const taken = await az('keyvault check-name --name ContosoMHSM --resource-type hsm');
  expect(taken.json).toEqual({ nameAvailable: false, reason: 'AlreadyExists', message: "The name 'ContosoMHSM' is already in use." });
});

told('soft delete "is enabled", as it was, and show verifies it', async () => {
  const shown = await az('keyvault show --hsm-name ContosoMHSM --query id -o tsv');
  expect(shown).toMatchObject({ exit: 0, out: `${HSM_ID}\n`, asked: [LIST, `GET ${HSM} 200`] });

  const updated = await az(`resource update --id ${shown.out.trim()} --set properties.enableSoftDelete=true`);
  expect(updated).toMatchObject({ exit: 0, asked: ['GET ARM/KV 200', `GET ${HSM} 200`, 'GET ARM/KV 200', `PUT ${HSM} 202`, OPERATION_ENDED] });
  expect(updated.json).toEqual(hsm());

  const verified = await az('keyvault show --hsm-name ContosoMHSM -g ContosoRG');
  expect(verified).toMatchObject({ exit: 0, asked: [`GET ${HSM} 200`] });
  expect(verified.json).toEqual(hsm());
});

told('lists, wait-hsm, and set-policy, which has no form for HSMs', async () => {
  expect(await az('keyvault list --resource-type hsm')).toMatchObject({ exit: 0, json: [hsm()], asked: [LIST] });
  expect(await az('keyvault list')).toMatchObject({ exit: 0, json: [hsm()], asked: ["GET ARM/resources?resourceType eq 'Microsoft.KeyVault/vaults' 200", LIST] });
  expect(await az('keyvault wait-hsm --hsm-name ContosoMHSM -g ContosoRG --created')).toMatchObject({ exit: 0, out: '', asked: [`GET ${HSM} 200`] });

  const unplaced = await az('keyvault set-policy --name ContosoMHSM --key-permissions get purge');
  expect(unplaced).toMatchObject({ exit: 1, out: '', err: expect.stringContaining("The Vault 'ContosoMHSM' not found within subscription.") });
  expect(unplaced.asked).toEqual([expect.stringMatching(/^GET ARM\/resources\?resourceType eq 'Microsoft\.KeyVault\/vaults'( and name eq 'ContosoMHSM')? 200$/)]);
  const placed = await az(`keyvault set-policy --name ContosoMHSM -g ContosoRG --object-id ${ADMINISTRATOR} --key-permissions get purge`);
  expect(placed).toMatchObject({ exit: 3, err: expect.stringContaining('(ResourceNotFound)'), asked: ['GET ARM/resourceGroups/ContosoRG/KV/vaults/ContosoMHSM 404'] });
});

told('a deleted HSM is gone, keeps its name, and is listed with the date of its purge', async () => {
  const deleted = await az('keyvault delete --hsm-name ContosoMHSM');
  expect(deleted).toMatchObject({ exit: 0, out: '', err: expect.stringContaining('will soft delete the resource'), asked: [LIST, `DELETE ${HSM} 202`, OPERATION_ENDED] });

  const gone = { exit: 1, out: '', err: expect.stringContaining("The HSM 'ContosoMHSM' not found within subscription."), asked: [LIST] };
  expect(await az('keyvault show --hsm-name ContosoMHSM')).toMatchObject(gone);
  expect(await az('keyvault show --hsm-name ContosoMHSM -g ContosoRG')).toMatchObject({ exit: 3, err: expect.stringContaining('(ResourceNotFound)'), asked: [`GET ${HSM} 404`] });
  const again = { exit: 1, out: '', err: expect.stringContaining('(ConflictError) A KV MHSM with the same name already exists in deleted state.'), asked: [`PUT ${HSM} 409`] };
  expect(await az(CREATE)).toMatchObject(again);

  const listed = await az('keyvault list-deleted --resource-type hsm');
  expect(listed).toMatchObject({ exit: 0, json: [{}], asked: [LIST_DELETED] });
  expectDeleted((listed.json as unknown[])[0]);
  expect(await az('keyvault list-deleted')).toMatchObject({ exit: 0, json: listed.json, asked: ['GET ARM/KV/deletedVaults 200', LIST_DELETED] });
  const shown = await az('keyvault show-deleted --hsm-name ContosoMHSM -l westus');
  expect(shown).toMatchObject({ exit: 0, asked: [`GET ${DELETED} 200`, `GET ${DELETED} 200`] });
  expectDeleted(shown.json);
  expect(await az('keyvault show-deleted --hsm-name ContosoMHSM')).toMatchObject({ exit: 0, json: shown.json, asked: [LIST_DELETED, `GET ${DELETED} 200`] });
});

told('it is recovered by name, group and location', async () => {
  const recovered = await az('keyvault recover --hsm-name ContosoMHSM -l westus -g ContosoRG');
  expect(recovered).toMatchObject({ exit: 0, asked: [`GET ${DELETED} 200`, `PUT ${HSM} 202`, OPERATION_ENDED] });
  expect(recovered.json).toEqual(hsm());
  expect(await az('keyvault list-deleted --resource-type hsm')).toMatchObject({ exit: 0, json: [] });
});

told('deleted with its group, it is recovered when a group of that name is there again', async () => {
  expect(await az('group delete -n ContosoRG -y')).toMatchObject({ exit: 0, out: '', asked: ['DELETE ARM/resourcegroups/ContosoRG 202', 'GET ARM/operationresults/GUID 200'] });
  expectDeleted((await az('keyvault show-deleted --hsm-name ContosoMHSM')).json);

  const groupless = { exit: 3, err: expect.stringContaining("(ResourceGroupNotFound) Resource group 'ContosoRG' could not be found."), asked: [LIST_DELETED, `PUT ${HSM} 404`] };
  expect(await az('keyvault recover --hsm-name ContosoMHSM')).toMatchObject(groupless);
  expect(await az('group create -n ContosoRG -l westus')).toMatchObject({ exit: 0, json: group });
  const recovered = await az('keyvault recover --hsm-name ContosoMHSM');
  expect(recovered).toMatchObject({ exit: 0, asked: [LIST_DELETED, `PUT ${HSM} 202`, OPERATION_ENDED] });
  expect(recovered.json).toEqual(hsm());
});

told('a purged HSM is gone for good, and its name is free', async () => {
  expect(await az('keyvault delete --hsm-name ContosoMHSM -g ContosoRG')).toMatchObject({ exit: 0, asked: [`DELETE ${HSM} 202`, OPERATION_ENDED] });
  const purged = await az('keyvault purge --hsm-name ContosoMHSM -l westus');
  expect(purged).toMatchObject({ exit: 0, out: '', asked: [`GET ${DELETED} 200`, `POST ${DELETED}/purge 202`, OPERATION_ENDED] });

  expect(await az('keyvault purge --hsm-name ContosoMHSM -l westus')).toMatchObject({ exit: 2, err: expect.stringContaining('(ResourceNotFound)'), asked: [`GET ${DELETED} 404`] });
  const unknown = { exit: 1, err: expect.stringContaining('No deleted Vault or HSM was found with name ContosoMHSM'), asked: [LIST_DELETED] };
  expect(await az('keyvault purge --hsm-name ContosoMHSM')).toMatchObject(unknown);
  expect(await az('keyvault check-name --name ContosoMHSM --resource-type hsm')).toMatchObject({ json: { nameAvailable: true } });
});

told('purge protection is added to an HSM, and refuses its purge', async () => {
  expect(await az(`${CREATE} --enable-purge-protection false -o none`)).toMatchObject({ exit: 0, out: '' });
  const tagged = await az('keyvault update-hsm --hsm-name ContosoMHSM -g ContosoRG --set tags.env=test');
  expect(tagged).toMatchObject({ exit: 0, asked: [`GET ${HSM} 200`, `PUT ${HSM} 202`, OPERATION_ENDED] });
  expect(tagged.json).toEqual(hsm({}, { env: 'test' }));
  const guarded = await az('keyvault update-hsm --hsm-name ContosoMHSM --enable-purge-protection true');
  expect(guarded).toMatchObject({ exit: 0, asked: [LIST, `GET ${HSM} 200`, `PUT ${HSM} 202`, OPERATION_ENDED] });
  expect(guarded.json).toEqual(hsm({ enablePurgeProtection: true }, { env: 'test' }));

  expect(await az('keyvault delete --hsm-name ContosoMHSM -g ContosoRG')).toMatchObject({ exit: 0 });
  const purge = {
    exit: 1,
    err: expect.stringContaining("(MethodNotAllowed) Operation 'DeletedManagedHsmPurge' is not allowed."),
    asked: [`GET ${DELETED} 200`, `POST ${DELETED}/purge 405`],
  };
  expect(await az('keyvault purge --hsm-name ContosoMHSM -l westus')).toMatchObject(purge);
  const recovered = await az('keyvault recover --hsm-name ContosoMHSM -l westus -g ContosoRG');
  expect(recovered.json).toEqual(hsm({ enablePurgeProtection: true }, { env: 'test' }));
});

told('the forms of the page, `az keyvault --HSM …`, fail in the parser and ask nothing', async (program) => {
  const hsmForms = [
    'create --name ContosoHSM --resource-group ContosoRG --enable-soft-delete true --location westus',
    'show --name ContosoHSM',
    'delete --name ContosoHSM',
    'list-deleted',
    'recover --location westus --resource-group ContosoRG --name ContosoHSM',
    'set-policy --name ContosoHSM --key-permissions get create delete list update import backup restore recover purge',
    'purge --location westus --name ContosoHSM',
    'update --name ContosoVault --resource-group ContosoRG --enable-purge-protection true',
  ];
  const keyForms = [
    'key delete --name ContosoFirstKey --vault-name ContosoHSM',
    'key list-deleted --vault-name ContosoHSM',
    'key recover --name ContosoFirstKey --vault-name ContosoHSM',
    'key purge --name ContosoFirstKey --vault-name ContosoHSM',
  ];
  const env = instance.sourced();
  const run = async (form: string) => ({ form, ...(await runAz(program, env, ['keyvault', '--HSM', ...form.split(' ')])) });
  const lanes = await Promise.all([inTurn(hsmForms.slice(0, 6), run), inTurn([...hsmForms.slice(6), ...keyForms], run)]);
  const misspelled = { exit: 2, out: '', err: expect.stringMatching(/unrecognized arguments: --HSM|is misspelled or not recognized/) };
  // Debian's 2.45 lacks a library of its key commands, and falls over it before it can say what is wrong.
  const broken = { exit: 1, out: '', err: expect.stringContaining("No module named 'azure.keyvault.v7_0'") };
  expect(lanes.flat()).toMatchObject([...hsmForms.map((form) => ({ form, ...misspelled })), ...keyForms.map((form) => ({ form, ...(version === '2.45' ? broken : misspelled) }))]);
  expect((await instance.requests()).filter((line) => !line.startsWith('CONNECT ') || line.endsWith(' 200'))).toEqual([]);
});

told('every version is the one that this az is known to send, and nothing but side calls was refused', async () => {
  const own = API_VERSIONS[version];
  expect([...versions].sort()).toEqual([own ?? expect.stringMatching(/^\d{4}-\d\d-\d\d$/), LISTED_VERSION].sort());
  const sideCalls = ['raw.githubusercontent.com', 'azure.microsoft.com', 'app.aladdin.microsoft.com', 'aka.ms', 'azcliprod.blob.core.windows.net'];
  expect([...refused].filter((host) => !sideCalls.includes(host))).toEqual([]);
});

async function inTurn<T, R>(list: readonly T[], run: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const one of list) results.push(await run(one));
  return results;
}
