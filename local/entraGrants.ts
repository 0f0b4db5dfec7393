// The token endpoint of the local tenant: which request gets which tokens, and the service's own refusals. Any secret and any password is accepted; nothing of a request is kept or logged.
import { randomUUID } from 'node:crypto';
import { accessClaims, idClaims, openRefreshToken, type Seconds, signRefreshToken, signToken, type Tenant, TOKEN_SECONDS } from './entraTokens';
import { findApplication, findUser, type Identity, objectIdOf } from './principals';
import type { SigningKey } from './signingKey';

export type Answer = { readonly status: number; readonly body: unknown };

/** The form of a token request: names and values, decoded. */
export type TokenForm = ReadonlyMap<string, string>;

export type Issuer = Tenant & { readonly signingKey: SigningKey; readonly now: () => Seconds };

/** Scopes that ask for an id token, a refresh token or profile claims, and name no resource. */
const OPENID_SCOPES: ReadonlySet<string> = new Set(['openid', 'profile', 'offline_access', 'email']);

/** The resource of a request that names none. */
const DEFAULT_AUDIENCE = 'https://graph.microsoft.com';

/** What every refusal says, by the number of the service's own error. */
const refusals = {
  700016: {
    error: 'unauthorized_client',
    text: (client: string) =>
      `Application with identifier '${client}' was not found in the directory 'Local'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.`,
  },
  7000218: { error: 'invalid_client', text: () => "The request body must contain the following parameter: 'client_assertion' or 'client_secret'." },
  900144: { error: 'invalid_request', text: (name: string) => `The request body must contain the following parameter: '${name}'.` },
  50034: {
    error: 'invalid_grant',
    text: () => 'The user account {EUII Hidden} does not exist in the Local directory. To sign into this application, the account must be added to the directory.',
  },
  70000: { error: 'invalid_grant', text: () => "The provided value for the input parameter 'refresh_token' is not valid." },
  70003: { error: 'unsupported_grant_type', text: (grant: string) => `The app requested an unsupported grant type '${grant}'.` },
  70011: {
    error: 'invalid_scope',
    text: (scope: string) =>
      `The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope ${scope} is not valid.`,
  },
  28000: { error: 'invalid_request', text: () => 'Provided value for the input parameter scope is not valid because it contains more than one resource.' },
  90002: {
    error: 'invalid_request',
    text: (tenant: string) => `Tenant '${tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.`,
  },
} as const;

/** A refusal in the service's shape. `code` is the number after AADSTS. */
export function refused(code: keyof typeof refusals, detail: string, now: Seconds): Answer {
  const { error, text } = refusals[code];
  const [trace, correlation, timestamp] = [randomUUID(), randomUUID(), `${new Date(now * 1000).toISOString().slice(0, 19).replace('T', ' ')}Z`];
  return {
    status: 400,
    body: {
      error,
      error_description: `AADSTS${code}: ${text(detail)} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`,
      error_codes: [code],
      timestamp,
      trace_id: trace,
      correlation_id: correlation,
      error_uri: `https://login.microsoftonline.com/error?code=${code}`,
    },
  };
}

/** Answers POST …/oauth2/v2.0/token. Grants: client_credentials, password, refresh_token. */
export async function grantTokens(issuer: Issuer, form: TokenForm): Promise<Answer> {
  const now = issuer.now();
  const missing = ['grant_type', 'client_id'].find((name) => !form.get(name));
  if (missing) return refused(900144, missing, now);
  switch (form.get('grant_type')) {
    case 'client_credentials':
      return forApplication(issuer, form, now);
    case 'password':
      return forUser(issuer, form, now, findUser(issuer.directory, form.get('username') ?? ''), 50034);
    case 'refresh_token': {
      const userId = await openRefreshToken(issuer.signingKey, form.get('refresh_token') ?? '', clientOf(form), now);
      return forUser(
        issuer,
        form,
        now,
        issuer.directory.principals.find((one) => one.userId === userId),
        70000,
      );
    }
    default:
      return refused(70003, form.get('grant_type') ?? '', now);
  }
}

const clientOf = (form: TokenForm): string => form.get('client_id') ?? '';

async function forApplication(issuer: Issuer, form: TokenForm, now: Seconds): Promise<Answer> {
  const principal = findApplication(issuer.directory, clientOf(form));
  if (!principal) return refused(700016, clientOf(form), now);
  if (!form.get('client_secret') && !form.get('client_assertion')) return refused(7000218, '', now);
  const asked = audienceOf(form.get('scope'), now);
  if ('status' in asked) return asked;
  return { status: 200, body: await accessToken(issuer, { kind: 'application', principal }, principal.clientId, asked.audience, now) };
}

/** A public client of any id may sign a user in: az and the SDKs bring ids of Microsoft's own. */
async function forUser(issuer: Issuer, form: TokenForm, now: Seconds, principal: Identity['principal'] | undefined, unknown: 50034 | 70000): Promise<Answer> {
  if (!principal) return refused(unknown, '', now);
  const asked = audienceOf(form.get('scope'), now);
  if ('status' in asked) return asked;
  const identity: Identity = { kind: 'user', principal };
  const scopes = asked.scopes;
  return {
    status: 200,
    body: {
      ...(await accessToken(issuer, identity, clientOf(form), asked.audience, now)),
      scope: scopes.join(' '),
      ...(scopes.includes('offline_access') ? { refresh_token: await signRefreshToken(issuer.signingKey, identity, clientOf(form), now) } : {}),
      ...(scopes.includes('openid') ? { id_token: await signToken(issuer.signingKey, idClaims(issuer, identity, clientOf(form), now)) } : {}),
      ...(form.get('client_info') === '1' ? { client_info: clientInfo(objectIdOf(identity), issuer.tenantId) } : {}),
    },
  };
}

const accessToken = async (issuer: Issuer, identity: Identity, clientId: string, audience: string, now: Seconds) => ({
  token_type: 'Bearer',
  expires_in: TOKEN_SECONDS - 1,
  ext_expires_in: TOKEN_SECONDS - 1,
  access_token: await signToken(issuer.signingKey, accessClaims(issuer, identity, clientId, audience, now)),
});

/**
 * The audience is the scope without its last segment, byte for byte: az asks for `https://management.core.windows.net//.default` and
 * gets the trailing slash back.
 */
function audienceOf(scope: string | undefined, now: Seconds): { readonly audience: string; readonly scopes: readonly string[] } | Answer {
  const scopes = (scope ?? '').split(' ').filter((one) => one !== '');
  const resources = scopes.filter((one) => !OPENID_SCOPES.has(one));
  const audiences = new Set(resources.map((one) => one.slice(0, Math.max(0, one.lastIndexOf('/')))));
  const [audience = DEFAULT_AUDIENCE] = audiences;
  if (scopes.length === 0 || audience === '') return refused(70011, scope ?? '', now);
  if (audiences.size > 1) return refused(28000, '', now);
  return { audience, scopes };
}

const clientInfo = (uid: string, utid: string): string => Buffer.from(JSON.stringify({ uid, utid })).toString('base64url');
