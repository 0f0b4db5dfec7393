// Who gets in: the table of forged tokens, each beside an accepted twin that differs in one thing, and the life of the tenant's signing keys.
import { createHmac, createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Plane, tokens } from '../../shared/adapters/tokens';
import { ServiceError } from '../../shared/domain/errors';

const TENANT = '11111111-1111-4111-8111-111111111111';
const OTHER_TENANT = '22222222-2222-4222-8222-222222222222';
const OBJECT_ID = '33333333-3333-4333-8333-333333333333';
const APPLICATION = '44444444-4444-4444-8444-444444444444';
const GROUP = 'abcdef55-5555-4555-8555-555555555555';
const OTHER_GROUP = '66666666-6666-4666-8666-666666666666';
const CONTROL = 'https://management.azure.com';
const HSM = 'https://managedhsm.azure.net';
const NOW = Date.parse('2027-01-01T00:00:00Z') / 1000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const TOKEN_BYTES_MAX = 16 * 1024;

type Claims = Readonly<Record<string, unknown>>;
type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };

const keyPair = (bits = 2048): Pair => generateKeyPairSync('rsa', { modulusLength: bits });
const ours = keyPair();
const next = keyPair();
const foreign = keyPair();

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const header = (more: Claims = {}): Claims => ({ typ: 'JWT', alg: 'RS256', kid: 'ours', ...more });
const jwk = ({ publicKey }: Pair, kid: string, more: Claims = {}): Claims => ({ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', ...more });

/** A user's token for the control plane, in version 1.0. A claim of undefined is left out. */
const user = (more: Claims = {}): Claims => ({
  iss: `https://sts.windows.net/${TENANT}/`,
  tid: TENANT,
  aud: CONTROL,
  exp: NOW + 3600,
  nbf: NOW - 5,
  iat: NOW - 5,
  oid: OBJECT_ID,
  appid: APPLICATION,
  scp: 'user_impersonation',
  upn: 'owner@local.test',
  ...more,
});

const signed = (claims: unknown, head: Claims = header(), { privateKey }: Pair = ours, hash = 'sha256'): string => {
  const input = `${part(head)}.${part(claims)}`;
  return `${input}.${createSign(hash).update(input).sign(privateKey).toString('base64url')}`;
};
const bearer = (claims: unknown = user(), head?: Claims, pair?: Pair): string => `Bearer ${signed(claims, head, pair)}`;

type Answer = () => Promise<Response>;
const publishing =
  (...keys: readonly unknown[]): Answer =>
  async () =>
    Response.json({ keys });
const outage: Answer = () => Promise.reject(new TypeError('fetch failed'));

/** The adapter over a scripted key address and a clock that the test sets. */
function given(answer: Answer = publishing(jwk(ours, 'ours')), options: Partial<Parameters<typeof tokens>[0]> = {}) {
  const world = { nowMs: NOW * 1000, answer, fetches: 0, asked: undefined as string | undefined };
  const fetch = (address: unknown): Promise<Response> => {
    world.fetches += 1;
    world.asked = String(address);
    return world.answer();
  };
  const { authenticate } = tokens({
    tenantId: TENANT,
    jwksUri: 'https://login.test/keys',
    audiences: { control: [CONTROL], hsm: [HSM] },
    fetch: fetch as typeof globalThis.fetch,
    wallClock: () => world.nowMs,
    ...options,
  });
  return { world, authenticate };
}

const outcome = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'let in',
    (error: unknown) => (error instanceof ServiceError ? `${error.status} ${error.message}` : `not ours: ${String(error)}`),
  );

/** A token as long as asked for, correctly signed. */
const tokenOfBytes = (bytes: number): string => {
  const bare = signed(user({ pad: '' })).length;
  for (let pad = Math.floor(((bytes - bare) * 3) / 4); ; pad++) {
    const token = signed(user({ pad: 'x'.repeat(pad) }));
    if (token.length >= bytes) return token;
  }
};

const unsigned = (claims: Claims, signature = ''): string => `Bearer ${part(header({ alg: 'none' }))}.${part(claims)}.${signature}`;
const hmacWithPublicKey = (): string => {
  const input = `${part(header({ alg: 'HS256' }))}.${part(user())}`;
  const secret = ours.publicKey.export({ type: 'spki', format: 'pem' });
  return `Bearer ${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
};
const tampered = (): string => {
  const [head, , signature] = signed(user()).split('.');
  return `Bearer ${head}.${part(user({ oid: APPLICATION }))}.${signature}`;
};
const v2 = { iss: `https://login.microsoftonline.com/${TENANT}/v2.0`, appid: undefined, azp: APPLICATION };
const app = { scp: undefined, upn: undefined, idtyp: 'app' };

type Row = { readonly rule: string; readonly refused: string | undefined; readonly reason: RegExp; readonly accepted?: string };
const claimsRow = (rule: string, wrong: Claims, reason: RegExp, right: Claims = {}): Row => ({ rule, refused: bearer(user(wrong)), reason, accepted: bearer(user(right)) });
const headRow = (rule: string, wrong: Claims, reason: RegExp): Row => ({ rule, refused: bearer(user(), header(wrong)), reason });

const rows: readonly Row[] = [
  { rule: 'no header', refused: undefined, reason: /'Authorization' header is missing/ },
  { rule: 'an empty header', refused: '', reason: /'Authorization' header is missing/ },
  { rule: 'another scheme', refused: bearer().replace('Bearer', 'Basic'), reason: /not of the form 'Bearer/, accepted: bearer().replace('Bearer', 'bEARER') },
  { rule: 'the scheme glued to the token', refused: bearer().replace('Bearer ', 'Bearer'), reason: /not of the form 'Bearer/ },
  { rule: 'the scheme twice', refused: `Bearer ${bearer()}`, reason: /not a signed JSON web token/ },
  { rule: 'two tokens', refused: `${bearer()}, ${bearer()}`, reason: /not a signed JSON web token/ },
  { rule: 'a leading space', refused: ` ${bearer()}`, reason: /not of the form 'Bearer/ },
  { rule: 'no token', refused: 'Bearer ', reason: /not a signed JSON web token/ },
  { rule: 'four parts', refused: `${bearer()}.x`, reason: /not a signed JSON web token/ },
  { rule: 'a header that is no JSON', refused: `Bearer x${signed(user())}`, reason: /not a signed JSON web token/ },
  { rule: 'padding in the signature', refused: `${bearer()}=`, reason: /not a signed JSON web token/ },
  { rule: 'over 16 kB', refused: `Bearer ${tokenOfBytes(TOKEN_BYTES_MAX + 1)}`, reason: /larger than 16384 bytes/, accepted: `Bearer ${tokenOfBytes(TOKEN_BYTES_MAX - 8)}` },
  { rule: 'alg none', refused: unsigned(user()), reason: /not a signed JSON web token/ },
  { rule: 'alg none with a signature', refused: unsigned(user(), signed(user()).split('.')[2]), reason: /algorithm 'RS256'/ },
  { rule: 'HS256 with the public key as secret', refused: hmacWithPublicKey(), reason: /algorithm 'RS256'/ },
  { rule: 'RS512', refused: `Bearer ${signed(user(), header({ alg: 'RS512' }), ours, 'sha512')}`, reason: /algorithm 'RS256'/ },
  { rule: 'RS256 named, SHA-512 signed', refused: `Bearer ${signed(user(), header(), ours, 'sha512')}`, reason: /signature .* not valid/ },
  headRow('alg in lower case', { alg: 'rs256' }, /algorithm 'RS256'/),
  { rule: 'an embedded key that signed it', refused: bearer(user(), header({ jwk: foreign.publicKey.export({ format: 'jwk' }) }), foreign), reason: /header 'jwk'/ },
  headRow('jwk', { jwk: ours.publicKey.export({ format: 'jwk' }) }, /header 'jwk'/),
  headRow('jku', { jku: 'https://login.test/keys' }, /header 'jku'/),
  headRow('x5u', { x5u: 'https://login.test/keys' }, /header 'x5u'/),
  headRow('x5c', { x5c: [] }, /header 'x5c'/),
  headRow('crit', { crit: ['b64'], b64: true }, /header 'crit'/),
  headRow('crit, empty', { crit: [] }, /header 'crit'/),
  headRow('another type', { typ: 'refresh+jwt' }, /type 'JWT'/),
  headRow('no type', { typ: undefined }, /type 'JWT'/),
  headRow('no kid', { kid: undefined }, /name its signing key/),
  headRow("a kid that is nobody's", { kid: 'other' }, /key that the tenant does not publish/),
  { rule: 'a forged signature', refused: bearer(user(), header(), foreign), reason: /signature .* not valid/ },
  { rule: 'claims changed after signing', refused: tampered(), reason: /signature .* not valid/ },
  { rule: 'claims that are a list', refused: bearer([user()]), reason: /no claims/ },
  claimsRow('the wrong issuer', { iss: `https://sts.windows.net/${OTHER_TENANT}/` }, /wrong issuer/),
  claimsRow('an issuer that is almost right', { iss: `https://sts.windows.net/${TENANT}` }, /wrong issuer/),
  claimsRow('issuers in a list', { iss: [`https://sts.windows.net/${TENANT}/`] }, /wrong issuer/),
  claimsRow('the wrong issuer of version 2', { ...v2, iss: `https://login.microsoftonline.com/${OTHER_TENANT}/v2.0` }, /wrong issuer/, v2),
  claimsRow('no issuer', { iss: undefined }, /wrong issuer/),
  claimsRow('the wrong tenant', { tid: OTHER_TENANT }, /wrong tenant/),
  claimsRow('no tenant', { tid: undefined }, /wrong tenant/),
  claimsRow("another service's audience", { aud: 'https://graph.microsoft.com' }, /wrong audience/),
  claimsRow("the other plane's audience", { aud: HSM }, /wrong audience/),
  claimsRow('an audience that begins right', { aud: `${CONTROL}.evil.test` }, /wrong audience/),
  claimsRow('an audience with two slashes', { aud: `${CONTROL}//` }, /wrong audience/, { aud: `${CONTROL}/` }),
  claimsRow('audiences in a list', { aud: [CONTROL] }, /wrong audience/),
  claimsRow('no audience', { aud: undefined }, /wrong audience/),
  claimsRow('expired', { exp: NOW - 60 }, /has expired/, { exp: NOW - 59 }),
  claimsRow('not valid yet', { nbf: NOW + 61 }, /not valid yet/, { nbf: NOW + 60 }),
  claimsRow('exp as text', { exp: String(NOW + 3600) }, /by numbers/),
  claimsRow('exp beyond numbers', { exp: null }, /by numbers/),
  claimsRow('no exp', { exp: undefined }, /by numbers/),
  claimsRow('nbf as text', { nbf: String(NOW) }, /by numbers/),
  claimsRow('no nbf', { nbf: undefined }, /by numbers/),
  claimsRow('an oid that is no GUID', { oid: 'owner@local.test' }, /'oid' must be a GUID/),
  claimsRow('no oid, but a sub', { oid: undefined, sub: OBJECT_ID }, /'oid' must be a GUID/),
  claimsRow('no client application', { appid: undefined }, /'appid' and 'azp'/, { appid: undefined, azp: APPLICATION }),
  claimsRow('an ID token of the same registration', { scp: undefined }, /no access token/),
  claimsRow('an empty scp', { scp: '' }, /no access token/),
  claimsRow('an application that does not say so', { ...app, idtyp: undefined }, /no access token/, app),
  claimsRow('a device', { idtyp: 'device' }, /no access token/, { idtyp: 'user' }),
  claimsRow('an application with scopes of a user', { idtyp: 'app' }, /no access token/),
];

describe('forged tokens, one difference each', () => {
  test.each(rows)('$rule', async ({ refused, reason, accepted }) => {
    const { authenticate } = given();
    await authenticate(bearer(), 'control'); // the keys are there: what follows is refused for itself
    const refusal = await outcome(authenticate(refused, 'control'));
    expect(refusal).toMatch(/^401 Authentication failed\. /);
    expect(refusal).toMatch(reason);
    expect(await outcome(authenticate(accepted ?? bearer(), 'control'))).toBe('let in');
  });

  test('the wrong tenant is refused although one signature serves all tenants', async () => {
    const { authenticate } = given();
    const claims = { tid: OTHER_TENANT, iss: `https://sts.windows.net/${OTHER_TENANT}/` };
    expect(await outcome(authenticate(bearer(user(claims)), 'control'))).toMatch(/^401 .*wrong issuer/);
  });

  test.each<[Plane, string, Plane]>([
    ['control', CONTROL, 'hsm'],
    ['hsm', HSM, 'control'],
  ])('a token of plane %s enters it, and not the other', async (plane, aud, other) => {
    const { authenticate } = given();
    expect(await outcome(authenticate(bearer(user({ aud })), plane))).toBe('let in');
    expect(await outcome(authenticate(bearer(user({ aud })), other))).toMatch(/wrong audience/);
  });

  test('an audience is accepted with and without a slash, whichever way it is configured', async () => {
    const { authenticate } = given(undefined, { audiences: { control: [`${CONTROL}/`], hsm: [HSM] } });
    expect(await outcome(authenticate(bearer(user({ aud: CONTROL })), 'control'))).toBe('let in');
    expect(await outcome(authenticate(bearer(user({ aud: `${CONTROL}/` })), 'control'))).toBe('let in');
  });

  test('every reason may stand between quotes in a header', async () => {
    const { authenticate } = given();
    for (const { refused } of rows) expect(await outcome(authenticate(refused, 'control'))).toMatch(/^[ !#-[\]-~]+$/);
  });

  test('a refusal does not quote the token', async () => {
    const { authenticate } = given();
    for (const { refused } of rows) {
      const token = refused?.split(' ').at(-1) ?? '';
      const pieces = token.split('.').filter((piece) => piece.length > 8);
      const refusal = await outcome(authenticate(refused, 'control'));
      for (const piece of pieces) expect(refusal).not.toContain(piece);
    }
  });
});

describe('the caller', () => {
  const callerOf = (claims: Claims) => given().authenticate(bearer(user(claims)), 'control');

  test('is a user, by oid', async () => {
    expect(await callerOf({ oid: OBJECT_ID.toUpperCase() })).toEqual({ objectId: OBJECT_ID, groups: [], groupsLeftOut: false, kind: 'User', displayName: 'owner@local.test' });
  });

  test('is an application, by the oid of its service principal', async () => {
    expect(await callerOf(app)).toEqual({ objectId: OBJECT_ID, groups: [], groupsLeftOut: false, kind: 'Application', displayName: APPLICATION });
  });

  test.each<[string, Claims, string]>([
    ['upn', {}, 'owner@local.test'],
    ['preferred_username', { upn: undefined, preferred_username: 'second@local.test' }, 'second@local.test'],
    ['unique_name', { upn: undefined, unique_name: 'third@local.test' }, 'third@local.test'],
    ['nothing', { upn: undefined }, OBJECT_ID],
  ])('is shown by %s', async (_, claims, shown) => {
    expect((await callerOf(claims)).displayName).toBe(shown);
  });

  test('has the groups of the token, in lower case, those that are GUIDs', async () => {
    expect(await callerOf({ groups: [GROUP.toUpperCase(), 'Administrators', 7, OTHER_GROUP] })).toMatchObject({ groups: [GROUP, OTHER_GROUP], groupsLeftOut: false });
  });

  test.each<[string, Claims]>([
    ['_claim_names', { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://graph.test' } } }],
    ['hasgroups', { hasgroups: true }],
    ['hasgroups as text', { hasgroups: 'true' }],
  ])('has no groups when the token leaves them out: %s', async (_, claims) => {
    expect(await callerOf({ ...claims, groups: [GROUP] })).toMatchObject({ groups: [], groupsLeftOut: true });
  });

  test.each<[string, Claims]>([
    ['other claims elsewhere', { _claim_names: { roles: 'src1' } }],
    ['hasgroups false', { hasgroups: false }],
  ])('keeps its groups beside %s', async (_, claims) => {
    expect(await callerOf({ ...claims, groups: [GROUP] })).toMatchObject({ groups: [GROUP], groupsLeftOut: false });
  });
});

describe("the tenant's signing keys", () => {
  const withNextKey = bearer(user(), header({ kid: 'next' }), next);
  const withUnknownKey = bearer(user(), header({ kid: 'unknown' }), foreign);
  /** Long enough for any of the clocks of these tests. */
  const lasting = (kid = 'ours', pair = ours): string => bearer(user({ exp: NOW + 10 * 86_400 }), header({ kid }), pair);

  test('are fetched once, from the set address, for all that wait', async () => {
    const { world, authenticate } = given();
    let publish: (answer: Response) => void = () => undefined;
    world.answer = () => new Promise((resolve) => (publish = resolve));
    const waiting = [1, 2, 3].map(() => outcome(authenticate(bearer(), 'control')));
    publish(Response.json({ keys: [jwk(ours, 'ours')] }));
    expect(await Promise.all(waiting)).toEqual(['let in', 'let in', 'let in']);
    expect(world).toMatchObject({ fetches: 1, asked: 'https://login.test/keys' });
  });

  test('are not asked for by a token that is refused for its form', async () => {
    const { world, authenticate } = given();
    for (const bad of [undefined, 'Basic x', `Bearer ${tokenOfBytes(TOKEN_BYTES_MAX + 1)}`, bearer(user(), header({ jku: 'https://evil.test' }))])
      await outcome(authenticate(bad, 'control'));
    expect(world.fetches).toBe(0);
    await authenticate(bearer(), 'control');
    expect(world.fetches).toBe(1);
  });

  test('an unknown kid fetches again, at most once a minute', async () => {
    const { world, authenticate } = given();
    await authenticate(bearer(), 'control');
    world.answer = publishing(jwk(ours, 'ours'), jwk(next, 'next'));
    world.nowMs += MINUTE_MS - 1;
    expect(await outcome(authenticate(withNextKey, 'control'))).toMatch(/^401 .*does not publish/);
    expect(world.fetches).toBe(1);
    world.nowMs += 1;
    expect(await outcome(authenticate(withNextKey, 'control'))).toBe('let in');
    expect(world.fetches).toBe(2);
    world.nowMs += MINUTE_MS;
    for (let i = 0; i < 5; i++) expect(await outcome(authenticate(withUnknownKey, 'control'))).toMatch(/^401 .*does not publish/);
    expect(world.fetches).toBe(3);
  });

  test('are fetched anew every hour, and a withdrawn key is refused from then on', async () => {
    const { world, authenticate } = given();
    await authenticate(lasting(), 'control');
    world.answer = publishing(jwk(next, 'next'));
    world.nowMs += HOUR_MS - 1;
    expect(await outcome(authenticate(lasting(), 'control'))).toBe('let in');
    expect(world.fetches).toBe(1);
    world.nowMs += 1;
    expect(await outcome(authenticate(lasting(), 'control'))).toMatch(/^401 .*does not publish/);
    expect(world.fetches).toBe(2);
  });

  const brokenAnswers: readonly [string, Answer][] = [
    ['no answer', outage],
    ['an error', async () => new Response('{}', { status: 500 })],
    ['a set under an error', async () => Response.json({ keys: [jwk(ours, 'ours')] }, { status: 404 })],
    ['no JSON', async () => new Response('<html>')],
    ['no set', async () => Response.json([])],
    ['an empty set', publishing()],
    ['a set of other keys', publishing(jwk(ours, 'ours', { use: 'enc' }), jwk(ours, 'ours', { alg: 'RS512' }), { kty: 'oct', kid: 'ours', k: 'AAAA' }, 'ours', null)],
  ];

  test.each(brokenAnswers)('outage without last good keys is 503 with Retry-After: %s', async (_, answer) => {
    const { world, authenticate } = given(answer);
    await expect(authenticate(bearer(), 'control')).rejects.toMatchObject({ error: 'Unavailable', status: 503, retryAfterSeconds: 5 });
    world.answer = publishing(jwk(ours, 'ours'));
    world.nowMs += 4_999;
    expect(await outcome(authenticate(bearer(), 'control'))).toMatch(/^503 /);
    expect(world.fetches).toBe(1);
    world.nowMs += 1;
    expect(await outcome(authenticate(bearer(), 'control'))).toBe('let in');
  });

  test.each(brokenAnswers)('outage with last good keys: they serve for 24 hours, and no longer: %s', async (_, answer) => {
    const { world, authenticate } = given();
    await authenticate(lasting(), 'control');
    const fetchedAtMs = world.nowMs;
    world.answer = answer;
    world.nowMs = fetchedAtMs + 24 * HOUR_MS - 1;
    expect(await outcome(authenticate(lasting(), 'control'))).toBe('let in');
    expect(await outcome(authenticate(lasting('next', next), 'control'))).toMatch(/^503 /);
    expect(world.fetches).toBe(2);
    world.nowMs = fetchedAtMs + 24 * HOUR_MS;
    expect(await outcome(authenticate(lasting(), 'control'))).toMatch(/^503 /);
    world.answer = publishing(jwk(ours, 'ours'));
    world.nowMs += 5_000;
    expect(await outcome(authenticate(lasting(), 'control'))).toBe('let in');
  });

  test('a wall clock that was set back makes them old, not young', async () => {
    const { world, authenticate } = given();
    await authenticate(lasting(), 'control');
    world.nowMs -= 2;
    world.answer = publishing(jwk(next, 'next'));
    expect(await outcome(authenticate(lasting(), 'control'))).toMatch(/^401 .*does not publish/);
    expect(world.fetches).toBe(2);
  });

  test('one that cannot be used does not spoil the others', async () => {
    const { authenticate } = given(publishing({ kty: 'RSA', kid: 'broken', n: 7, e: 'AQAB' }, jwk(keyPair(1024), 'short'), jwk(ours, 'ours')));
    expect(await outcome(authenticate(bearer(), 'control'))).toBe('let in');
  });

  test('a key under 2048 bits signs nothing', async () => {
    const short = keyPair(1024);
    const { authenticate } = given(publishing(jwk(short, 'short'), jwk(ours, 'ours')));
    expect(await outcome(authenticate(bearer(user(), header({ kid: 'short' }), short), 'control'))).toMatch(/signature .* not valid/);
    expect(await outcome(authenticate(bearer(), 'control'))).toBe('let in');
  });

  test('a fetch is given up after 5 s', async () => {
    const limit = new AbortController();
    const timeout = jest.spyOn(AbortSignal, 'timeout').mockReturnValue(limit.signal);
    const { port, close, requested } = await keyServer((answer) => answer.writeHead(200)); // headers, never a body
    try {
      const { authenticate } = given(undefined, { jwksUri: `http://127.0.0.1:${port}/keys`, fetch: globalThis.fetch });
      const waiting = outcome(authenticate(bearer(), 'control'));
      await requested;
      limit.abort();
      expect(await waiting).toMatch(/^503 /);
      expect(timeout).toHaveBeenCalledWith(5_000);
    } finally {
      timeout.mockRestore();
      await close();
    }
  });

  test('come over HTTP from the set address, and from nowhere that it points to', async () => {
    const body = JSON.stringify({ keys: [jwk(ours, 'ours')] });
    const server = await keyServer((answer, path) => (path === '/moved' ? answer.writeHead(302, { location: '/keys' }).end() : answer.end(body)));
    const at = (path: string) => given(undefined, { jwksUri: `http://127.0.0.1:${server.port}${path}`, fetch: globalThis.fetch });
    try {
      expect(await outcome(at('/keys').authenticate(bearer(), 'control'))).toBe('let in');
      expect(await outcome(at('/moved').authenticate(bearer(), 'control'))).toMatch(/^503 /);
    } finally {
      await server.close();
    }
  });
});

/** A key address on an ephemeral port. `requested` resolves at its first request, once it was handled. */
async function keyServer(handle: (answer: import('node:http').ServerResponse, path: string | undefined) => unknown) {
  let seen: () => void = () => undefined;
  const requested = new Promise<void>((resolve) => (seen = resolve));
  const server = createServer((request, answer) => {
    handle(answer, request.url);
    answer.flushHeaders();
    seen();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { port: (server.address() as AddressInfo).port, requested, close };
}
