// Bad requests over HTTP on Azurite: each is refused in the service's envelope and leaves every table byte for byte as it was; its accepted twin differs in exactly one thing.
import { generateKeyPairSync } from 'node:crypto';
import { seedDirectory } from '../../local/principals';
import { type ObservedService, startObservedService } from '../kit/observedService';
import { type Ask, type Refusal, refusalsOf } from '../kit/refusals';
import { ADMINISTRATOR, groupPath, hsmPath, newHsm, recovering, SUBSCRIPTION } from '../kit/resources';
import { ARM_AUDIENCE, OTHER_SUBSCRIPTION_ID, TENANT_ID } from '../kit/service';
import { type MintOptions, mintToken } from '../kit/tokens';

jest.setTimeout(120_000); // a slow machine is no failure

let observed: ObservedService;

beforeAll(async () => {
  observed = await startObservedService({ disabled: ['sweep'] });
  const owner = observed.service.as('owner');
  for (const path of [groupPath(), groupPath('rg1', `/subscriptions/${OTHER_SUBSCRIPTION_ID}`)]) await owner.send('PUT', path, { location: 'westus' });
  await owner.finish('PUT', hsmPath('fixed'), newHsm({ enablePurgeProtection: true }));
  for (const name of ['held', 'live']) await owner.finish('PUT', hsmPath(name), newHsm());
  await owner.finish('DELETE', hsmPath('held'));
});
afterAll(() => observed.stop());
afterEach(() => expect(observed.faults()).toEqual([]));

const { ask, check, everything } = refusalsOf(() => observed);

const with_ = (properties: object): Ask => ({ body: newHsm(properties) });
const besides = (members: object): Ask => ({ body: { ...newHsm(), ...members } });
const property = (name: string, rule: string) => `The property "${name}" is invalid: ${rule}`;
const fixed = (name: string) => `The property "${name}" has been set already and it can't be modified.`;
const content = (reason: string) => `The request content was invalid and could not be deserialized: '${reason}'.`;

const NAME_RULE = 'A name must be 3 to 24 letters, digits and hyphens, begin with a letter, end with a letter or digit, and not contain consecutive hyphens.';
const badName = (name: string, good: string): Refusal => [
  `name ${name}`,
  { path: hsmPath(encodeURIComponent(name)) },
  400,
  'VaultNameNotValid',
  `The managed HSM name '${name}' is invalid. ${NAME_RULE}`,
  { path: hsmPath(good) },
];
test.each<Refusal>([
  badName('ab', 'abc'),
  badName('abcdefghijklmnopqrstuvwxy', 'abcdefghijklmnopqrstuvwx'),
  badName('1abc', 'a1bc'),
  badName('abc-', 'abc-d'),
  badName('a--b', 'a-b'),
  badName('a_b', 'a-b-c'),
  badName('a.b', 'a0b'),
  badName('a b', 'a1b'),
  badName('äbc', 'aebc'),
  badName('-abc', 'a-abc'),
])('%s is refused', (...row) => check(row));

const RETENTION = property('softDeleteRetentionInDays', 'it must be a whole number from 7 to 90.');
const NOT_A_NUMBER = content("the member 'properties.softDeleteRetentionInDays' must be a number");
const retention = (value: unknown) => with_({ softDeleteRetentionInDays: value });
const SKU = property('sku', 'family B comes with Standard_B1, Custom_B32 or Custom_B6, family C with Custom_C42 or Custom_C10.');
const LOCATIONS =
  "The provided location 'mars' is not available for resource type 'Microsoft.KeyVault/managedHSMs'. List of available regions for the resource type is 'centralus, centraluseuap, eastus2, eastus2euap, southcentralus, northeurope, westeurope, canadacentral, switzerlandnorth, southafricanorth, uksouth, southeastasia, eastasia, koreacentral, australiacentral, westus, eastus, northcentralus, westcentralus, westus2, westus3, canadaeast, japaneast, uaenorth, australiaeast, francecentral, switzerlandwest, centralindia, brazilsouth, swedencentral, qatarcentral, southindia, polandcentral, japanwest, norwayeast, norwaywest, germanywestcentral'.";
const REGIONS = LOCATIONS.replace(/^.* is '(.*)'\.$/, '$1');
const ADMINISTRATORS = 'give the object ids of 1 to 50 administrators.';
test.each<Refusal>([
  ['retention 6', retention(6), 400, '400', RETENTION, retention(7)],
  ['retention 91', retention(91), 400, '400', RETENTION, retention(90)],
  ['retention 7.5', retention(7.5), 400, '400', RETENTION, retention(8)],
  // The newest az sends the number as a text.
  ['retention "7.5"', retention('7.5'), 400, 'InvalidRequestContent', NOT_A_NUMBER, retention('7')],
  ['retention "91"', retention('91'), 400, '400', RETENTION, retention('90')],
  ['retention "seven"', retention('seven'), 400, 'InvalidRequestContent', NOT_A_NUMBER, retention(7)],
  ['retention ""', retention(''), 400, 'InvalidRequestContent', NOT_A_NUMBER, retention(9)],
  ['retention null', retention(null), 400, 'InvalidRequestContent', NOT_A_NUMBER, retention(undefined)],
  ['retention true', retention(true), 400, 'InvalidRequestContent', NOT_A_NUMBER, retention(10)],
  ['no location', besides({ location: undefined }), 400, 'LocationRequired', 'The location property is required for this definition.', {}],
  ['an unknown location', besides({ location: 'mars' }), 400, 'LocationNotAvailableForResourceType', LOCATIONS, besides({ location: 'West US' })],
  ['an unknown sku', besides({ sku: { family: 'C', name: 'Standard_B1' } }), 400, '400', SKU, besides({ sku: { family: 'B', name: 'Standard_B1' } })],
  ['half a sku', besides({ sku: { name: 'Standard_B1' } }), 400, 'InvalidRequestContent', content("the member 'sku.family' is missing"), besides({ sku: undefined })],
  ['no administrators', with_({ initialAdminObjectIds: [] }), 400, '400', property('initialAdminObjectIds', ADMINISTRATORS), {}],
  [
    'an administrator without a GUID',
    with_({ initialAdminObjectIds: ['me'] }),
    400,
    '400',
    property('initialAdminObjectIds', 'give at most 50 object ids, each a GUID.'),
    with_({ initialAdminObjectIds: ['AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA'] }),
  ],
  ['another tenant', with_({ tenantId: ADMINISTRATOR }), 400, '400', property('tenantId', 'it must be the tenant of the subscription.'), {}],
  [
    'soft delete off',
    with_({ enableSoftDelete: false }),
    400,
    '400',
    'The property "enableSoftDelete" cannot be set to false. Soft delete is always on for managed HSMs.',
    with_({ enableSoftDelete: true }),
  ],
  [
    'purge protection "true"',
    with_({ enablePurgeProtection: 'true' }),
    400,
    'InvalidRequestContent',
    content("the member 'properties.enablePurgeProtection' must be true or false"),
    with_({ enablePurgeProtection: true }),
  ],
  [
    'a wrong bypass',
    with_({ networkAcls: { bypass: 'All' } }),
    400,
    '400',
    'ByPass property is invalid. Supported values are : None, AzureServices',
    with_({ networkAcls: { bypass: 'None' } }),
  ],
  [
    'a wrong default action',
    with_({ networkAcls: { defaultAction: 'deny' } }),
    400,
    '400',
    property('networkAcls.defaultAction', 'it must be Allow or Deny.'),
    with_({ networkAcls: { defaultAction: 'Deny' } }),
  ],
  [
    'wrong public access',
    with_({ publicNetworkAccess: 'No' }),
    400,
    '400',
    property('publicNetworkAccess', 'it must be Enabled or Disabled.'),
    with_({ publicNetworkAccess: 'Disabled' }),
  ],
  [
    'an unknown region',
    with_({ regions: [{ name: 'mars' }] }),
    400,
    '400',
    `Invalid region name: mars passed. The valid list of region names: ${REGIONS}`,
    with_({ regions: [{ name: 'UK South' }] }),
  ],
  [
    'an identity of no kind',
    besides({ identity: { type: 'Mine' } }),
    400,
    '400',
    property('identity.type', 'it must be one of None; SystemAssigned; UserAssigned; SystemAssigned,UserAssigned.'),
    besides({ identity: { type: 'SystemAssigned' } }),
  ],
  [
    'a tag that is no text',
    besides({ tags: { a: 1 } }),
    400,
    'InvalidRequestContent',
    content("the member 'tags.a' must be a text of at most 1024 characters"),
    besides({ tags: { a: '1' } }),
  ],
  [
    'a missing group',
    { path: hsmPath('grouped', 'rg-missing') },
    404,
    'ResourceGroupNotFound',
    "Resource group 'rg-missing' could not be found.",
    { path: hsmPath('grouped', 'RG1') },
  ],
  [
    'a name that a deleted HSM holds',
    { path: hsmPath('held') },
    409,
    'ConflictError',
    'A KV MHSM with the same name already exists in deleted state. You need to either recover or purge existing KV MHSM.',
    { path: hsmPath('held'), body: recovering },
  ],
  [
    'recovery of what is not deleted',
    { path: hsmPath('never'), body: recovering },
    404,
    'SoftDeletedVaultDoesNotExist',
    'A soft deleted managed HSM with the given name does not exist. Ensure that the name that is being attempted to recover is in a recoverable state, and that group and location are those it was deleted from.',
    { path: hsmPath('live'), body: recovering },
  ],
])('a creation with %s is refused', (...row) => check(row));

/** A PATCH of the HSM `fixed`, and its twin with the value that it has. */
const immutable = (title: string, message: string, wrong: object, same: object): Refusal => [
  title,
  { method: 'PATCH', path: hsmPath('fixed'), body: wrong },
  400,
  '400',
  message,
  { method: 'PATCH', path: hsmPath('fixed'), body: same },
];
const inProperties = (wrong: object) => ({ properties: wrong });
const PROTECTION = 'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a managed HSM is an irreversible action.';
const CHANGES = [
  immutable('retention', fixed('softDeleteRetentionInDays'), inProperties({ softDeleteRetentionInDays: 8 }), inProperties({ softDeleteRetentionInDays: 7 })),
  immutable('purge protection', PROTECTION, inProperties({ enablePurgeProtection: false }), inProperties({ enablePurgeProtection: true })),
  immutable('location', fixed('location'), { location: 'eastus' }, { location: 'West US' }),
  immutable('sku', fixed('sku'), { sku: { family: 'B', name: 'Custom_B32' } }, { sku: { family: 'B', name: 'Standard_B1' } }),
  immutable('tenant', fixed('tenantId'), inProperties({ tenantId: ADMINISTRATOR }), inProperties({ tenantId: TENANT_ID })),
  immutable('administrators', fixed('initialAdminObjectIds'), inProperties({ initialAdminObjectIds: [TENANT_ID] }), inProperties({ initialAdminObjectIds: [ADMINISTRATOR] })),
];
test.each<Refusal>(CHANGES)('a change of the %s is refused', (...row) => check(row));
test.each<Refusal>(CHANGES)('a change of the %s by PUT is refused', async (title, refused, status, code, message, accepted) => {
  const whole = ({ body }: Ask): object => {
    const { properties = {}, ...others } = body as { readonly properties?: object };
    return { ...newHsm({ enablePurgeProtection: true, ...properties }), ...others };
  };
  await check([title, { ...refused, method: 'PUT', body: whole(refused) }, status, code, message, { ...accepted, method: 'PUT', body: whole(accepted) }]);
});

const GOOD = JSON.stringify(newHsm());
const nested = (levels: number) => GOOD.replace(/}$/, `,"extra":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`);
const padded = (bytes: number) => GOOD + ' '.repeat(bytes - GOOD.length);
const TOO_LARGE = 'The request content is larger than 1048576 bytes.';
test.each<Refusal>([
  [
    'of another type',
    { type: 'text/plain' },
    415,
    'UnsupportedMediaType',
    'The content media type is not supported. Only application/json is supported.',
    { type: 'application/json; charset=utf-8' },
  ],
  ['that is cut off', { body: GOOD.slice(0, -1) }, 400, 'InvalidRequestContent', content('the body is not valid JSON'), { body: GOOD }],
  ['that is empty', { body: '' }, 400, 'InvalidRequestContent', content('the body is not valid JSON'), { body: GOOD }],
  ['that is a list', { body: `[${GOOD}]` }, 400, 'InvalidRequestContent', content('the body must be a JSON object'), { body: ` ${GOOD} ` }],
  [
    'that is no UTF-8',
    { body: Buffer.from(GOOD.replace('{', '{"tags":{"a":"\xe4"},'), 'latin1') },
    400,
    'InvalidRequestContent',
    content('the body is not UTF-8'),
    { body: GOOD.replace('{', '{"tags":{"a":"\xe4"},') },
  ],
  [
    'with a member twice',
    { body: GOOD.replace('{', '{"location":"eastus",') },
    400,
    'InvalidRequestContent',
    content("the member 'location' is given more than once"),
    { body: GOOD.replace('{', '{"other":"eastus",') },
  ],
  ['33 levels deep', { body: nested(33) }, 400, 'InvalidRequestContent', content('the JSON is nested deeper than 32 levels'), { body: nested(32) }],
  ['of 2 MB', { body: padded(2_000_000) }, 413, 'RequestContentTooLarge', TOO_LARGE, { body: padded(1_000_000) }],
  ['a byte over 1 MiB', { body: padded(1_048_577) }, 413, 'RequestContentTooLarge', TOO_LARGE, { body: padded(1_048_576) }],
  ['in chunks', { chunked: true }, 411, 'LengthRequired', 'A request body must come with a Content-Length; chunked bodies are not accepted.', {}],
])('a body %s is refused', (...row) => check(row));

const list: Ask = { method: 'GET', path: `${SUBSCRIPTION}/providers/Microsoft.KeyVault/managedHSMs`, body: null };
const TOP = "The value of '$top' is invalid: give a whole number from 1 to 9999.";
const badVersion = (version: string) => `The api-version '${version}' is invalid. Give a date such as 2023-07-01, with or without -preview.`;
test.each<Refusal>([
  ['without api-version', { ...list, version: null }, 400, 'MissingApiVersionParameter', 'The api-version query parameter (?api-version=) is required for all requests.', list],
  [
    'with an empty api-version',
    { ...list, version: '' },
    400,
    'MissingApiVersionParameter',
    'The api-version query parameter (?api-version=) is required for all requests.',
    { ...list, version: '2026-02-01' },
  ],
  ['with a wrong api-version', { ...list, version: 'latest' }, 400, 'InvalidApiVersionParameter', badVersion('latest'), { ...list, version: '2026-03-01-preview' }],
  [
    'with two api-versions',
    { ...list, path: `${list.path}?API-version=2023-07-01` },
    400,
    'BadRequest',
    "The query parameter 'api-version' is given more than once.",
    { ...list, path: `${list.path}?api%2Dversion=2023-07-01`, version: null },
  ],
  [
    'with $top twice',
    { ...list, path: `${list.path}?$top=1&%24top=1` },
    400,
    'BadRequest',
    "The query parameter '$top' is given more than once.",
    { ...list, path: `${list.path}?$top=1` },
  ],
  ['with $top=0', { ...list, path: `${list.path}?$top=0` }, 400, 'BadRequest', TOP, { ...list, path: `${list.path}?$top=1` }],
  [
    'with a $skiptoken of its own',
    { ...list, path: `${list.path}?$skiptoken=%27%20or%20true` },
    400,
    'BadRequest',
    "The value of '$skiptoken' is invalid: use the link of the page before, unchanged.",
    { ...list, path: `${list.path}?$skiptoken=fixed` },
  ],
  [
    'to an unknown path',
    { ...list, path: `${SUBSCRIPTION}/providers/Microsoft.KeyVault/managedHSM` },
    404,
    'NotFound',
    `No operation answers ${SUBSCRIPTION}/providers/Microsoft.KeyVault/managedHSM. README lists the operations.`,
    { ...list, path: `${SUBSCRIPTION}/providers/Microsoft.KeyVault/MANAGEDhsms/` },
  ],
  [
    'by a wrong method',
    { method: 'POST', path: hsmPath('by-method') },
    405,
    'MethodNotAllowed',
    `Operation 'POST ${hsmPath('by-method')}' is not allowed.`,
    { path: hsmPath('by-method') },
  ],
  [
    'to a Host that is nobody',
    { ...list, host: 'management.azure.com.example.org' },
    400,
    'BadRequest',
    'The Host header names neither the control plane nor a managed HSM. Send the request to the management endpoint, or to {name} under the HSM suffix.',
    { ...list, host: 'MANAGEMENT.azure.com:443' },
  ],
  [
    'of a subscription that is not configured',
    { path: hsmPath('foreign', 'rg1', '/subscriptions/99999999-9999-4999-8999-999999999999') },
    404,
    'SubscriptionNotFound',
    "The subscription '99999999-9999-4999-8999-999999999999' could not be found.",
    { path: hsmPath('foreign', 'rg1', `/subscriptions/${OTHER_SUBSCRIPTION_ID}`) },
  ],
  [
    "in another's subscription",
    { path: hsmPath('theirs', 'rg1', `/subscriptions/${OTHER_SUBSCRIPTION_ID}`), as: 'contributor' },
    403,
    'AuthorizationFailed',
    `The client '${idsOf('contributor').clientId}' with object id '${idsOf('contributor').servicePrincipalId}' does not have authorization to perform action 'Microsoft.KeyVault/managedHSMs/write' over scope '/subscriptions/${OTHER_SUBSCRIPTION_ID}/resourceGroups/rg1/providers/Microsoft.KeyVault/managedHSMs/theirs' or the scope is invalid. If access was recently granted, please refresh your credentials.`,
    { path: hsmPath('theirs'), as: 'contributor' },
  ],
])('a request %s is refused', (...row) => check(row));

function idsOf(name: string): { readonly clientId: string; readonly servicePrincipalId: string } {
  return seedDirectory(TENANT_ID).principals.find((one) => one.name === name) as { readonly clientId: string; readonly servicePrincipalId: string };
}

const forged = (options: Partial<MintOptions>) => ({
  authorization: () =>
    `Bearer ${mintToken({ tenantId: TENANT_ID, directory: seedDirectory(TENANT_ID) }, observed.service.signingKey, { principal: 'owner', audience: ARM_AUDIENCE, ...options })}`,
});
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const nowSeconds = () => Math.floor(Date.now() / 1000);
const ISSUERS = `'https://sts.windows.net/${TENANT_ID}/', 'https://login.microsoftonline.com/${TENANT_ID}/v2.0'`;
const AUDIENCES = "'https://management.azure.com', 'https://management.core.windows.net'";
test.each<readonly [title: string, authorization: Pick<Ask, 'authorization'>, reason: string, twin: Pick<Ask, 'authorization'>]>([
  ['no token', { authorization: null }, "The 'Authorization' header is missing.", {}],
  ['no bearer', { authorization: () => 'Basic b3duZXI6' }, "The 'Authorization' header is not of the form 'Bearer {access token}'.", {}],
  ['an expired token', forged({ now: nowSeconds() - 7200 }), 'The access token has expired.', forged({ now: nowSeconds() - 1800 })],
  ['a token of tomorrow', forged({ now: nowSeconds() + 86_400 }), 'The access token is not valid yet.', forged({ now: nowSeconds() + 5 })],
  [
    'a token for the data plane',
    forged({ audience: 'https://managedhsm.azure.net' }),
    `The access token has been obtained for the wrong audience or resource. It must be one of ${AUDIENCES}.`,
    forged({ audience: 'https://management.core.windows.net/' }),
  ],
  [
    'a token of another tenant',
    forged({ claims: { tid: ADMINISTRATOR } }),
    `The access token is from the wrong tenant. It must be '${TENANT_ID}'.`,
    forged({ claims: { tid: TENANT_ID } }),
  ],
  [
    'a token of another issuer',
    forged({ claims: { iss: `https://sts.windows.net/${ADMINISTRATOR}/` } }),
    `The access token is from the wrong issuer. It must be one of ${ISSUERS}.`,
    forged({ claims: { iss: `https://login.microsoftonline.com/${TENANT_ID}/v2.0` } }),
  ],
  ['a forged signature', forged({ key: stranger }), 'The signature of the access token is not valid.', forged({})],
  ['alg none, unsigned', forged({ alg: 'none' }), 'The access token is not a signed JSON web token.', forged({ alg: 'RS256' })],
  [
    'alg none with a signature',
    { authorization: () => `${forged({ alg: 'none' }).authorization()}AA` },
    "The access token must be signed by algorithm 'RS256'.",
    forged({ alg: 'RS256' }),
  ],
  ['the public key as a secret', forged({ alg: 'HS256' }), "The access token must be signed by algorithm 'RS256'.", forged({ alg: 'RS256' })],
  ['a key that is not published', forged({ header: { kid: 'mine' } }), 'The access token is signed with a key that the tenant does not publish.', forged({})],
  ['a token that names nobody', forged({ claims: { oid: undefined } }), "The access token does not name the caller: the claim 'oid' must be a GUID.", forged({})],
  ['a token over 16 kB', forged({ claims: { pad: 'x'.repeat(13_000) } }), 'The access token is larger than 16384 bytes.', forged({ claims: { pad: 'x'.repeat(9_000) } })],
])('%s is refused', async (title, refused, reason, accepted) => {
  const message = `Authentication failed. ${reason}`;
  await check([title, refused, 401, 'AuthenticationFailed', message, accepted]);
  expect((await ask(refused)).headers['www-authenticate']).toBe(
    `Bearer authorization_uri="https://login.microsoftonline.com/${TENANT_ID}", error="invalid_token", error_description="${message}"`,
  );
});

test('the comparison sees a single write, and a timer that was started', async () => {
  const path = hsmPath('compared');
  let before = await everything();
  for (const [method, body] of [
    ['PUT', newHsm()],
    ['PATCH', {}],
    ['DELETE', null],
  ] as const) {
    expect((await ask({ method, path, body })).status).toBe(202);
    const after = await everything();
    expect(after).not.toEqual(before);
    before = after;
  }
});
