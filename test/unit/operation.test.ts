// One request from arrival to answer: the stages in their order (what was asked of whom before a refusal), the limits of a body, rights and scopes, and the form of every answer.
import { type ErrorName, errors } from '../../shared/domain/errors';
import type { Operation } from '../../shared/http/operation';
import { listAnswer } from '../../shared/http/render';
import { noVault, provider, putGroup } from '../../shared/http/resourceHandlers';
import type { Ports } from '../../shared/ports';
import { groups } from '../../shared/service/groups';
import { hsms } from '../../shared/service/hsms';
import { createMemoryStore } from '../kit/memoryStore';
import { ALICE, alice, contoso, GROUP_OF_ALICE, INCARNATION, OTHER_SUBSCRIPTION, SUBSCRIPTION, stored, TENANT } from './support/contoso';
import { answered, type Given, now, owner, params } from './support/door';
import { type Ending, endingOf } from './support/refusals';

type Refused = readonly [what: string, given: Given, name: ErrorName | 'accepted', status: number, code: string | undefined, events: readonly string[]];

const entered = ['authenticate control'];
const looked = [...entered, 'ready', 'services', 'assignments', 'hsm contoso', 'group team'];
const read = [...looked, 'body'];

/** The events are everything that happened: what is missing in a row was not asked for. */
test.each<Refused>([
  ['nothing wrong', {}, 'accepted', 200, undefined, [...read, 'handle']],
  ['no Host', { host: null }, 'BadHost', 400, 'BadRequest', []],
  ['a Host of neither plane', { host: 'elsewhere.test' }, 'BadHost', 400, 'BadRequest', []],
  ['a Host of neither plane and no token', { host: 'elsewhere.test', authorization: null }, 'BadHost', 400, 'BadRequest', []],
  ['no token', { authorization: null }, 'AuthenticationFailed', 401, 'AuthenticationFailed', entered],
  ['a bad token', { authorization: 'Bearer bad' }, 'AuthenticationFailed', 401, 'AuthenticationFailed', entered],
  ['an operation of the control plane at an HSM', { host: 'contoso.managedhsm.azure.net' }, 'NotFound', 404, 'NotFound', ['authenticate hsm']],
  ['no api-version', { query: '' }, 'MissingApiVersion', 400, 'MissingApiVersionParameter', entered],
  ['an empty api-version', { query: 'api-version=' }, 'MissingApiVersion', 400, 'MissingApiVersionParameter', entered],
  ['an api-version that is none', { query: 'api-version=latest' }, 'InvalidApiVersion', 400, 'InvalidApiVersionParameter', entered],
  ['a query name twice', { query: 'api-version=2023-07-01&API-version=2023-07-01' }, 'DuplicateQueryName', 400, 'BadRequest', entered],
  ['another subscription', { params: { ...params, subscription: OTHER_SUBSCRIPTION } }, 'SubscriptionNotFound', 404, 'SubscriptionNotFound', entered],
  ['a subscription that is no GUID', { params: { ...params, subscription: 'one' } }, 'SubscriptionNotFound', 404, 'SubscriptionNotFound', entered],
  ['storage not ready', { isReady: false }, 'Unavailable', 503, 'ServiceUnavailable', [...entered, 'ready']],
  ['no rights', { assignments: [] }, 'AuthorizationFailed', 403, 'AuthorizationFailed', looked],
  ['no rights, and no group', { assignments: [], group: undefined }, 'AuthorizationFailed', 403, 'AuthorizationFailed', looked],
  ['no group', { group: undefined }, 'ResourceGroupNotFound', 404, 'ResourceGroupNotFound', looked],
  ['no rights, and a body too large', { assignments: [], headers: { 'content-length': '1048577' } }, 'AuthorizationFailed', 403, 'AuthorizationFailed', looked],
  ['a chunked body', { headers: { 'transfer-encoding': 'chunked' } }, 'LengthRequired', 411, 'LengthRequired', looked],
  ['a body said to be too large', { headers: { 'content-length': '1048577' } }, 'RequestTooLarge', 413, 'RequestContentTooLarge', looked],
  [
    'a body that is too large, whatever was said',
    { body: `"${'x'.repeat(1_048_575)}"`, headers: { 'content-length': '2' } },
    'RequestTooLarge',
    413,
    'RequestContentTooLarge',
    read,
  ],
  ['a body of text', { headers: { 'content-type': 'text/plain' } }, 'UnsupportedMediaType', 415, 'UnsupportedMediaType', looked],
  ['a body of no type', { headers: { 'content-type': '' } }, 'UnsupportedMediaType', 415, 'UnsupportedMediaType', looked],
  ['a body of a type that begins alike', { headers: { 'content-type': 'application/jsonp' } }, 'UnsupportedMediaType', 415, 'UnsupportedMediaType', looked],
  ['no body', { body: '', headers: { 'content-type': '' } }, 'InvalidRequestContent', 400, 'InvalidRequestContent', read],
  ['a body that is no JSON', { body: '{' }, 'InvalidRequestContent', 400, 'InvalidRequestContent', read],
  ['a body that is no object', { body: '[]' }, 'InvalidRequestContent', 400, 'InvalidRequestContent', read],
  ['a body that is not UTF-8', { body: Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) }, 'InvalidRequestContent', 400, 'InvalidRequestContent', read],
  ['a body of UTF-8', { body: '{"ÿ":1}' }, 'accepted', 200, undefined, [...read, 'handle']],
])('%s', async (_, given, name, status, code, events) => {
  const answer = await answered(given);
  if (name !== 'accepted') expect(errors[name]).toMatchObject({ status, code });
  expect([answer.status, answer.code, answer.events]).toEqual([status, code, events]);
});

test.each([
  ['1 MiB of JSON', { body: `{"a":"${'x'.repeat(1_048_576 - 8)}"}` }, 200],
  ['one byte more', { body: `{"a":"${'x'.repeat(1_048_576 - 7)}"}` }, 413],
  ['a type with a charset', { headers: { 'content-type': 'application/json; charset=utf-8' } }, 200],
  ['a type in capitals', { headers: { 'content-type': 'Application/JSON' } }, 200],
  ['a byte order mark, which JSON parsers may skip', { body: '\ufeff{}' }, 200],
  ['a date', { query: 'api-version=2026-02-01' }, 200],
  ['a preview', { query: 'api-version=2026-03-01-preview' }, 200],
  ['an encoded name, as JavaScript clients send it', { query: 'api%2Dversion=2023-07-01' }, 200],
  ['a name in capitals', { query: 'API-VERSION=2023-07-01' }, 200],
  ['a date and more', { query: 'api-version=2023-07-01x' }, 400],
  ['a data-plane version', { query: 'api-version=7.4' }, 400],
])('body or api-version: %s', async (_, given: Given, status) => {
  expect((await answered(given)).status).toBe(status);
});

test.each<Partial<Given>>([{ headers: { 'transfer-encoding': 'chunked' } }, { headers: { 'content-length': '9999999' } }, { body: 'no JSON' }])(
  'an operation that takes no body never looks at one: %j',
  async (given) => {
    const { takes: _, ...operation } = { takes: 'body', method: 'POST' } as const;
    const { status, events } = await answered({ ...given, operation: { ...operation, ...({ takes: undefined } as object) } });
    expect([status, events.includes('body')]).toEqual([200, false]);
  },
);

test('an operation without an action, a group or an HSM asks storage for nothing', async () => {
  const bare = { action: undefined, reads: undefined, within: undefined, takes: undefined, route: 'tenants' } as unknown as Partial<Operation>;
  const { status, events } = await answered({ operation: bare, params: {}, assignments: [] });
  expect([status, events]).toEqual([200, ['authenticate control', 'ready', 'services', 'handle']]);
});

describe('rights', () => {
  const reader = { ...owner, roleGuid: 'acdd72a7-3385-48ef-bd42-f606fba81ae7' };

  test.each<[string, Given, number]>([
    ['an owner of the subscription', {}, 200],
    ['a reader of the subscription', { assignments: [reader] }, 403],
    ['an owner of the group', { assignments: [{ ...owner, scope: { subscription: SUBSCRIPTION, group: 'team' } }] }, 200],
    ['an owner of another group', { assignments: [{ ...owner, scope: { subscription: SUBSCRIPTION, group: 'tea' } }] }, 403],
    ['an owner of the HSM', { assignments: [{ ...owner, scope: { subscription: SUBSCRIPTION, group: 'team', hsm: 'contoso' } }] }, 200],
    ['an owner of another HSM', { assignments: [{ ...owner, scope: { subscription: SUBSCRIPTION, group: 'team', hsm: 'contos' } }] }, 403],
    [
      'an owner of the group, at a name that is none',
      { assignments: [{ ...owner, scope: { subscription: SUBSCRIPTION, group: 'team' } }], params: { ...params, name: 'a--b' } },
      200,
    ],
    [
      'an owner of the HSM, at a name that is none',
      { assignments: [{ ...owner, scope: { subscription: SUBSCRIPTION, group: 'team', hsm: 'contoso' } }], params: { ...params, name: 'a--b' } },
      403,
    ],
    [
      'an owner of the group, at a group that is none',
      { assignments: [{ ...owner, scope: { subscription: SUBSCRIPTION, group: 'team' } }], params: { ...params, group: 'te am' } },
      403,
    ],
    ['an administrator by the setting', { assignments: [], administrators: [ALICE] }, 200],
    ['a member of a group of administrators', { assignments: [], administrators: [GROUP_OF_ALICE] }, 200],
    ['nobody, where the setting is empty', { assignments: [], administrators: [] }, 403],
  ])('%s', async (_, given, status) => {
    expect((await answered(given)).status).toBe(status);
  });

  test('of an administrator by the setting are not looked up', async () => {
    expect((await answered({ administrators: [ALICE] })).events).not.toContain('assignments');
  });

  test('to the result of an operation come with the right to the resource that it names', async () => {
    const result: Partial<Operation> = {
      method: 'GET',
      route: 'subscriptions/{subscription}/providers/Microsoft.KeyVault/locations/{location}/managedHsmOperationResults/{operation}',
      action: 'Microsoft.KeyVault/locations/managedHsmOperationResults/read',
      orOnResource: 'Microsoft.KeyVault/managedHSMs/read',
      ...({ within: undefined, takes: undefined } as object),
    };
    const on = (group: string) => ({ ...reader, scope: { subscription: SUBSCRIPTION, group } });
    const ask = async (given: Given, names = '&name=Contoso&group=Team') =>
      (await answered({ operation: result, params: { subscription: SUBSCRIPTION, location: 'westus', operation: INCARNATION }, query: `api-version=2023-07-01${names}`, ...given }))
        .status;
    expect(await ask({ assignments: [reader] })).toBe(200);
    expect(await ask({ assignments: [on('team')] })).toBe(200);
    expect(await ask({ assignments: [on('other')] })).toBe(403);
    expect(await ask({ assignments: [on('team')] }, '&name=Contoso')).toBe(403);
    expect(await ask({ assignments: [on('team')] }, '&group=Team')).toBe(403);
    expect(await ask({ assignments: [] })).toBe(403);
  });

  test.each<[string, Given, string]>([
    ['an HSM', {}, `/subscriptions/${SUBSCRIPTION}/resourceGroups/Team/providers/Microsoft.KeyVault/managedHSMs/Contoso`],
    ['a group', { params: { subscription: SUBSCRIPTION, group: 'Team' } }, `/subscriptions/${SUBSCRIPTION}/resourceGroups/Team`],
    ['a subscription', { params: { subscription: SUBSCRIPTION } }, `/subscriptions/${SUBSCRIPTION}`],
  ])('that are missing are named with their scope, as E18 has it: %s', async (_, given, scope) => {
    expect((await answered({ ...given, assignments: [] })).message).toBe(
      `The client 'alice@contoso.test' with object id '${ALICE}' does not have authorization to perform action 'Microsoft.KeyVault/managedHSMs/write' over scope '${scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.`,
    );
  });

  test('that may be missing only because the token left groups out: the answer says so', async () => {
    expect((await answered({ assignments: [], caller: { ...alice, groupsLeftOut: true } })).message).toMatch(/group memberships were therefore not considered\.$/);
    expect((await answered({ assignments: [] })).message).not.toContain('group memberships');
  });
});

describe('an answer', () => {
  const common = {
    'Cache-Control': 'no-cache',
    Pragma: 'no-cache',
    Expires: '-1',
    'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
    'X-Content-Type-Options': 'nosniff',
    'x-ms-request-id': 'request-1',
    'x-ms-correlation-request-id': 'request-1',
    'x-ms-routing-request-id': 'LOCAL:request-1',
  };
  const ofProvider = { 'x-ms-keyvault-service-version': expect.stringMatching(/^1\.5\.\d+\.\d+$/), Server: 'Microsoft-IIS/10.0', 'X-AspNet-Version': '4.0.30319' };
  const json = { 'Content-Type': 'application/json; charset=utf-8' };

  test('of the provider has its headers, and the length of its body in bytes', async () => {
    const { response } = await answered({ answer: { status: 200, body: { name: 'ü' } } });
    expect(response).toEqual({
      status: 200,
      headers: { ...common, ...ofProvider, ...json, 'x-ms-ratelimit-remaining-subscription-writes': '11999', 'Content-Length': '13' },
      body: '{"name":"ü"}',
    });
  });

  test('gathered by the resource manager has its headers instead of the provider’s', async () => {
    const { headers } = await answered({ operation: { aggregated: true, method: 'GET' } });
    expect(headers).toEqual({ ...common, ...json, 'x-ms-original-request-ids': 'request-1', 'x-ms-ratelimit-remaining-subscription-reads': '11999', 'Content-Length': '13' });
  });

  test.each<[Operation['method'], string]>([
    ['GET', 'reads'],
    ['HEAD', 'reads'],
    ['PUT', 'writes'],
    ['PATCH', 'writes'],
    ['POST', 'writes'],
    ['DELETE', 'deletes'],
  ])('to %s says what remains of the %s', async (method, kind) => {
    expect(Object.keys((await answered({ operation: { method } })).headers).filter((name) => name.startsWith('x-ms-ratelimit'))).toEqual([
      `x-ms-ratelimit-remaining-subscription-${kind}`,
    ]);
  });

  test('without a body says nothing of one, and brings headers of its own', async () => {
    const { response, headers } = await answered({ answer: { status: 202, headers: { Location: 'https://management.azure.com/x', 'Retry-After': '1' } } });
    expect(response).not.toHaveProperty('body');
    expect(headers).toMatchObject({ Location: 'https://management.azure.com/x', 'Retry-After': '1' });
    expect(headers).not.toHaveProperty('Content-Type');
    expect(headers).not.toHaveProperty('Content-Length');
  });

  test.each<[string, Given, number]>([
    ['a success', {}, 200],
    ['a refusal', { group: undefined }, 404],
  ])('to HEAD has no body: %s', async (_, given, status) => {
    const { response } = await answered({ ...given, operation: { method: 'HEAD' } });
    expect(response.status).toBe(status);
    expect(response).not.toHaveProperty('body');
  });

  test.each([
    ['ABCDEF01-2345-6789-ABCD-EF0123456789', 'abcdef01-2345-6789-abcd-ef0123456789'],
    ['no guid', 'request-1'],
  ])('repeats the correlation id of the request if it is one: %s', async (sent, correlation) => {
    expect((await answered({ headers: { 'x-ms-correlation-request-id': sent } })).headers['x-ms-correlation-request-id']).toBe(correlation);
  });

  test('to a request without a token is E19, with the challenge', async () => {
    const { response, headers } = await answered({ authorization: null });
    expect(response.body).toBe('{"error":{"code":"AuthenticationFailed","message":"Authentication failed. The \'Authorization\' header is missing."}}');
    expect(headers['WWW-Authenticate']).toBe(
      `Bearer authorization_uri="https://login.microsoftonline.com/${TENANT}", error="invalid_token", error_description="Authentication failed. The 'Authorization' header is missing."`,
    );
    expect((await answered({ assignments: [] })).headers).not.toHaveProperty('WWW-Authenticate');
  });

  test('that says to come back says when; a refusal for good does not', async () => {
    expect((await answered({ isReady: false })).headers['Retry-After']).toBe('5');
    expect((await answered({ group: undefined })).headers).not.toHaveProperty('Retry-After');
  });
});

test.each<[string, readonly string[], string | undefined, string]>([
  ['nothing', [], undefined, '{"value":[]}'],
  ['all there is', ['a', 'b'], undefined, '{"value":["a","b"]}'],
  ['a page', ['a'], 'contoso', '{"value":["a"],"nextLink":"https://management.azure.com/next?after=contoso"}'],
])('a list of %s', (_, names, next, body) => {
  const items = names.map((name) => ({ record: contoso({ name }), now }));
  const answer = listAnswer(
    { items, ...(next !== undefined && { next }) },
    ({ record }) => record.name,
    (token) => `https://management.azure.com/next?after=${token}`,
  );
  expect([answer.status, JSON.stringify(answer.body)]).toEqual([200, body]);
});

describe('an error that nobody meant', () => {
  const secret = 'hunter2';
  const atFrame = new Error(`first line\n    at ${secret} (second line)`);

  test.each<[string, unknown]>([
    ['an Error', new TypeError(`Cannot read ${secret}`)],
    ['one of several lines', atFrame],
    ['an Error without a stack', Object.assign(new Error(secret), { stack: undefined })],
    ['a text', secret],
    ['nothing', undefined],
    ['an object that looks like a refusal', { error: 'NotFound', status: 404, code: 'NotFound', message: secret }],
  ])('is 500, tells nothing of the inside, and leaves one line without its message: %s', async (_, fails) => {
    const { response, lines, code } = await answered({ fails });
    expect([response.status, code]).toEqual([500, 'InternalServerError']);
    expect(response.body).toBe('{"error":{"code":"InternalServerError","message":"An unexpected error occurred."}}');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^error: unexpected /);
    expect(lines[0]).not.toContain(secret);
    expect(lines[0]).not.toContain('\n');
  });

  test('is told by kind and place; a refusal leaves no line', async () => {
    expect((await answered({ fails: new TypeError(secret) })).lines[0]).toMatch(/^error: unexpected TypeError at .*operation\.test\.ts/);
    expect((await answered({ group: undefined })).lines).toEqual([]);
  });
});

describe('what the resource manager’s handlers refuse', () => {
  const put: Partial<Operation> = { handle: putGroup, route: 'subscriptions/{subscription}/resourceGroups/{group}', ...({ within: undefined, reads: undefined } as object) };
  const vault: Partial<Operation> = { handle: noVault, method: 'GET', ...({ takes: undefined, reads: undefined } as object) };
  const namespace: Partial<Operation> = { handle: provider, method: 'GET', ...({ takes: undefined, within: undefined, reads: undefined } as object) };

  test.each<[string, Given, ErrorName | 'accepted', number, string | undefined]>([
    ['a group with a bad name', { operation: put, params: { ...params, group: 'team.' }, body: '{"location":"westus"}' }, 'InvalidResourceGroup', 400, 'InvalidResourceGroup'],
    ['a group without a location', { operation: put, body: '{}' }, 'LocationRequired', 400, 'LocationRequired'],
    ['a group in an empty location', { operation: put, body: '{"location":""}' }, 'LocationRequired', 400, 'LocationRequired'],
    ['a group in no location of ours', { operation: put, body: '{"location":"atlantis"}' }, 'LocationNotAvailable', 400, 'LocationNotAvailableForResourceType'],
    ['a group with too long a tag', { operation: put, body: `{"location":"westus","tags":{"a":"${'x'.repeat(257)}"}}` }, 'InvalidProperty', 400, '400'],
    ['a vault', { operation: vault }, 'VaultNotFound', 404, 'ResourceNotFound'],
    ['another provider', { operation: namespace, params: { ...params, namespace: 'Microsoft.Compute' } }, 'InvalidResourceNamespace', 404, 'InvalidResourceNamespace'],
    ['the provider itself', { operation: namespace, params: { ...params, namespace: 'microsoft.KEYVAULT' } }, 'accepted', 200, undefined],
  ])('%s', async (_, given, name, status, code) => {
    const answer = await answered(given);
    if (name !== 'accepted') expect(errors[name]).toMatchObject({ status, code });
    expect([answer.status, answer.code]).toEqual([status, code]);
  });
});

describe('names that are none name nothing in the services either', () => {
  const store = createMemoryStore({ now: () => now });
  const ports = { store: store.asStore(), ids: { guid: () => '' } } as unknown as Ports;
  store.transact({ table: 'subscriptions', partition: SUBSCRIPTION, writes: [{ kind: 'insert', row: 'g!-', value: { name: '-', location: 'westus', tags: {} } }] });

  test('a group named - is not what a bad name finds', async () => {
    const { read: readGroup } = groups(ports, { softDeleteInGroup: async () => false });
    expect((await readGroup(SUBSCRIPTION, '-')).found).toBeDefined();
    expect((await readGroup(SUBSCRIPTION, undefined)).found).toBeUndefined();
  });

  test.each<[string, string, { readonly name: string; readonly group: string }, Ending]>([
    ['as it was given', 'westus', { name: 'Contoso', group: 'TEAM' }, 'accepted'],
    ['another location', 'eastus', { name: 'Contoso', group: 'Team' }, 'HsmNotFound'],
    ['another group, on which the right may have been granted', 'westus', { name: 'Contoso', group: 'other' }, 'HsmNotFound'],
  ])('I14 the URL of a result reaches the record only with its own location and group: %s', (_, location, names, ending) => {
    const { result } = hsms(ports, {} as never, { expire: async () => 'done' });
    const found = { found: stored(contoso()), now, storageAt: now };
    expect(endingOf(() => result(found, { subscription: SUBSCRIPTION, location }, INCARNATION, names))).toBe(ending);
  });
});
