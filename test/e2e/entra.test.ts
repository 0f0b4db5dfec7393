// The local tenant as clients meet it: discovery, keys, tokens and Graph look-ups over HTTP, and its refusals, each beside the request that differs in one thing and is served.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { startEntra } from '../../local/entra';
import { objectIdsOf, seedDirectory } from '../../local/principals';
import { openSigningKey } from '../../local/signingKey';
import { AZ_CLIENT_ID, mintToken, testSigningKey } from '../kit/tokens';

const TENANT = '11111111-1111-4111-8111-111111111111';
const HSM = 'https://managedhsm.azure.net';
const directory = seedDirectory(TENANT);
const tenant = { tenantId: TENANT, directory };
const named = (name: string) => directory.principals.filter((one) => one.name === name)[0] as NonNullable<(typeof directory.principals)[0]>;

type Reply = { readonly status: number; readonly body: Record<string, unknown> };

let entra: Awaited<ReturnType<typeof startEntra>>;
beforeAll(async () => (entra = await startEntra({ ...tenant, signingKey: await testSigningKey() })));
afterAll(() => entra.stop());

const call = (host: string, method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port: entra.port, method, path, headers: { host, ...headers } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) }));
    });
    sent.on('error', reject).end(body);
  });
const login = (method: string, path: string, form?: Record<string, string>) => call('login.microsoftonline.com', method, path, form && new URLSearchParams(form).toString());
const graph = (method: string, path: string, token: string, body?: unknown) =>
  call('graph.microsoft.com', method, `/v1.0${path}`, body === undefined ? undefined : JSON.stringify(body), { authorization: `Bearer ${token}` });

const tokenPath = `/${TENANT}/oauth2/v2.0/token`;
const secretForm = (client: string, audience = HSM) => ({
  grant_type: 'client_credentials',
  client_id: client,
  client_secret: 'any',
  scope: `${audience}/.default`,
  client_info: '1',
});
const passwordForm = {
  grant_type: 'password',
  client_id: AZ_CLIENT_ID,
  username: 'owner@local.test',
  password: 'any',
  client_info: '1',
  scope: `https://management.core.windows.net//.default offline_access openid profile`,
};
const claimsOf = (reply: Reply, member = 'access_token') => decodeJwt(reply.body[member] as string);

describe('discovery', () => {
  test.each([TENANT, TENANT.toUpperCase(), 'common', 'organizations', 'local.test'])('%s names the one tenant', async (name) => {
    const { status, body } = await login('GET', `/${name}/v2.0/.well-known/openid-configuration`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
      token_endpoint: `https://login.microsoftonline.com${tokenPath}`,
      jwks_uri: `https://login.microsoftonline.com/${TENANT}/discovery/v2.0/keys`,
    });
  });

  test('another tenant is not found', async () => {
    const { status, body } = await login('GET', '/22222222-2222-4222-8222-222222222222/v2.0/.well-known/openid-configuration');
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: 'invalid_request', error_codes: [90002] });
  });

  test('instance discovery and user realm answer what MSAL asks', async () => {
    const instance = await login('GET', '/common/discovery/instance?api-version=1.1&authorization_endpoint=https://login.microsoftonline.com/common/oauth2/authorize');
    expect(instance.body).toMatchObject({ tenant_discovery_endpoint: expect.stringContaining(TENANT), metadata: [{ preferred_network: 'login.microsoftonline.com' }] });
    expect((await login('GET', '/common/userrealm/owner@local.test?api-version=1.0')).body).toMatchObject({ account_type: 'Managed', domain_name: 'local.test' });
    expect((await login('GET', '/common/userrealm/owner@contoso.com?api-version=1.0')).body).toMatchObject({ account_type: 'Unknown' });
  });

  test('the keys show the public half only', async () => {
    const { body } = await login('GET', `/${TENANT}/discovery/v2.0/keys`);
    expect(body).toEqual({ keys: [{ kty: 'RSA', use: 'sig', alg: 'RS256', kid: expect.any(String), n: expect.any(String), e: 'AQAB' }] });
  });

  test('a host of nobody is misdirected; loopback is the login host', async () => {
    expect((await call('evil.example', 'GET', `/${TENANT}/discovery/v2.0/keys`)).status).toBe(421);
    expect((await call(`127.0.0.1:${entra.port}`, 'GET', `/${TENANT}/discovery/v2.0/keys`)).status).toBe(200);
  });
});

describe('tokens', () => {
  test('an application gets one that the published keys verify, with what an app token carries', async () => {
    const reply = await login('POST', `${tokenPath}?client-request-id=00000000-0000-4000-8000-000000000000`, secretForm(named('officer').clientId));
    expect(reply).toMatchObject({ status: 200, body: { token_type: 'Bearer', expires_in: 3599 } });
    const keys = createRemoteJWKSet(new URL(`http://127.0.0.1:${entra.port}/${TENANT}/discovery/v2.0/keys`));
    const { payload, protectedHeader } = await jwtVerify(reply.body.access_token as string, keys, {
      audience: HSM,
      issuer: `https://sts.windows.net/${TENANT}/`,
      algorithms: ['RS256'],
    });
    expect(protectedHeader).toMatchObject({ typ: 'JWT', alg: 'RS256' });
    expect(payload).toMatchObject({ tid: TENANT, oid: named('officer').servicePrincipalId, appid: named('officer').clientId, idtyp: 'app', ver: '1.0' });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(3600);
    for (const absent of ['scp', 'upn', 'groups', 'azp']) expect(payload).not.toHaveProperty(absent);
    for (const absent of ['refresh_token', 'id_token', 'client_info']) expect(reply.body).not.toHaveProperty(absent);
  });

  test.each([
    ['https://management.core.windows.net/', 'https://sts.windows.net/'],
    ['https://management.core.windows.net', 'https://sts.windows.net/'],
    ['https://management.azure.com', 'https://sts.windows.net/'],
    ['https://management.azure.com/', 'https://sts.windows.net/'],
    ['https://graph.microsoft.com/', 'https://sts.windows.net/'],
    ['api://hsm.contoso.com', 'https://login.microsoftonline.com/'],
  ])('the audience is the scope without /.default, byte for byte: %s, issued by %s', async (audience, issuer) => {
    const claims = claimsOf(await login('POST', tokenPath, secretForm('owner', audience)));
    expect(claims.aud).toBe(audience);
    expect(claims.iss?.startsWith(issuer)).toBe(true);
  });

  test('an application registration gets version 2: azp in place of appid', async () => {
    const claims = claimsOf(await login('POST', tokenPath, secretForm('owner', 'api://hsm.contoso.com')));
    expect(claims).toMatchObject({ ver: '2.0', azp: named('owner').clientId, iss: `https://login.microsoftonline.com/${TENANT}/v2.0` });
    expect(claims).not.toHaveProperty('appid');
  });

  test('a user gets scp and upn, and what az keeps of an account', async () => {
    const reply = await login('POST', '/organizations/oauth2/v2.0/token', passwordForm);
    const claims = claimsOf(reply);
    expect(claims).toMatchObject({
      aud: 'https://management.core.windows.net/',
      oid: named('owner').userId,
      appid: AZ_CLIENT_ID,
      scp: 'user_impersonation',
      upn: 'owner@local.test',
    });
    expect(claims).not.toHaveProperty('idtyp');
    expect(claimsOf(reply, 'id_token')).toMatchObject({ aud: AZ_CLIENT_ID, iss: `https://login.microsoftonline.com/${TENANT}/v2.0`, preferred_username: 'owner@local.test' });
    expect(JSON.parse(Buffer.from(reply.body.client_info as string, 'base64url').toString())).toEqual({ uid: named('owner').userId, utid: TENANT });
  });

  test('a member of a group carries it, as user and as application', async () => {
    const [auditors] = directory.groups;
    expect(claimsOf(await login('POST', tokenPath, secretForm('auditor'))).groups).toEqual([auditors?.id]);
    expect(claimsOf(await login('POST', tokenPath, { ...passwordForm, username: 'auditor@local.test' })).groups).toEqual([auditors?.id]);
  });

  test('a refresh token buys a token for another resource, for its own client only', async () => {
    const first = await login('POST', tokenPath, passwordForm);
    const refresh = { grant_type: 'refresh_token', client_id: AZ_CLIENT_ID, refresh_token: first.body.refresh_token as string, scope: `${HSM}/.default offline_access openid` };
    expect(claimsOf(await login('POST', tokenPath, refresh))).toMatchObject({ aud: HSM, oid: named('owner').userId });
    const refused = [
      { client_id: named('owner').clientId },
      { refresh_token: first.body.access_token as string },
      { refresh_token: first.body.id_token as string },
      { refresh_token: 'x' },
    ];
    for (const difference of refused) expect((await login('POST', tokenPath, { ...refresh, ...difference })).body).toMatchObject({ error: 'invalid_grant', error_codes: [70000] });
  });

  test('a refresh token is no bearer token', async () => {
    const { body } = await login('POST', tokenPath, { ...passwordForm, scope: 'https://graph.microsoft.com/.default offline_access' });
    expect((await graph('GET', '/me', body.access_token as string)).status).toBe(200);
    expect((await graph('GET', '/me', body.refresh_token as string)).status).toBe(401);
  });

  test('a key in the data folder outlives a restart, readable by its owner only', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'entra-'));
    const first = await openSigningKey(dataDir);
    expect((await openSigningKey(dataDir)).kid).toBe(first.kid);
    expect(statSync(join(dataDir, 'entra-signing-key.pem')).mode & 0o777).toBe(0o600);
    rmSync(dataDir, { recursive: true });
  });
});

describe('refusals of the token endpoint, each with its accepted twin', () => {
  const secret = secretForm('owner');
  const without = (form: Record<string, string>, name: string) => Object.fromEntries(Object.entries(form).filter(([key]) => key !== name));
  test.each([
    ['an unknown application', { ...secret, client_id: '00000000-0000-4000-8000-00000000dead' }, secret, 'unauthorized_client', 700016],
    ['no secret', without(secret, 'client_secret'), secret, 'invalid_client', 7000218],
    ['no client id', without(secret, 'client_id'), secret, 'invalid_request', 900144],
    ['no scope', without(secret, 'scope'), secret, 'invalid_scope', 70011],
    ['a scope that is no path', { ...secret, scope: '.default' }, secret, 'invalid_scope', 70011],
    ['two resources', { ...secret, scope: `${HSM}/.default https://graph.microsoft.com/.default` }, secret, 'invalid_request', 28000],
    ['an unknown user', { ...passwordForm, username: 'mallory@local.test' }, passwordForm, 'invalid_grant', 50034],
    ['an unknown grant', { ...secret, grant_type: 'authorization_code' }, secret, 'unsupported_grant_type', 70003],
  ])('%s', async (_what, form, twin, error, code) => {
    expect((await login('POST', tokenPath, twin)).status).toBe(200);
    const { status, body } = await login('POST', tokenPath, form);
    expect(status).toBe(400);
    expect(body).toMatchObject({ error, error_codes: [code], error_description: expect.stringMatching(new RegExp(`^AADSTS${code}: .* Trace ID: .* Timestamp: .*Z$`)) });
  });

  test('a body over the limit is 413; one at it is read', async () => {
    const padded = (bytes: number) => ({ ...secret, pad: 'x'.repeat(bytes - new URLSearchParams({ ...secret, pad: '' }).toString().length) });
    expect((await login('POST', tokenPath, padded(65_536))).status).toBe(200);
    expect((await login('POST', tokenPath, padded(65_537))).status).toBe(413);
  });
});

describe('Graph', () => {
  const tokenOf = async (principal: string, kind: 'user' | 'application', audience = 'https://graph.microsoft.com/') =>
    mintToken(tenant, await testSigningKey(), { principal, kind, audience });

  test('me is the user; an application has none', async () => {
    expect(await graph('GET', '/me', await tokenOf('officer', 'user'))).toMatchObject({
      status: 200,
      body: { id: named('officer').userId, userPrincipalName: 'officer@local.test' },
    });
    expect((await graph('GET', '/me', await tokenOf('officer', 'application'))).status).toBe(400);
  });

  test('a user by name, an application by client id, as az encodes the filters', async () => {
    const token = await tokenOf('owner', 'application');
    const byName = await graph('GET', `/users?$filter=userPrincipalName%20eq%20%27user%40local.test%27`, token);
    expect(byName.body.value).toEqual([expect.objectContaining({ '@odata.type': '#microsoft.graph.user', id: named('user').userId })]);
    const byClient = await graph('GET', `/servicePrincipals?$filter=servicePrincipalNames%2Fany%28c%3Ac%20eq%20%27${named('user').clientId}%27%29`, token);
    expect(byClient.body.value).toEqual([expect.objectContaining({ id: named('user').servicePrincipalId, appId: named('user').clientId })]);
    expect((await graph('GET', `/users?$filter=userPrincipalName%20eq%20%27o%27%27hara%40local.test%27`, token)).body.value).toEqual([]);
    expect((await graph('GET', `/users?$filter=startswith(displayName,%27u%27)`, token)).status).toBe(400);
    expect(await graph('GET', `/users/${named('user').userId}`, token)).toMatchObject({ status: 200, body: { displayName: 'user' } });
    expect((await graph('GET', `/users/${named('user').servicePrincipalId}`, token)).status).toBe(404);
  });

  test('object ids of users, applications and groups are turned back into names; unknown ones are left out', async () => {
    const token = await tokenOf('owner', 'application');
    const [auditors] = directory.groups;
    const ids = [...objectIdsOf(directory, 'user'), auditors?.id, '00000000-0000-4000-8000-00000000dead'];
    const { body } = await graph('POST', '/directoryObjects/getByIds', token, { ids, types: ['user', 'group', 'servicePrincipal', 'directoryObjectPartnerReference'] });
    expect((body.value as { displayName: string }[]).map((one) => one.displayName)).toEqual(['user', 'user', 'auditors']);
    expect((await graph('POST', '/directoryObjects/getByIds', token, { ids, types: ['group'] })).body.value).toHaveLength(1);
    expect((await graph('POST', '/directoryObjects/getByIds', token, { ids: 'x' })).status).toBe(400);
  });

  test('a token for another resource, an expired one and none at all are refused', async () => {
    const key = await testSigningKey();
    const good = { principal: 'owner', audience: 'https://graph.microsoft.com' } as const;
    const past = Math.floor(Date.now() / 1000) - 7200;
    expect((await graph('GET', '/users', mintToken(tenant, key, good))).status).toBe(200);
    for (const token of [
      '',
      mintToken(tenant, key, { ...good, audience: HSM }),
      mintToken(tenant, key, { ...good, now: past }),
      mintToken(tenant, key, { ...good, alg: 'HS256' }),
    ]) {
      expect((await graph('GET', '/users', token)).status).toBe(401);
    }
  });

  test('/tenants of the management host names the one tenant to a token for it', async () => {
    const ask = async (audience: string) =>
      call('management.azure.com', 'GET', '/tenants?api-version=2022-12-01', undefined, { authorization: `Bearer ${await tokenOf('owner', 'user', audience)}` });
    expect(await ask('https://management.core.windows.net/')).toMatchObject({ status: 200, body: { value: [{ id: `/tenants/${TENANT}`, tenantId: TENANT }] } });
    expect((await ask(HSM)).status).toBe(401);
  });
});
