// Requests to an HSM's host: the challenge, the stages in their order, an HSM that is not active, headers and errors, and who may do what through the operations that are registered.
import { matchRoute, segmentsOf } from '../../shared/http/routes';
import { ALICE, alice, at, BOB, contoso, deletion, INCARNATION, TENANT } from './support/contoso';
import { F1, FIRST, firstKey, keyDeletion, keyVersion } from './support/first';
import { ADMINISTRATOR, AUDITOR, given, missing, OFFICER, type Sent, table, USER, v, type World } from './support/hsmHost';

describe('the challenge', () => {
  test.each([
    ['GET', 'keys', 'OK'],
    ['GET', 'keys/first', 'OK'],
    ['GET', 'no/such/path', 'OK'],
    ['POST', 'keys/first/create', undefined],
    ['PATCH', 'keys/first', undefined],
    ['PUT', 'keys/first', undefined],
    ['DELETE', 'keys/first', undefined],
    ['DELETE', 'deletedkeys/first', undefined],
  ])('comes before anything is looked at, whatever is asked for: %s %s', async (method, path, text) => {
    const { shelf, send } = given();
    const answer = await send(method, path, { authorization: null, body: 'no JSON', headers: { 'transfer-encoding': 'chunked' } });
    expect([answer.status, answer.text, shelf.happened()]).toEqual([401, text, []]);
    expect(answer.headers).toMatchObject({
      'WWW-Authenticate': `Bearer authorization="https://login.microsoftonline.com/${TENANT}", resource="https://managedhsm.azure.net"`,
      'Content-Type': 'application/json; charset=utf-8',
      'x-ms-request-id': 'request-1',
    });
  });

  test.each([
    ['contoso', contoso()],
    ['a deleted one', contoso({ deletion })],
    ['no HSM of that name', contoso({ name: 'fabrikam' })],
  ])('is the same for every name: %s', async (_, hsm) => {
    const { shelf, send } = given({ hsm });
    const { status, headers, text } = await send('GET', `keys?${v}`, { authorization: null });
    expect([status, headers['WWW-Authenticate'], text, shelf.happened()]).toEqual([
      401,
      `Bearer authorization="https://login.microsoftonline.com/${TENANT}", resource="https://managedhsm.azure.net"`,
      'OK',
      [],
    ]);
  });

  test('answers a bad token as well, and says nothing of why', async () => {
    const { shelf, send } = given();
    const answers = [await send('GET', `keys?${v}`, { authorization: 'Bearer bad' }), await send('DELETE', `keys/first?${v}`, { authorization: 'Bearer bad' })];
    expect(answers.map(({ status, text }) => [status, text])).toEqual([
      [401, 'OK'],
      [401, undefined],
    ]);
    expect(shelf.happened()).toEqual(['authenticate hsm', 'authenticate hsm']);
  });

  test('names the resource with its port, where the configured suffix has one', async () => {
    const { send } = given({ resource: 'https://managedhsm.local:8443', hsmSuffix: 'managedhsm.local:8443' });
    const { headers } = await send('GET', 'keys', { authorization: null, host: 'contoso.managedhsm.local:8443' });
    expect(headers['WWW-Authenticate']).toBe(`Bearer authorization="https://login.microsoftonline.com/${TENANT}", resource="https://managedhsm.local:8443"`);
  });
});

describe('an HSM that is not active', () => {
  const states: readonly (readonly [string, ReturnType<typeof contoso>])[] = [
    ['unknown', contoso({ name: 'fabrikam' })],
    ['purged', contoso({ name: 'fabrikam' })],
    ['deleted', contoso({ deletion })],
    ['purge-protected and deleted', contoso({ deletion, settings: { purgeProtection: true } })],
    ['overdue', contoso({ deletion: { ...deletion, purgeAt: at('2027-01-05T00:00:00Z') } })],
  ];
  const requests: readonly (readonly [method: string, target: string, body: string])[] = [
    ['GET', `keys?${v}`, ''],
    ['GET', `keys/first?${v}`, ''],
    ['GET', `keys/first/${F1}?${v}`, ''],
    ['GET', `keys/first/versions?${v}`, ''],
    ['GET', `deletedkeys?${v}`, ''],
    ['GET', `deletedkeys/first?${v}`, ''],
    ['POST', `keys/first/create?${v}`, '{"kty":"EC"}'],
    ['PATCH', `keys/first?${v}`, '{}'],
    ['PATCH', `keys/first/${F1}?${v}`, '{}'],
    ['DELETE', `keys/first?${v}`, ''],
    ['POST', `deletedkeys/first/recover?${v}`, ''],
    ['DELETE', `deletedkeys/first?${v}`, ''],
  ];

  test.each(requests)('I6 answers %s %s with the same bytes whether it is unknown, purged, deleted or overdue, and changes nothing', async (method, target, body) => {
    const answers = new Set<string>();
    for (const [state, hsm] of states) {
      const { shelf, send, putKey } = given({ hsm });
      if (state === 'purged') shelf.put('hsms', 'contoso', `gone!${INCARNATION}`, { hsm: 'contoso', incarnation: INCARNATION, by: 'caller' });
      putKey(target.startsWith('deleted') ? firstKey({ deletion: keyDeletion }) : firstKey());
      const before = shelf.memory.snapshot();
      const { status, headers, text } = await send(method, target, { body });
      const { 'x-ms-server-latency': _, ...others } = headers;
      answers.add(JSON.stringify([status, others, text]));
      expect(shelf.memory.snapshot()).toEqual(before);
    }
    expect([...answers].map((answer) => JSON.parse(answer)).map(([status, , text]) => [status, text])).toEqual([
      [
        400,
        '{"error":{"code":"BadParameter","message":"No active managed HSM has this name. It may never have been created, or it is deleted or purged. (Activity ID: request-1)"}}',
      ],
    ]);
  });

  test.each(requests)('and the twin: %s %s of an active HSM is answered', async (method, target, body) => {
    const { send, putKey } = given();
    putKey(target.startsWith('deleted') ? firstKey({ deletion: keyDeletion }) : firstKey());
    const { status } = await send(method, target, { body });
    expect(status).toBe(method === 'DELETE' && target.startsWith('deleted') ? 204 : 200);
  });

  test('I13 whoever reads its keys’ partition by an incarnation of before finds nothing: names are looked up in the record read', async () => {
    const { send, putKey } = given({ hsm: contoso({ incarnation: 'created anew' }) });
    putKey();
    expect((await send('GET', `keys/first?${v}`)).text).toBe(missing('keys/first'));
    expect((await send('GET', `keys?${v}`)).text).toBe('{"value":[]}');
  });
});

const readIt = ['authenticate hsm', 'ready', 'services', 'page hsms contoso !hsm', 'page hsms contoso s!first!'];

/** The events are everything that happened: what is missing in a row was not asked for. */
test.each<[what: string, method: string, target: string, sent: Sent, setting: World, status: number, code: string | undefined, events: readonly string[]]>([
  ['nothing wrong', 'GET', `keys/first?${v}`, {}, {}, 200, undefined, [...readIt, `row keys ${INCARNATION} k!first`]],
  ['no api-version', 'GET', 'keys/first', {}, {}, 400, 'BadParameter', ['authenticate hsm']],
  ['an unknown api-version', 'GET', 'keys/first?api-version=8.0', {}, {}, 400, 'BadParameter', ['authenticate hsm']],
  ['a query name twice', 'GET', `keys/first?${v}&${v}`, {}, {}, 400, 'BadRequest', ['authenticate hsm']],
  ['a key name that is none', 'GET', `keys/fir_st?${v}`, {}, {}, 400, 'BadParameter', ['authenticate hsm']],
  ['a key name of 128 characters', 'GET', `keys/${'x'.repeat(128)}?${v}`, {}, {}, 400, 'BadParameter', ['authenticate hsm']],
  ['a version that is no hex', 'GET', `keys/first/latest?${v}`, {}, {}, 400, 'Invalidkeyidentifier', ['authenticate hsm']],
  ['a path that is none', 'GET', `secrets/first?${v}`, {}, {}, 404, 'NotFound', ['authenticate hsm']],
  ['an operation that is not built', 'POST', `keys/first/sign?${v}`, {}, {}, 400, 'NotSupported', ['authenticate hsm']],
  ['storage not ready', 'GET', `keys/first?${v}`, {}, { isReady: false }, 503, 'ServiceUnavailable', ['authenticate hsm', 'ready']],
  ['no role: the key is not looked at', 'GET', `keys/first?${v}`, {}, { roles: [] }, 403, 'AccessDenied', readIt],
  ['a role that lacks the action', 'GET', `keys/first?${v}`, {}, { roles: [OFFICER] }, 403, 'AccessDenied', readIt],
  ['no role, and a body too large', 'PATCH', `keys/first?${v}`, { headers: { 'content-length': '1048577' } }, { roles: [] }, 403, 'AccessDenied', readIt],
  ['a body too large', 'PATCH', `keys/first?${v}`, { headers: { 'content-length': '1048577' } }, {}, 413, 'RequestContentTooLarge', readIt],
  ['a chunked body', 'PATCH', `keys/first?${v}`, { headers: { 'transfer-encoding': 'chunked' } }, {}, 411, 'LengthRequired', readIt],
  ['a body that is no JSON', 'PATCH', `keys/first?${v}`, { body: '{' }, {}, 400, 'InvalidRequestContent', [...readIt, 'body']],
  ['a member twice', 'PATCH', `keys/first?${v}`, { body: '{"tags":{},"tags":{}}' }, {}, 400, 'InvalidRequestContent', [...readIt, 'body']],
])('%s', async (_, method, target, sent, setting, status, code, events) => {
  const { shelf, send, putKey } = given(setting);
  putKey();
  const before = shelf.memory.snapshot();
  const answer = await send(method, target, sent);
  const { error } = answer.json as { error?: { code: string; message: string } };
  expect([answer.status, error?.code, shelf.happened()]).toEqual([status, code, events]);
  if (error) expect(error.message).toMatch(/ \(Activity ID: request-1\)$/);
  expect(shelf.memory.snapshot()).toEqual(before);
});

describe('every answer', () => {
  const always = {
    'Cache-Control': 'no-cache',
    'Content-Security-Policy': "default-src 'self'",
    'Content-Type': 'application/json; charset=utf-8',
    'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'SAMEORIGIN',
    'x-ms-request-id': 'request-1',
  };
  const build = { 'x-ms-build-version': '1.5.1361.0' };
  const authorised = { 'x-ms-keyvault-region': 'local', 'x-ms-keyvault-network-info': 'conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=Ipv4;' };

  test.each<[string, string, string, Sent, World, object]>([
    ['a GET', 'GET', `keys?${v}`, {}, {}, { ...always, ...build, ...authorised, 'Content-Length': '12' }],
    ['a POST', 'POST', `deletedkeys/first/recover?${v}`, {}, {}, { ...always, ...authorised, 'Content-Length': '356' }],
    ['an answer without a body', 'DELETE', `deletedkeys/first?${v}`, {}, {}, { ...always, ...authorised }],
    ['a refusal', 'DELETE', `keys/second?${v}`, {}, {}, { ...always, 'Content-Length': '133' }],
    ['a challenge', 'GET', 'keys', { authorization: null }, {}, { ...always, ...build, 'Content-Length': '2', 'WWW-Authenticate': expect.any(String) }],
    ['an outage, which says when to come back', 'DELETE', `keys/first?${v}`, {}, { isReady: false }, { ...always, 'Content-Length': expect.any(String), 'Retry-After': '5' }],
  ])('has the headers of the service: %s', async (_, method, target, sent, setting, headers) => {
    const { send, putKey } = given(setting);
    putKey(firstKey({ deletion: keyDeletion }));
    const { 'x-ms-server-latency': latency, ...others } = (await send(method, target, sent)).headers;
    expect(others).toEqual(headers);
    expect(latency).toMatch(/^\d+$/);
  });

  test('says its length in bytes', async () => {
    const { send, putKey } = given();
    putKey(firstKey({ current: keyVersion({ tags: { größe: '€' } }) }));
    const { headers, text } = await send('GET', `keys/first?${v}`);
    expect(text).toContain('"tags":{"größe":"€"}');
    expect(headers['Content-Length']).toBe(String(new TextEncoder().encode(text).length));
  });

  test('ends the message of a refusal with the id of its own request', async () => {
    const { send } = given();
    for (const request of ['request-1', 'request-2']) {
      const { headers, text } = await send('GET', `keys/first?${v}`);
      expect([headers['x-ms-request-id'], text]).toEqual([request, missing('keys/first', request)]);
    }
  });

  test('to what nobody expected says nothing of the inside, and leaves a line without its message', async () => {
    const { shelf, send } = given();
    Object.assign(shelf.ports.store, { page: () => Promise.reject(new Error('the secret of the inside')) });
    expect((await send('GET', `keys?${v}`)).text).toBe('{"error":{"code":"InternalServerError","message":"An unexpected error occurred. (Activity ID: request-1)"}}');
    expect(shelf.events.filter((event) => event.startsWith('error: unexpected Error at '))).toHaveLength(1);
    expect(shelf.events.join()).not.toContain('secret of the inside');
  });
});

describe('rights', () => {
  /** Typed by hand (contract.md §4.1, §6.4): the request, the data action that it needs and its scope, and which of User, Officer, Auditor, Administrator have it. */
  const cells: readonly (readonly [method: string, target: string, action: string, scope: string, may: string])[] = [
    ['POST', 'keys/first/create', 'keys/create', '/keys', 'U'],
    ['GET', 'keys', 'keys/read/action', '/keys', 'UA'],
    ['GET', 'keys/first', 'keys/read/action', '/keys/first', 'UA'],
    ['GET', `keys/first/${F1}`, 'keys/read/action', '/keys/first', 'UA'],
    ['GET', 'keys/first/versions', 'keys/read/action', '/keys/first', 'UA'],
    ['PATCH', 'keys/first', 'keys/write/action', '/keys/first', 'U'],
    ['PATCH', `keys/first/${F1}`, 'keys/write/action', '/keys/first', 'U'],
    ['DELETE', 'keys/first', 'keys/delete', '/keys/first', 'U'],
    ['GET', 'deletedkeys', 'keys/deletedKeys/read/action', '/keys', 'OA'],
    ['GET', 'deletedkeys/gone', 'keys/deletedKeys/read/action', '/keys/gone', 'OA'],
    ['POST', 'deletedkeys/gone/recover', 'keys/deletedKeys/recover/action', '/keys/gone', 'O'],
    ['DELETE', 'deletedkeys/gone', 'keys/deletedKeys/delete', '/keys/gone', 'O'],
  ];
  const roles = { U: USER, O: OFFICER, A: AUDITOR, M: ADMINISTRATOR } as const;
  const gone = firstKey({ name: 'gone', incarnation: 'incarnation-of-gone', deletion: keyDeletion });
  const world = (setting: World) => {
    const made = given(setting);
    made.putKey();
    made.putKey(gone, 'k!gone');
    return made;
  };
  const sentBy = (method: string): Sent => (method === 'PATCH' ? { body: '{}' } : method === 'POST' ? { body: '{"kty":"EC"}' } : {});

  test('every operation that is registered has its cell, and every cell its operation', () => {
    const named = cells.map(([method, target]) => table.find((operation) => operation.method === method && matchRoute(operation.route, segmentsOf(target)))?.name);
    expect([...named].sort()).toEqual(table.map(({ name }) => name).sort());
  });

  test.each(cells.flatMap((cell) => (['U', 'O', 'A', 'M'] as const).map((role) => [role, cell[4].includes(role) ? 'may' : 'may not', ...cell] as const)))(
    '%s %s %s %s',
    async (role, verdict, method, target, action, scope) => {
      const { shelf, send } = world({ roles: [roles[role]] });
      const before = shelf.memory.snapshot();
      const { status, text } = await send(method, `${target}?${v}`, sentBy(method));
      if (verdict === 'may') return expect([200, 204]).toContain(status);
      expect([status, text]).toEqual([
        403,
        `{"error":{"code":"AccessDenied","message":"Not authorized to access Microsoft.KeyVault/managedHsm/${action} on ${scope} (Activity ID: request-1)"}}`,
      ]);
      expect(shelf.memory.snapshot()).toEqual(before);
    },
  );

  test('a token that names too many groups to list them is told so', async () => {
    const { send } = world({ roles: [], caller: { ...alice, groups: [], groupsLeftOut: true } });
    expect((await send('GET', `keys?${v}`)).text).toBe(
      '{"error":{"code":"AccessDenied","message":"Not authorized to access Microsoft.KeyVault/managedHsm/keys/read/action on /keys. The token names too many groups to list them, and group memberships were therefore not considered (Activity ID: request-1)"}}',
    );
  });

  const atKey = (key: string, keyIncarnation: string, more: object = {}) => ({ principalId: ALICE, roleGuid: USER, incarnation: INCARNATION, key, keyIncarnation, ...more });

  test.each<[string, string, string, object, number]>([
    ['covers that key', 'GET', 'keys/first', {}, 200],
    ['covers its versions', 'GET', 'keys/first/versions', {}, 200],
    ['in another case as well', 'GET', 'keys/FIRST', {}, 200],
    ['covers no other key', 'GET', 'keys/first-b', {}, 403],
    ['does not cover lists', 'GET', 'keys', {}, 403],
    ['does not cover creation, not even of that key', 'POST', 'keys/first/create', {}, 403],
    ['covers its deletion', 'DELETE', 'keys/first', {}, 200],
    ['to somebody else covers nothing', 'GET', 'keys/first', { principalId: BOB }, 403],
    ['of an earlier incarnation of the key covers nothing', 'GET', 'keys/first', { keyIncarnation: 'an earlier one' }, 403],
    ['of an earlier incarnation of the HSM covers nothing', 'GET', 'keys/first', { incarnation: 'an earlier one' }, 403],
  ])('a grant at a key %s', async (_, method, target, more, status) => {
    const { shelf, send, putKey } = world({ roles: [] });
    putKey(firstKey({ name: 'first-b' }), 'k!first-b');
    shelf.put('hsms', 'contoso', 's!first!1', atKey('first', FIRST, more));
    expect((await send(method, `${target}?${v}`, sentBy(method))).status).toBe(status);
  });

  test.each([
    ['GET', 'deletedkeys/gone', OFFICER, 200],
    ['POST', 'deletedkeys/gone/recover', OFFICER, 200],
    ['DELETE', 'deletedkeys/gone', OFFICER, 204],
    ['DELETE', 'deletedkeys/gone', USER, 403],
    ['GET', 'deletedkeys', OFFICER, 403],
  ])('a grant at a key goes on while it is deleted: %s %s as %s is %i', async (method, target, roleGuid, status) => {
    const { shelf, send } = world({ roles: [] });
    shelf.put('hsms', 'contoso', 's!gone!1', atKey('gone', 'incarnation-of-gone', { roleGuid }));
    expect((await send(method, `${target}?${v}`)).status).toBe(status);
  });
});
