// A stand-in of Entra ID and Graph for one machine: discovery, keys, tokens and the look-ups that az makes. It answers by Host; tokens say who somebody is and never what he may do.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Answer, grantTokens, type Issuer, refused } from './entraGrants';
import { LOGIN_HOST, openAccessToken, v2Issuer } from './entraTokens';
import { answerGraph, failure } from './graph';
import { type Directory, DOMAIN } from './principals';
import type { SigningKey } from './signingKey';

export type EntraOptions = {
  /** GUID, lower case. */
  readonly tenantId: string;
  readonly directory: Directory;
  readonly signingKey: SigningKey;
  /** Milliseconds since the epoch; the wall clock unless a test says otherwise. */
  readonly now?: () => number;
};

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const GRAPH_HOST = 'graph.microsoft.com';
const ARM_HOST = 'management.azure.com';
const BODY_BYTES_MAX = 65_536;

const GRAPH_AUDIENCES = [`https://${GRAPH_HOST}`, `https://${GRAPH_HOST}/`];
const ARM_AUDIENCES = ['https://management.core.windows.net/', 'https://management.core.windows.net', `https://${ARM_HOST}/`, `https://${ARM_HOST}`];

/** Names under which the one tenant is asked for, besides its id. */
const TENANT_ALIASES: ReadonlySet<string> = new Set(['common', 'organizations', DOMAIN]);

type Asked = { readonly method: string; readonly path: string; readonly query: URLSearchParams; readonly headers: IncomingMessage['headers']; readonly body: string };
type LoginRoute = { readonly method: string; readonly pattern: RegExp; readonly answer: (issuer: Issuer, asked: Asked, segment: string) => Answer | Promise<Answer> };

/** What is answered on the login host; `segment` is the tenant, or the user, that stands in the path. */
const loginRoutes: readonly LoginRoute[] = [
  { method: 'GET', pattern: /^\/common\/discovery\/instance$/, answer: (issuer) => instanceDiscovery(issuer.tenantId) },
  { method: 'GET', pattern: /^\/common\/userrealm\/([^/]+)$/i, answer: (_issuer, _asked, upn) => userRealm(upn) },
  { method: 'GET', pattern: /^\/([^/]+)(?:\/v2\.0)?\/\.well-known\/openid-configuration$/, answer: inTenant((issuer) => openIdConfiguration(issuer.tenantId)) },
  { method: 'GET', pattern: /^\/([^/]+)\/discovery(?:\/v2\.0)?\/keys$/, answer: inTenant((issuer) => ({ status: 200, body: { keys: [issuer.signingKey.jwk] } })) },
  { method: 'POST', pattern: /^\/([^/]+)\/oauth2\/v2\.0\/token$/, answer: inTenant((issuer, { body }) => grantTokens(issuer, new Map(new URLSearchParams(body)))) },
];

/** Serves login.microsoftonline.com (and loopback, for a service that fetches the keys), graph.microsoft.com, and `/tenants` of management.azure.com. Other hosts: 421. */
export function createEntra(options: EntraOptions): Handler {
  const milliseconds = options.now ?? Date.now;
  const issuer: Issuer = { ...options, now: () => Math.floor(milliseconds() / 1000) };
  return (request, response) => {
    answerRequest(issuer, request)
      .catch((): Answer => failure(500, 'InternalServerError', 'The local directory failed.'))
      .then((answer) => send(response, answer));
  };
}

/** Listens on an ephemeral port of 127.0.0.1. */
export async function startEntra(options: EntraOptions): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const server = createServer(createEntra(options));
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { port: (server.address() as AddressInfo).port, stop };
}

async function answerRequest(issuer: Issuer, request: IncomingMessage): Promise<Answer> {
  const body = await readBody(request);
  if (body === undefined) return failure(413, 'RequestEntityTooLarge', `The request is larger than ${BODY_BYTES_MAX} bytes.`);
  const asked = askedOf(request, body);
  if (!asked) return failure(400, 'BadRequest', 'The path is not well encoded.');
  switch (hostOf(request)) {
    case LOGIN_HOST:
    case '127.0.0.1':
    case 'localhost':
      return answerLogin(issuer, asked);
    case GRAPH_HOST:
      return answerGraphRequest(issuer, asked);
    case ARM_HOST:
      return answerTenants(issuer, asked);
    default:
      return failure(421, 'MisdirectedRequest', 'This host is not served here.');
  }
}

async function answerLogin(issuer: Issuer, asked: Asked): Promise<Answer> {
  for (const { method, pattern, answer } of loginRoutes) {
    const match = asked.method === method ? pattern.exec(asked.path) : null;
    if (match) return answer(issuer, asked, match[1] ?? '');
  }
  return failure(404, 'NotFound', 'The local directory does not answer this path.');
}

function inTenant(answer: (issuer: Issuer, asked: Asked) => Answer | Promise<Answer>): LoginRoute['answer'] {
  return (issuer, asked, tenant) => {
    const known = tenant.toLowerCase() === issuer.tenantId || TENANT_ALIASES.has(tenant.toLowerCase());
    return known ? answer(issuer, asked) : refused(90002, tenant, issuer.now());
  };
}

async function answerGraphRequest(issuer: Issuer, asked: Asked): Promise<Answer> {
  const callerId = await openAccessToken(issuer.signingKey, bearer(asked), GRAPH_AUDIENCES, issuer.now());
  if (!callerId) return failure(401, 'InvalidAuthenticationToken', 'Access token is empty, expired or not for this resource.');
  const body = asked.body === '' ? {} : parsed(asked.body);
  if (body === undefined) return failure(400, 'BadRequest', 'The body is not JSON.');
  const [, version, ...rest] = asked.path.split('/');
  if (version !== 'v1.0') return failure(400, 'BadRequest', `Invalid version: ${version}`);
  return answerGraph(issuer.directory, { method: asked.method, path: `/${rest.join('/')}`, filter: asked.query.get('$filter') ?? undefined, body, callerId });
}

/** az asks for the tenants of a user who logged in without naming one. */
async function answerTenants(issuer: Issuer, asked: Asked): Promise<Answer> {
  if (asked.method !== 'GET' || asked.path.toLowerCase() !== '/tenants') return failure(404, 'NotFound', 'The local directory does not answer this path.');
  const callerId = await openAccessToken(issuer.signingKey, bearer(asked), ARM_AUDIENCES, issuer.now());
  if (!callerId) return failure(401, 'AuthenticationFailed', "Authentication failed. The 'Authorization' header is missing or its token is not for this resource.");
  const { tenantId } = issuer;
  return { status: 200, body: { value: [{ id: `/tenants/${tenantId}`, tenantId, tenantCategory: 'Home', displayName: 'Local', defaultDomain: DOMAIN, domains: [DOMAIN] }] } };
}

const openIdConfiguration = (tenantId: string): Answer => {
  const authority = `https://${LOGIN_HOST}/${tenantId}`;
  return {
    status: 200,
    body: {
      issuer: v2Issuer(tenantId),
      authorization_endpoint: `${authority}/oauth2/v2.0/authorize`,
      token_endpoint: `${authority}/oauth2/v2.0/token`,
      jwks_uri: `${authority}/discovery/v2.0/keys`,
      token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt'],
      response_types_supported: ['code', 'id_token'],
      response_modes_supported: ['query', 'form_post'],
      subject_types_supported: ['pairwise'],
      id_token_signing_alg_values_supported: ['RS256'],
      scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
      cloud_instance_name: 'microsoftonline.com',
      msgraph_host: GRAPH_HOST,
    },
  };
};

const instanceDiscovery = (tenantId: string): Answer => ({
  status: 200,
  body: {
    tenant_discovery_endpoint: `https://${LOGIN_HOST}/${tenantId}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [{ preferred_network: LOGIN_HOST, preferred_cache: 'login.windows.net', aliases: [LOGIN_HOST, 'login.windows.net'] }],
  },
});

const userRealm = (upn: string): Answer => {
  const domain = upn.slice(upn.lastIndexOf('@') + 1).toLowerCase();
  const managed = { account_type: 'Managed', cloud_instance_name: 'microsoftonline.com', cloud_audience_urn: 'urn:federation:MicrosoftOnline' };
  return { status: 200, body: { ver: '1.0', domain_name: domain, ...(domain === DOMAIN ? managed : { account_type: 'Unknown' }) } };
};

const hostOf = (request: IncomingMessage): string => (request.headers.host ?? '').toLowerCase().replace(/:\d+$/, '');
const bearer = (asked: Asked): string => /^Bearer (.+)$/i.exec(asked.headers.authorization ?? '')?.[1] ?? '';

function askedOf(request: IncomingMessage, body: string): Asked | undefined {
  const [path = '', ...query] = (request.url ?? '').split('?');
  try {
    return { method: request.method ?? '', path: decodeURIComponent(path), query: new URLSearchParams(query.join('?')), headers: request.headers, body };
  } catch {
    return undefined; // a stray percent sign
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The body as text, or undefined if it is too large; a large one is read to its end, so that the answer is seen. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
  }
  return bytes <= BODY_BYTES_MAX ? Buffer.concat(chunks).toString('utf8') : undefined;
}

function send(response: ServerResponse, { status, body }: Answer): void {
  if (response.destroyed) return;
  const text = JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': Buffer.byteLength(text), 'Cache-Control': 'no-store' }).end(text);
}
