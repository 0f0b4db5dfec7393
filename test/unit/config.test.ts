// Settings: each wrong value beside an accepted twin, all faults at once, and development equipment refused in each of the three ways that a place is not Development.
import { type Config, type ConfigError, type Env, readConfig } from '../../shared/config';
import { FUNCTION_TIMEOUT_SECONDS, type SettingName, settings } from '../../shared/settings';

const TENANT = '11111111-1111-4111-8111-111111111111';
const SUBSCRIPTION = '22222222-2222-4222-8222-222222222222';
const OTHER = '33333333-3333-4333-8333-333333333333';
const EMULATOR =
  'DefaultEndpointsProtocol=http;AccountName=local;AccountKey=c2VjcmV0LWtleQ==;BlobEndpoint=http://127.0.0.1:10000/local;QueueEndpoint=http://127.0.0.1:10001/local;TableEndpoint=http://127.0.0.1:10002/local;';

const development: Env = { AZURE_FUNCTIONS_ENVIRONMENT: 'Development', AzureWebJobsStorage: EMULATOR, TENANT_ID: TENANT, SUBSCRIPTIONS: `${SUBSCRIPTION}=Local` };
const deployed: Env = {
  AZURE_FUNCTIONS_ENVIRONMENT: 'Production',
  WEBSITE_SITE_NAME: 'contoso-hsm',
  WEBSITE_INSTANCE_ID: '0a1b',
  TENANT_ID: TENANT,
  SUBSCRIPTIONS: `${SUBSCRIPTION}=Production`,
  STORAGE_ACCOUNT: 'contosohsmstate',
  CONTROL_HOST: 'control.contoso.com',
  HSM_SUFFIX: 'hsm.contoso.com',
  CONTROL_AUDIENCES: 'api://control.contoso.com',
  HSM_AUDIENCES: 'https://hsm.contoso.com',
};

const faultsOf = (env: Env): readonly string[] => {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    expect((error as ConfigError).name).toBe('ConfigError');
    return (error as ConfigError).faults;
  }
};
const names = (faults: readonly string[]): readonly string[] => faults.map((fault) => fault.split(' ', 1)[0] ?? '');

describe('a whole configuration', () => {
  test('in Development, by defaults', () => {
    const { parameters, clockOffsetSeconds, ...config } = readConfig(development);
    expect(config).toEqual<Omit<Config, 'parameters' | 'clockOffsetSeconds'>>({
      door: {
        hosts: { controlHost: 'management.azure.com', hsmSuffix: 'managedhsm.azure.net' },
        tenantId: TENANT,
        authority: 'https://login.microsoftonline.com',
        resource: 'https://managedhsm.azure.net',
        subscriptions: [{ id: SUBSCRIPTION, name: 'Local' }],
        administrators: [],
      },
      tokens: {
        tenantId: TENANT,
        jwksUri: `https://login.microsoftonline.com/${TENANT}/discovery/v2.0/keys`,
        audiences: { control: ['https://management.azure.com', 'https://management.core.windows.net'], hsm: ['https://managedhsm.azure.net'] },
      },
      storage: { connectionString: EMULATOR },
      rootKeyFile: '',
    });
    expect(parameters).toMatchObject({ tenantId: TENANT, daySeconds: 86_400, functionTimeoutSeconds: 300, erasePageRows: 100, transitionSeconds: 0, grantsAtCreation: [] });
    expect(parameters.lroSeconds('create')).toBe(0);
    expect(clockOffsetSeconds()).toBe(0);
  });

  test('deployed', () => {
    const { parameters, clockOffsetSeconds, ...config } = readConfig({ ...deployed, ADMIN_OBJECT_IDS: `${OTHER}`, AUTHORITY: 'https://login.contoso.com/' });
    expect(config).toEqual<Omit<Config, 'parameters' | 'clockOffsetSeconds'>>({
      door: {
        hosts: { controlHost: 'control.contoso.com', hsmSuffix: 'hsm.contoso.com' },
        tenantId: TENANT,
        authority: 'https://login.contoso.com',
        resource: 'https://hsm.contoso.com',
        subscriptions: [{ id: SUBSCRIPTION, name: 'Production' }],
        administrators: [OTHER],
      },
      tokens: {
        tenantId: TENANT,
        jwksUri: `https://login.contoso.com/${TENANT}/discovery/v2.0/keys`,
        audiences: { control: ['api://control.contoso.com'], hsm: ['https://hsm.contoso.com'] },
      },
      storage: { tablesEndpoint: 'https://contosohsmstate.table.core.windows.net', queuesEndpoint: 'https://contosohsmstate.queue.core.windows.net' },
      rootKeyFile: '',
    });
    expect(parameters).toMatchObject({ tenantId: TENANT, daySeconds: 86_400, functionTimeoutSeconds: 300, erasePageRows: 100, transitionSeconds: 0, grantsAtCreation: [] });
    expect(clockOffsetSeconds()).toBe(0);
  });

  test('reports all faults at once, each with its setting and an example', () => {
    expect(names(faultsOf({ AZURE_FUNCTIONS_ENVIRONMENT: 'Production' }))).toEqual([
      'TENANT_ID',
      'SUBSCRIPTIONS',
      'CONTROL_HOST',
      'HSM_SUFFIX',
      'CONTROL_AUDIENCES',
      'HSM_AUDIENCES',
      'STORAGE_ACCOUNT',
    ]);
    expect(() => readConfig({ ...development, TENANT_ID: 'contoso', LRO_SECONDS: 'soon' })).toThrow(
      'The settings are wrong:\n' +
        '- TENANT_ID must be a GUID. Example: TENANT_ID=2b6c1f0e-4d3a-4a57-9f1e-8c7d6b5a4f3e\n' +
        '- LRO_SECONDS must be a whole number from 0 to 3600, or recorded. Example: LRO_SECONDS=recorded',
    );
  });

  test('quotes no value: some are secrets', () => {
    const secret = 'c2VjcmV0LWtleQ';
    for (const { name } of settings) for (const env of [development, deployed]) expect(faultsOf({ ...env, [name]: `;${EMULATOR}${secret}` }).join()).not.toContain(secret);
  });

  test('nothing but a blank counts as not set', () => {
    expect(readConfig({ ...development, ADMIN_OBJECT_IDS: ' ', CLOCK_OFFSET_MS: '', LRO_SECONDS: '' }).door.administrators).toEqual([]);
  });
});

describe('the table of settings', () => {
  test.each(settings)('$name: its example is accepted', ({ name, example, developmentOnly }) => {
    expect(faultsOf({ ...(developmentOnly ? development : deployed), [name]: example })).toEqual([]);
  });

  test('names each setting once', () => {
    expect(new Set(settings.map(({ name }) => name)).size).toBe(settings.length);
  });
});

const ROLE = '21dbd100-6940-42c2-9190-5d6cb909625b';
const list = (grants: number): string => Array(grants).fill(`${ROLE}=${OTHER}`).join(',');

type Row = readonly [name: SettingName, rule: string, wrong: string, right: string];

const both: readonly Row[] = [
  ['TENANT_ID', 'a GUID', 'contoso.com', TENANT.toUpperCase()],
  ['TENANT_ID', 'one GUID', `${TENANT},${OTHER}`, OTHER],
  ['SUBSCRIPTIONS', 'ids are GUIDs', 'production=Production', `${SUBSCRIPTION}=Production`],
  ['SUBSCRIPTIONS', 'ids have the form of GUIDs', `${'-'.repeat(36)}=Production`, `${SUBSCRIPTION} = Production`],
  ['SUBSCRIPTIONS', 'each has a name', SUBSCRIPTION, `${SUBSCRIPTION}=P`],
  ['SUBSCRIPTIONS', 'names are not empty', `${SUBSCRIPTION}= `, `${SUBSCRIPTION}=a=b`],
  ['SUBSCRIPTIONS', 'names have at most 64 characters', `${SUBSCRIPTION}=${'x'.repeat(65)}`, `${SUBSCRIPTION}=${'x'.repeat(64)}`],
  ['SUBSCRIPTIONS', 'names have no control characters', `${SUBSCRIPTION}=a\nb`, `${SUBSCRIPTION}=a b`],
  ['SUBSCRIPTIONS', 'none twice', `${SUBSCRIPTION}=A;${SUBSCRIPTION}=B`, `${SUBSCRIPTION}=A;${OTHER}=B`],
  ['SUBSCRIPTIONS', 'none left empty between others', `${SUBSCRIPTION}=A;;${OTHER}=B`, `${SUBSCRIPTION}=A;${OTHER}=B;`],
  ['ADMIN_OBJECT_IDS', 'GUIDs', 'owner@contoso.com', OTHER],
  ['ADMIN_OBJECT_IDS', 'each of them', `${OTHER},`, `${OTHER}, ${SUBSCRIPTION}`],
  ['CONTROL_HOST', 'no URL', 'https://control.contoso.com', 'control.contoso.com'],
  ['CONTROL_HOST', 'no path', 'control.contoso.com/', 'Control.Contoso.com'],
  ['CONTROL_HOST', 'a port in range', 'control.contoso.com:65536', 'control.contoso.com:65535'],
  ['CONTROL_HOST', 'a port that is a number', 'control.contoso.com:https', 'control.contoso.com:443'],
  ['CONTROL_HOST', 'no trailing dot', 'control.contoso.com.', 'control'],
  ['HSM_SUFFIX', 'no leading dot', '.hsms.contoso.com', 'hsms.contoso.com'],
  ['HSM_SUFFIX', 'two labels', 'localhost', 'hsm.localhost'],
  ['HSM_SUFFIX', 'a port in range', 'hsms.contoso.com:0', 'hsms.contoso.com:8443'],
  ['HSM_SUFFIX', 'no wildcard', '*.contoso.com', 'x.contoso.org'],
  ['CONTROL_AUDIENCES', 'no bare word', 'control', 'api://control'],
  ['CONTROL_AUDIENCES', 'no http', 'http://control.contoso.com', 'https://control.contoso.com/'],
  ['CONTROL_AUDIENCES', 'no quotes, which would end a header early', 'api://con"trol', 'api://con-trol'],
  ['CONTROL_AUDIENCES', 'no user', 'https://a@contoso.com', 'https://a.contoso.com'],
  ['CONTROL_AUDIENCES', 'none empty', 'api://control,,api://other', 'api://control,api://other'],
  ['CONTROL_AUDIENCES', 'a port that is one', 'https://contoso.com:99999', `https://contoso.com:8443,${OTHER}`],
  ['HSM_AUDIENCES', 'no bare word', 'hsm', 'api://hsm'],
  ['AUTHORITY', 'https', 'http://login.contoso.com', 'https://login.contoso.com'],
  ['AUTHORITY', 'no path', `https://login.contoso.com/${TENANT}`, 'https://login.contoso.com:8443/'],
  ['AUTHORITY', 'a URL', 'login.contoso.com', 'https://login.contoso.com'],
  ['JWKS_URI', 'a URL', 'login.contoso.com/keys', 'https://login.contoso.com/keys'],
  ['JWKS_URI', 'https, or else loopback', 'http://login.contoso.com/keys', 'https://login.contoso.com/keys?appid=1'],
  ['JWKS_URI', 'no user', 'https://a:b@login.contoso.com/keys', 'https://login.contoso.com/keys'],
  ['JWKS_URI', 'no file', 'file:///keys', 'https://login.contoso.com/keys'],
  ['LRO_SECONDS', 'not below 0', '-1', '0'],
  ['LRO_SECONDS', 'not above 3600', '3601', '3600'],
  ['LRO_SECONDS', 'whole', '1.5', '1'],
  ['LRO_SECONDS', 'one word', 'Recorded', 'recorded'],
  ['FUNCTION_TIMEOUT_SECONDS', 'not above host.json', '301', '300'],
  ['FUNCTION_TIMEOUT_SECONDS', 'a number', '5m', '300'],
  ['TRANSITION_SECONDS', 'not below 0', '-1', '0'],
  ['TRANSITION_SECONDS', 'not above 60', '61', '60'],
  ['TRANSITION_SECONDS', 'whole', '0.5', '3'],
  ['ERASE_PAGE_ROWS', 'not below 1', '0', '1'],
  ['ERASE_PAGE_ROWS', 'not above 100', '101', '100'],
  ['ERASE_PAGE_ROWS', 'decimal', '0x10', '16'],
];

const onlyInDevelopment: readonly Row[] = [
  ['CLOCK_OFFSET_MS', 'a number', 'tomorrow', '86400000'],
  ['CLOCK_OFFSET_MS', 'whole', '0.5', '-1'],
  ['CLOCK_OFFSET_MS', 'at most a hundred years', '3153600000001', '3153600000000'],
  ['SECONDS_PER_RETENTION_DAY', 'not below 1', '0', '1'],
  ['SECONDS_PER_RETENTION_DAY', 'not longer than a day', '86401', '86400'],
  ['SECONDS_PER_RETENTION_DAY', 'whole', '1e3', '1000'],
  ['ROOT_KEY_FILE', 'no line break', '/data/root\n.key', '/data/root.key'],
  ['ROOT_KEY_FILE', 'at most 1024 characters', 'x'.repeat(1025), 'x'.repeat(1024)],
  ['ROLES_AT_CREATION', 'a role and a principal', OTHER, `${ROLE}=${OTHER}`],
  ['ROLES_AT_CREATION', 'the role is a GUID', `Crypto User=${OTHER}`, `${ROLE}=${OTHER}`],
  ['ROLES_AT_CREATION', 'the principal is a GUID', `${ROLE}=alice`, `${ROLE}=${OTHER}`],
  ['ROLES_AT_CREATION', 'at most 40', list(41), list(40)],
  ['FUNCTION_TIMEOUT_SECONDS', 'not below 1', '0', '1'],
  ['JWKS_URI', 'http on loopback only', 'http://127.0.0.1.contoso.com/keys', 'http://127.0.0.1:8080/keys'],
  ['STORAGE_ACCOUNT', 'not beside a connection string', 'contosohsmstate', ''],
];

const onlyDeployed: readonly Row[] = [
  ['STORAGE_ACCOUNT', 'a name, no address', 'https://contosohsmstate.table.core.windows.net', 'contosohsmstate'],
  ['STORAGE_ACCOUNT', 'lower case', 'ContosoHsmState', 'contosohsmstate'],
  ['STORAGE_ACCOUNT', 'at most 24 characters', 'a'.repeat(25), 'a'.repeat(24)],
  ['FUNCTION_TIMEOUT_SECONDS', 'exactly that of host.json', '299', '300'],
  ['JWKS_URI', 'no loopback address', 'https://localhost/keys', 'https://login.contoso.com/keys'],
  ['JWKS_URI', 'no http', 'http://127.0.0.1:8080/keys', 'https://login.contoso.com/keys'],
  ['AUTHORITY', 'no loopback address, which the keys would come from', 'https://127.0.0.1:8443', 'https://login.contoso.com'],
];

describe('a wrong value is refused, and its twin accepted', () => {
  const place = (label: string, env: Env, rows: readonly Row[]) =>
    test.each(rows)(`${label}: %s: %s`, (name, _rule, wrong, right) => {
      expect(names(faultsOf({ ...env, [name]: wrong }))).toEqual([name]);
      expect(faultsOf({ ...env, [name]: right })).toEqual([]);
    });
  place('in Development', development, [...both, ...onlyInDevelopment]);
  place('deployed', deployed, [...both, ...onlyDeployed]);
});

describe('what is required where', () => {
  test.each(['TENANT_ID', 'SUBSCRIPTIONS'])('%s, everywhere', (name) => {
    expect(names(faultsOf({ ...development, [name]: undefined }))).toEqual([name]);
    expect(names(faultsOf({ ...deployed, [name]: undefined }))).toEqual([name]);
  });

  test.each(['CONTROL_HOST', 'HSM_SUFFIX', 'CONTROL_AUDIENCES', 'HSM_AUDIENCES', 'STORAGE_ACCOUNT'])('%s, outside Development, with the reason why it is outside', (name) => {
    expect(faultsOf({ ...deployed, [name]: undefined })).toEqual([
      expect.stringMatching(
        `^${name} is missing \\(this is not Development: AZURE_FUNCTIONS_ENVIRONMENT is not Development, WEBSITE_INSTANCE_ID is set, WEBSITE_SITE_NAME is set, `,
      ),
    ]);
    expect(faultsOf({ ...development, [name]: undefined })).toEqual([]);
  });
});

describe('the two planes', () => {
  test.each([
    ['api://one', 'api://one', 'api://two'],
    ['api://one', 'api://two,api://one/', 'api://two'],
    ['https://one.contoso.com', 'https://ONE.contoso.com/', 'https://two.contoso.com'],
    [OTHER, `api://${OTHER}`, `api://${SUBSCRIPTION}`],
  ])('audiences do not meet: %s, %s', (control, wrong, right) => {
    expect(names(faultsOf({ ...deployed, CONTROL_AUDIENCES: control, HSM_AUDIENCES: wrong }))).toEqual(['HSM_AUDIENCES']);
    expect(faultsOf({ ...deployed, CONTROL_AUDIENCES: control, HSM_AUDIENCES: right })).toEqual([]);
  });

  test.each([
    ['control.hsm.contoso.com', 'hsm.contoso.com'],
    ['hsm.contoso.com:8443', 'hsm.contoso.com'],
    ['control.hsm.contoso.com', 'hsm.contoso.com:8443'],
  ])('the control host is no host of HSMs: %s, %s', (controlHost, suffix) => {
    expect(names(faultsOf({ ...deployed, CONTROL_HOST: controlHost, HSM_SUFFIX: suffix }))).toEqual(['CONTROL_HOST']);
    expect(faultsOf({ ...deployed, CONTROL_HOST: 'x-hsm.contoso.com', HSM_SUFFIX: suffix })).toEqual([]);
  });

  test.each([
    'https://managedhsm.azure.net',
    'https://MANAGEDHSM.azure.net/',
    'https://contoso.managedhsm.azure.net',
    'https://managedhsm.azure.net:443',
    'https://managedhsm.azure.cn',
    'https://managedhsm.usgovcloudapi.net',
    'https://managedhsm.microsoftazure.de',
    'https://vault.azure.net',
    'https://vault.azure.net.',
    'https://vault.azure.cn',
    'https://vault.usgovcloudapi.net',
    'https://vault.microsoftazure.de',
    'https://management.azure.com/',
    'https://management.chinacloudapi.cn',
    'https://management.usgovcloudapi.net',
    'https://management.microsoftazure.de',
    'https://management.core.windows.net/',
    'https://management.core.chinacloudapi.cn',
    'https://management.core.usgovcloudapi.net',
    'https://management.core.cloudapi.de',
    'https://contoso.table.core.windows.net',
    'https://graph.microsoft.com',
    'https://graph.windows.net/',
    'https://microsoftgraph.chinacloudapi.cn',
    'https://graph.microsoft.us',
    'https://dod-graph.microsoft.us',
    'https://graph.microsoft.de',
    'api://vault.azure.net',
    'cfa8b339-82a2-471a-a3c9-0fc0be7a4093',
    'api://589D5083-6f11-4d30-a62a-a4b316a14abf',
    '797f4846-ba00-4fd7-ba43-dac1f8f63013',
    '00000003-0000-0000-c000-000000000000',
  ])("no audience of Microsoft's own is taken outside Development: %s", (audience) => {
    for (const name of ['CONTROL_AUDIENCES', 'HSM_AUDIENCES'])
      expect(faultsOf({ ...deployed, [name]: `api://ours,${audience}` })).toEqual([
        expect.stringMatching(`^${name} has a wrong entry, number 2: it is an audience of Microsoft's own`),
      ]);
    expect(faultsOf({ ...development, CONTROL_AUDIENCES: 'api://ours', HSM_AUDIENCES: `api://others,${audience}` })).toEqual([]);
    expect(faultsOf({ ...deployed, HSM_AUDIENCES: 'api://others,https://managedhsm-azure.net,https://contoso-hsm.azurewebsites.net' })).toEqual([]);
  });
});

describe('development equipment', () => {
  /** As Development as it gets, and then one thing that speaks against it. All that a deployment needs is there, too. */
  const local: Env = { ...deployed, ...development, WEBSITE_SITE_NAME: undefined, WEBSITE_INSTANCE_ID: undefined, STORAGE_ACCOUNT: undefined };
  const knobs: readonly (readonly [SettingName, string])[] = [
    ['CLOCK_OFFSET_MS', '0'],
    ['SECONDS_PER_RETENTION_DAY', '86400'],
    ['ROOT_KEY_FILE', '/data/root.key'],
    ['ROLES_AT_CREATION', `${ROLE}=${OTHER}`],
    ['AzureWebJobsStorage', EMULATOR],
    ['JWKS_URI', 'http://127.0.0.1:8080/keys'],
    ['FUNCTION_TIMEOUT_SECONDS', '10'],
    ['CONTROL_AUDIENCES', 'https://management.azure.com'],
  ];
  const elsewhere: readonly (readonly [string, Env])[] = [
    ['another environment', { AZURE_FUNCTIONS_ENVIRONMENT: 'Staging' }],
    ['no environment', { AZURE_FUNCTIONS_ENVIRONMENT: undefined }],
    ['an environment in lower case', { AZURE_FUNCTIONS_ENVIRONMENT: 'development' }],
    ['an instance of a web site', { WEBSITE_INSTANCE_ID: '0a1b' }],
    ['a web site', { WEBSITE_SITE_NAME: 'contoso-hsm' }],
    ['a web site without a name', { WEBSITE_SITE_NAME: '' }],
  ];

  test.each(elsewhere.flatMap(([place, env]) => knobs.map(([name, value]) => [name, place, value, env] as const)))('%s is refused in %s', (name, _place, value, env) => {
    const withoutEmulator = { ...local, AzureWebJobsStorage: undefined, STORAGE_ACCOUNT: 'contosohsmstate', ...env };
    expect(names(faultsOf({ ...withoutEmulator, [name]: value }))).toEqual([name]);
    expect(faultsOf(withoutEmulator)).toEqual([]);
    expect(faultsOf({ ...local, [name]: value })).toEqual([]);
  });

  test.each(knobs.filter(([name]) => name !== 'AzureWebJobsStorage'))('%s is refused over storage that is not on this machine', (name, value) => {
    const inTheCloud = { ...local, AzureWebJobsStorage: undefined, STORAGE_ACCOUNT: 'contosohsmstate' };
    expect(names(faultsOf({ ...inTheCloud, [name]: value }))).toEqual([name]);
    expect(faultsOf(inTheCloud)).toEqual([]);
    expect(faultsOf({ ...local, [name]: value })).toEqual([]);
  });

  const endpoints = (table: string, queue = 'http://127.0.0.1:10001/local', more = ''): string =>
    `AccountName=local;AccountKey=a2V5;TableEndpoint=${table};QueueEndpoint=${queue};${more}`;
  test.each([
    ['an account in the cloud', 'DefaultEndpointsProtocol=https;AccountName=contoso;AccountKey=a2V5;EndpointSuffix=core.windows.net'],
    ['tables elsewhere', endpoints('https://contoso.table.core.windows.net')],
    ['queues elsewhere', endpoints('http://127.0.0.1:10002/local', 'http://10.0.0.1:10001/local')],
    ['blobs elsewhere', endpoints('http://127.0.0.1:10002/local', undefined, 'BlobEndpoint=http://azurite:10000/local')],
    ['a name that begins like loopback', endpoints('http://127.0.0.1.contoso.com/local')],
    ['a user that looks like loopback', endpoints('http://127.0.0.1:80@contoso.com/local')],
    ['tables twice', endpoints('http://127.0.0.1:10002/local', undefined, 'TableEndpoint=https://contoso.table.core.windows.net')],
    ['a member in lower case, which the clients do not see', endpoints('http://127.0.0.1:10002/local').replace('TableEndpoint', 'tableendpoint')],
    ['a member that begins like another', endpoints('http://127.0.0.1:10002/local', undefined, 'TableEndpoints=https://contoso.table.core.windows.net')],
    ['no tables', endpoints('http://127.0.0.1:10002/local').replace(/TableEndpoint=[^;]*;/, '')],
    ['a proxy', 'UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://contoso.com'],
  ])('storage is not on this machine: %s', (_case, connectionString) => {
    const env = { ...local, AzureWebJobsStorage: connectionString, STORAGE_ACCOUNT: 'contosohsmstate' };
    expect(faultsOf(env)).toEqual([
      expect.stringMatching(/^AzureWebJobsStorage is for Development only, and this is not Development: AzureWebJobsStorage names no storage on this machine\. /),
    ]);
    expect(faultsOf({ ...env, AzureWebJobsStorage: undefined })).toEqual([]);
  });

  test.each(['UseDevelopmentStorage=true', EMULATOR, endpoints('http://localhost:10002/local'), endpoints('http://[::1]:10002/local'), endpoints('https://127.9.9.9:10002/local')])(
    'storage is on this machine: %s',
    (connectionString) => {
      expect(readConfig({ ...local, AzureWebJobsStorage: connectionString }).storage).toEqual({ connectionString });
    },
  );

  test('a container is no sign of anything', () => {
    expect(faultsOf({ ...local, CONTAINER_NAME: 'x', CLOCK_OFFSET_MS: '1' })).toEqual([]);
    expect(names(faultsOf({ ...deployed, CONTAINER_NAME: 'x', CLOCK_OFFSET_MS: '1' }))).toEqual(['CLOCK_OFFSET_MS']);
  });

  test('the clock offset is read at each call, in whole seconds', () => {
    const env: Record<string, string | undefined> = { ...local, CLOCK_OFFSET_MS: '1999' };
    const { clockOffsetSeconds } = readConfig(env);
    expect(clockOffsetSeconds()).toBe(1);
    env.CLOCK_OFFSET_MS = '604800000';
    expect(clockOffsetSeconds()).toBe(604_800);
    env.CLOCK_OFFSET_MS = 'soon';
    expect(clockOffsetSeconds).toThrow('CLOCK_OFFSET_MS must be a whole number');
    env.CLOCK_OFFSET_MS = undefined;
    expect(clockOffsetSeconds()).toBe(0);
  });

  test('outside Development an offset that comes later moves nothing', () => {
    const env: Record<string, string | undefined> = { ...deployed };
    const { clockOffsetSeconds } = readConfig(env);
    env.CLOCK_OFFSET_MS = '86400000';
    expect(clockOffsetSeconds()).toBe(0);
  });
});

describe('parameters of the services', () => {
  const parameters = (env: Env) => readConfig({ ...development, ...env }).parameters;

  test('carry what is set', () => {
    expect(
      parameters({
        TENANT_ID: TENANT.toUpperCase(),
        SECONDS_PER_RETENTION_DAY: '1',
        FUNCTION_TIMEOUT_SECONDS: '2',
        ERASE_PAGE_ROWS: '3',
        TRANSITION_SECONDS: '4',
        ROLES_AT_CREATION: `${ROLE.toUpperCase()} = ${OTHER},${ROLE}=${TENANT}`,
      }),
    ).toMatchObject({
      tenantId: TENANT,
      daySeconds: 1,
      functionTimeoutSeconds: 2,
      erasePageRows: 3,
      transitionSeconds: 4,
      grantsAtCreation: [
        { roleGuid: ROLE, principalId: OTHER },
        { roleGuid: ROLE, principalId: TENANT },
      ],
    });
    expect(FUNCTION_TIMEOUT_SECONDS).toBe(300);
  });

  test('operations last as long as set', () => {
    const { lroSeconds } = parameters({ LRO_SECONDS: '7' });
    expect((['create', 'update', 'delete', 'recover', 'purge'] as const).map(lroSeconds)).toEqual([7, 7, 7, 7, 7]);
  });

  test("operations last as long as the real service's did", () => {
    const { lroSeconds } = parameters({ LRO_SECONDS: 'recorded' });
    expect((['create', 'update', 'delete', 'recover', 'purge'] as const).map(lroSeconds)).toEqual([640, 245, 257, 217, 155]);
  });
});
