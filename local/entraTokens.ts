// What the local tenant's tokens say, claim by claim, and their signing. Who may have one is decided in entraGrants.
import { randomBytes } from 'node:crypto';
import { type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { type Directory, groupIdsOf, type Identity, objectIdOf, upnOf } from './principals';
import type { SigningKey } from './signingKey';

export const LOGIN_HOST = 'login.microsoftonline.com';
export const TOKEN_SECONDS = 3600;
const REFRESH_TOKEN_SECONDS = 90 * 86_400;
const REFRESH_TOKEN_TYPE = 'refresh+jwt';

/** Above so many groups the real service lists none and says so by `_claim_names`. */
const GROUPS_MAX = 200;

export type Tenant = { readonly tenantId: string; readonly directory: Directory };

/** Seconds since the epoch, by the wall clock: a token's life has nothing to do with the development clock. */
export type Seconds = number;

/** The issuer of version 1.0 access tokens: what every resource of Microsoft's own that is met here asks for, whichever endpoint issues them. */
const v1Issuer = (tenantId: string): string => `https://sts.windows.net/${tenantId}/`;

/** The issuer of id tokens, and of the access tokens of an application registration that asks for version 2. */
export const v2Issuer = (tenantId: string): string => `https://${LOGIN_HOST}/${tenantId}/v2.0`;

/** `GUID` or `api://…` is an application registration of the tenant; an address is a resource of Microsoft's own. */
const isRegistration = (audience: string): boolean => !audience.startsWith('https://');

/**
 * The claims of an access token, as Entra sets them for that audience. `clientId` is the application that asked: for an application itself, its own.
 * Version 1.0: `appid`, `upn`; version 2.0: `azp`, `preferred_username`.
 */
export function accessClaims({ tenantId, directory }: Tenant, identity: Identity, clientId: string, audience: string, now: Seconds): JWTPayload {
  const second = isRegistration(audience);
  const user = identity.kind === 'user';
  const groups = groupIdsOf(directory, identity.principal);
  return {
    aud: audience,
    iss: second ? v2Issuer(tenantId) : v1Issuer(tenantId),
    iat: now,
    nbf: now,
    exp: now + TOKEN_SECONDS,
    ...(second ? { azp: clientId, azpacr: user ? '0' : '1' } : { appid: clientId, appidacr: user ? '0' : '1' }),
    ...(groups.length > GROUPS_MAX ? { _claim_names: { groups: 'src1' } } : groups.length > 0 ? { groups } : {}),
    ...(user ? { scp: 'user_impersonation', name: identity.principal.name } : { idtyp: 'app' }),
    ...(user && second ? { preferred_username: upnOf(identity.principal) } : {}),
    ...(user && !second ? { upn: upnOf(identity.principal), unique_name: upnOf(identity.principal) } : {}),
    oid: objectIdOf(identity),
    sub: objectIdOf(identity),
    tid: tenantId,
    uti: randomBytes(16).toString('base64url'),
    ver: second ? '2.0' : '1.0',
  };
}

/** The claims of an id token: for the client itself, never for a resource. */
export const idClaims = ({ tenantId }: Tenant, identity: Identity, clientId: string, now: Seconds): JWTPayload => ({
  aud: clientId,
  iss: v2Issuer(tenantId),
  iat: now,
  nbf: now,
  exp: now + TOKEN_SECONDS,
  name: identity.principal.name,
  oid: objectIdOf(identity),
  preferred_username: upnOf(identity.principal),
  sub: objectIdOf(identity),
  tid: tenantId,
  ver: '2.0',
});

/** RS256, with the headers that Entra sets. */
export const signToken = (key: SigningKey, claims: JWTPayload, type = 'JWT'): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ typ: type, alg: 'RS256', kid: key.kid, x5t: key.kid }).sign(key.privateKey);

/** What a client may trade for new access tokens; it names the user and the client it was given to. */
export const signRefreshToken = (key: SigningKey, identity: Identity, clientId: string, now: Seconds): Promise<string> =>
  signToken(key, { oid: objectIdOf(identity), client: clientId, exp: now + REFRESH_TOKEN_SECONDS }, REFRESH_TOKEN_TYPE);

/** The user's object id in a refresh token of this client, or undefined if the token is not one, or has expired. */
export async function openRefreshToken(key: SigningKey, token: string, clientId: string, now: Seconds): Promise<string | undefined> {
  const claims = await verified(key, token, now, { typ: REFRESH_TOKEN_TYPE });
  return claims?.client === clientId && typeof claims.oid === 'string' ? claims.oid : undefined;
}

/** The object id in an access token of ours for one of the audiences, or undefined. */
export async function openAccessToken(key: SigningKey, token: string, audiences: readonly string[], now: Seconds): Promise<string | undefined> {
  const claims = await verified(key, token, now, { typ: 'JWT', audience: [...audiences] });
  return typeof claims?.oid === 'string' ? claims.oid : undefined;
}

const verified = (key: SigningKey, token: string, now: Seconds, want: { typ: string; audience?: string[] }): Promise<JWTPayload | undefined> =>
  jwtVerify(token, key.publicKey, { algorithms: ['RS256'], currentDate: new Date(now * 1000), ...want }).then(
    ({ payload }) => payload,
    () => undefined,
  );
