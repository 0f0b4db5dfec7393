// From an Authorization header to a Caller: an access token's form, signature and claims, and the tenant's signing keys that it is held against.
// What a caller may do is decided elsewhere; a good signature alone proves nothing, because all tenants share their signing keys.
import { compactVerify, decodeProtectedHeader, importJWK, type JWK, type KeyLike } from 'jose';
import type { Caller } from '../domain/armRoles';
import { refuse } from '../domain/errors';
import { guid } from '../domain/names';

/** Longer tokens are refused before anything of them is decoded. */
const TOKEN_BYTES_MAX = 16 * 1024;
/** How far a token's times and the wall clock of this host may disagree. */
const CLOCK_TOLERANCE_SECONDS = 60;
const FETCH_LIMIT_MS = 5_000;
/** Keys older than this are fetched again before they are relied on, so that a withdrawn key is soon gone. */
const KEYS_FRESH_MS = 60 * 60 * 1000;
/** While fresh ones cannot be had, the last good keys serve this long. */
const KEYS_KEPT_MS = 24 * 60 * 60 * 1000;
/** At most one fetch in this time, whatever tokens ask for. */
const FETCH_PAUSE_MS = 60_000;
/** Without any keys nobody gets in: tried sooner. No longer than the Retry-After of Unavailable. */
const FETCH_PAUSE_WITHOUT_KEYS_MS = 5_000;

const BEARER = /^bearer /i;
const COMPACT_FORM = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const TOKEN_TYPES: readonly unknown[] = ['jwt', 'at+jwt'];
/** Headers by which a token would bring its own key, or rules of its own. */
const REFUSED_HEADERS = ['jku', 'jwk', 'x5u', 'x5c', 'crit'] as const;

export type Plane = 'control' | 'hsm';

/** Milliseconds since the epoch, by the wall clock: the development offset has no say in who gets in. */
type WallClock = () => number;

type TokenOptions = {
  /** A GUID, lower case. */
  readonly tenantId: string;
  readonly jwksUri: string;
  /** Disjoint. Each is accepted with and without one slash at its end. */
  readonly audiences: { readonly [plane in Plane]: readonly string[] };
  readonly issuers?: readonly string[];
  readonly fetch?: typeof fetch;
  readonly wallClock?: WallClock;
};

type Claims = Readonly<Record<string, unknown>>;
type Key = KeyLike | Uint8Array;

/** The issuers of a tenant's access tokens: version 1.0 and version 2.0, and no others. */
const issuersOf = (tenantId: string): readonly string[] => [`https://sts.windows.net/${tenantId}/`, `https://login.microsoftonline.com/${tenantId}/v2.0`];

export function tokens(options: TokenOptions) {
  const { tenantId, jwksUri, issuers = issuersOf(tenantId), wallClock = Date.now } = options;
  const keys = signingKeys(jwksUri, options.fetch ?? fetch, wallClock);
  const audiences = { control: options.audiences.control.map(withoutSlash), hsm: options.audiences.hsm.map(withoutSlash) };

  /** The claims that say whom a token is from and for, and when. @throws AuthenticationFailed */
  function checkClaims(claims: Claims, plane: Plane): void {
    const now = wallClock() / 1000;
    const { iss, tid, aud, exp, nbf } = claims;
    if (!issuers.some((issuer) => issuer === iss)) throw failed(`The access token is from the wrong issuer. It must be one of ${quoted(issuers)}.`);
    if (tid !== tenantId) throw failed(`The access token is from the wrong tenant. It must be '${tenantId}'.`);
    if (typeof aud !== 'string' || !audiences[plane].includes(withoutSlash(aud)))
      throw failed(`The access token has been obtained for the wrong audience or resource. It must be one of ${quoted(audiences[plane])}.`);
    if (!isFiniteNumber(exp) || !isFiniteNumber(nbf)) throw failed("The access token must say by numbers until when ('exp') and from when ('nbf') it is valid.");
    if (now >= exp + CLOCK_TOLERANCE_SECONDS) throw failed('The access token has expired.');
    if (now < nbf - CLOCK_TOLERANCE_SECONDS) throw failed('The access token is not valid yet.');
  }

  return {
    /**
     * Whom a request is from.
     * @param authorization the Authorization header as it came
     * @throws AuthenticationFailed with a reason for the caller; Unavailable when the tenant's signing keys cannot be had
     */
    async authenticate(authorization: string | undefined, plane: Plane): Promise<Caller> {
      const token = bearerToken(authorization);
      const key = await keys.find(keyIdOf(token));
      if (!key) throw failed('The access token is signed with a key that the tenant does not publish.');
      const claims = await verifiedClaims(token, key);
      checkClaims(claims, plane);
      return callerOf(claims);
    },
  };
}

/** The token of a header `Bearer {token}`: one scheme, in any case, one space, one token. */
function bearerToken(authorization: string | undefined): string {
  if (!authorization) throw failed("The 'Authorization' header is missing.");
  if (!BEARER.test(authorization)) throw failed("The 'Authorization' header is not of the form 'Bearer {access token}'.");
  const token = authorization.slice('Bearer '.length);
  if (token.length > TOKEN_BYTES_MAX) throw failed(`The access token is larger than ${TOKEN_BYTES_MAX} bytes.`);
  if (!COMPACT_FORM.test(token)) throw failed('The access token is not a signed JSON web token.');
  return token;
}

/** The key that a token's header names, once nothing in that header is out of the ordinary. */
function keyIdOf(token: string): string {
  const header = headerOf(token);
  if (header.alg !== 'RS256') throw failed("The access token must be signed by algorithm 'RS256'.");
  if (typeof header.typ !== 'string' || !TOKEN_TYPES.includes(header.typ.toLowerCase())) throw failed("The access token must be of type 'JWT'.");
  const refused = REFUSED_HEADERS.find((name) => Object.hasOwn(header, name));
  if (refused) throw failed(`The access token must not have the header '${refused}'.`);
  if (typeof header.kid !== 'string') throw failed("The access token must name its signing key ('kid').");
  return header.kid;
}

function headerOf(token: string): Readonly<Record<string, unknown>> {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw failed('The access token is not a signed JSON web token.');
  }
}

/** What the libraries say of a token that they refuse may quote it, and is dropped. */
async function verifiedClaims(token: string, key: Key): Promise<Claims> {
  const verified = await compactVerify(token, key, { algorithms: ['RS256'] }).catch(() => undefined);
  if (!verified) throw failed('The signature of the access token is not valid.');
  const claims = jsonObject(new TextDecoder().decode(verified.payload));
  if (!claims) throw failed('The access token has no claims.');
  return claims;
}

function jsonObject(text: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : undefined;
  } catch {
    return undefined;
  }
}

function callerOf(claims: Claims): Caller {
  const objectId = typeof claims.oid === 'string' ? guid(claims.oid) : undefined;
  if (objectId === undefined) throw failed("The access token does not name the caller: the claim 'oid' must be a GUID.");
  const application = firstText(claims.appid, claims.azp);
  if (application === undefined) throw failed("The access token does not name the client application: one of the claims 'appid' and 'azp' is needed.");
  const kind = kindOf(claims);
  const groupsLeftOut = leavesGroupsOut(claims);
  return {
    objectId,
    groups: groupsLeftOut ? [] : groupsOf(claims),
    groupsLeftOut,
    kind,
    displayName: kind === 'User' ? (firstText(claims.upn, claims.preferred_username, claims.unique_name) ?? objectId) : application,
  };
}

/** An access token of a user has scopes, that of an application says what it is; an ID token of the same registration does neither. */
function kindOf({ scp, idtyp }: Claims): Caller['kind'] {
  const hasScopes = firstText(scp) !== undefined;
  if (idtyp === 'app' && scp === undefined) return 'Application';
  if (hasScopes && (idtyp === undefined || idtyp === 'user')) return 'User';
  throw failed(
    "The token is no access token: one for a user has the claim 'scp', one for an application has 'idtyp' with value 'app' (an optional claim, to be switched on in the app registration of this service).",
  );
}

/** Members that are no GUIDs (a registration can be set to send names) match no principal, and are left aside. */
const groupsOf = ({ groups }: Claims): readonly string[] =>
  Array.isArray(groups) ? groups.map((group: unknown) => (typeof group === 'string' ? guid(group) : undefined)).filter((group) => group !== undefined) : [];

/** Above 200 groups (6 in an implicit flow) the issuer lists none and points elsewhere. */
const leavesGroupsOut = ({ _claim_names: elsewhere, hasgroups }: Claims): boolean =>
  hasgroups === true || hasgroups === 'true' || (typeof elsewhere === 'object' && elsewhere !== null && 'groups' in elsewhere);

/**
 * The tenant's signing keys, from its own address only. One fetch is in flight at a time; fresh keys are wanted every hour, and for a key that is not
 * known, but at most once a minute; when they cannot be had, the last good ones serve for 24 hours.
 */
function signingKeys(jwksUri: string, fetch: typeof globalThis.fetch, wallClock: WallClock) {
  let good: { readonly keys: ReadonlyMap<string, Key>; readonly at: number } | undefined;
  let last: { readonly at: number; readonly failed: boolean } | undefined;
  let inFlight: Promise<void> | undefined;

  /** A clock that was set back makes everything old, never young. */
  const age = (at: number): number => {
    const elapsed = wallClock() - at;
    return elapsed >= 0 ? elapsed : Number.POSITIVE_INFINITY;
  };

  const usable = (): ReadonlyMap<string, Key> | undefined => (good && age(good.at) < KEYS_KEPT_MS ? good.keys : undefined);

  async function fetchOnce(): Promise<void> {
    const at = wallClock();
    const keys = await fetchKeys(jwksUri, fetch);
    if (keys) good = { keys, at };
    last = { at, failed: !keys };
    inFlight = undefined;
  }

  /** Joins the fetch in flight, begins one, or, too soon after the last, leaves things as they are. */
  async function refresh(): Promise<void> {
    const pause = usable() ? FETCH_PAUSE_MS : FETCH_PAUSE_WITHOUT_KEYS_MS;
    if (!inFlight && last && age(last.at) < pause) return;
    inFlight ??= fetchOnce();
    await inFlight;
  }

  return {
    /** The key of that id; undefined when the tenant publishes none. @throws Unavailable when that cannot be known */
    async find(id: string): Promise<Key | undefined> {
      if (!good || age(good.at) >= KEYS_FRESH_MS || !good.keys.has(id)) await refresh();
      const key = usable()?.get(id);
      if (!key && (!last || last.failed)) throw refuse('Unavailable');
      return key;
    },
  };
}

/** The RSA keys for signatures at an address, by id. Undefined for any answer but a set with at least one. */
async function fetchKeys(jwksUri: string, fetch: typeof globalThis.fetch): Promise<ReadonlyMap<string, Key> | undefined> {
  try {
    const answer = await fetch(jwksUri, { headers: { accept: 'application/json' }, redirect: 'error', signal: AbortSignal.timeout(FETCH_LIMIT_MS) });
    if (answer.status !== 200) return undefined;
    const body = jsonObject(await answer.text());
    if (!Array.isArray(body?.keys)) return undefined;
    const keys = new Map((await Promise.all(body.keys.map(signingKey))).filter((entry) => entry !== undefined));
    return keys.size > 0 ? keys : undefined;
  } catch {
    return undefined;
  }
}

/** A published key with its id; one that is not for RS256 signatures, or cannot be read, does not spoil the others. */
async function signingKey(jwk: JWK): Promise<readonly [string, Key] | undefined> {
  try {
    const { kid, kty, use = 'sig', alg = 'RS256', n, e } = jwk;
    if (!kid || kty !== 'RSA' || use !== 'sig' || alg !== 'RS256' || n === undefined || e === undefined) return undefined;
    return [kid, await importJWK({ kty, n, e }, alg)];
  } catch {
    return undefined;
  }
}

const failed = (reason: string) => refuse('AuthenticationFailed', { reason });

const withoutSlash = (audience: string): string => audience.replace(/\/$/, '');

const quoted = (texts: readonly string[]): string => texts.map((text) => `'${text}'`).join(', ');

const isFiniteNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

const firstText = (...values: readonly unknown[]): string | undefined => values.find((value): value is string => typeof value === 'string' && value !== '');
