// One request on the data plane, from its challenge to its answer: authentication, typed names, the HSM that the Host names, rights, body, service, rendering. As http/operation for the control plane.
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import type { Caller } from '../domain/armRoles';
import { refuse, type ServiceError } from '../domain/errors';
import type { KeyPath } from '../domain/key';
import { dataAction, mayUse } from '../domain/localRoles';
import { keyKey, keyVersion } from '../domain/names';
import type { ActiveHsm, Keys } from '../service/keys';
import type { Door, Services } from './door';
import { parseJson } from './json';
import { bodyOf, type Members, queryOf, textOfRequest } from './read';
import { type Answer, serviceErrorOf } from './render';

/** What a handler works on. */
export type KeyCall = {
  readonly keys: Keys;
  readonly hsm: ActiveHsm;
  /** Where the route names a key. */
  readonly key: KeyPath;
  readonly version: string | undefined;
  readonly query: ReadonlyMap<string, string>;
  readonly body: Members;
};

/** A row of a table of data-plane operations. `name` is the REST operationId, `…_latest` where a route without version has a function of its own. */
export type KeyOperation = {
  readonly name: string;
  readonly plane: 'hsm';
  readonly method: 'GET' | 'PUT' | 'PATCH' | 'DELETE' | 'POST';
  readonly route: string;
  /** The data action without its prefix. */
  readonly action: string;
  /** Checked at the key that the route names, or at all keys. */
  readonly at: 'key' | 'keys';
  readonly takes?: 'body';
  readonly timers?: true;
  readonly handle: (call: KeyCall) => Promise<Answer>;
};

/** What a request of no operation is told, after the same stages. */
export type Refusing = { readonly name: string; readonly plane: 'any'; readonly method: string; readonly refusal: (plane: 'control' | 'hsm') => ServiceError };

const API_VERSION = /^(7\.\d(-preview(\.\d)?)?|20\d\d-\d\d-\d\d(-preview)?)$/;
const BUILD_VERSION = '1.5.1361.0';
const REGION = 'local';

/** Answers one request to an HSM's host. Never throws. @param operation undefined for one that belongs to the control plane */
export async function serveOnHsm(
  operation: KeyOperation | Refusing | undefined,
  hsm: string,
  door: Door,
  services: () => Services,
  request: HttpRequest,
  params: Readonly<Record<string, string>>,
): Promise<HttpResponseInit> {
  const requestId = door.ids.guid();
  const began = performance.now();
  const respond = ({ status, body, headers }: Answer, authorised: boolean): HttpResponseInit => {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(alphabetical(body));
    return {
      status,
      headers: {
        'Cache-Control': 'no-cache',
        'Content-Security-Policy': "default-src 'self'",
        'Content-Type': 'application/json; charset=utf-8',
        'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
        'X-Content-Type-Options': 'nosniff',
        'X-Frame-Options': 'SAMEORIGIN',
        'x-ms-request-id': requestId,
        'x-ms-server-latency': String(Math.round(performance.now() - began)),
        ...(request.method === 'GET' && { 'x-ms-build-version': BUILD_VERSION }),
        ...(authorised && { 'x-ms-keyvault-region': REGION, 'x-ms-keyvault-network-info': 'conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=Ipv4;' }),
        ...headers,
        ...(text !== undefined && { 'Content-Length': String(Buffer.byteLength(text)) }),
      },
      ...(text !== undefined && { body: text }),
    };
  };
  try {
    // Every client asks first without a token, and before anything is looked at.
    if (!request.headers.has('authorization')) return respond(challenge(door, request.method), false);
    return respond(await stages(operation, hsm, door, services, request, params), true);
  } catch (error) {
    return respond(errorAnswer(serviceErrorOf(error, door), requestId, door, request.method), false);
  }
}

const challenge = ({ authority, tenantId, resource }: Door, method: string): Answer => ({
  status: 401,
  headers: { 'WWW-Authenticate': `Bearer authorization="${authority}/${tenantId}", resource="${resource}"` },
  ...(method === 'GET' && { body: 'OK' }),
});

function errorAnswer(error: ServiceError, requestId: string, door: Door, method: string): Answer {
  if (error.status === 401) return challenge(door, method);
  const inner = error.inner === undefined ? {} : { innererror: { code: error.inner } };
  return {
    status: error.status,
    body: { error: { code: error.code, message: `${error.message} (Activity ID: ${requestId})`, ...inner } },
    ...(error.retryAfterSeconds !== undefined && { headers: { 'Retry-After': String(error.retryAfterSeconds) } }),
  };
}

async function stages(
  operation: KeyOperation | Refusing | undefined,
  name: string,
  door: Door,
  services: () => Services,
  request: HttpRequest,
  params: Readonly<Record<string, string>>,
): Promise<Answer> {
  const caller = await door.authenticate(request.headers.get('authorization') ?? undefined, 'hsm');
  if (operation === undefined) throw refuse('NotFound', { path: 'this path on an HSM' });
  if (operation.plane === 'any') throw operation.refusal('hsm');
  const query = queryOf(request.url);
  checkApiVersion(query);
  const host = `${name}.${door.hosts.hsmSuffix}`;
  const key = keyPathOf(host, params);
  await door.ready();
  const { keys, rights } = services();
  const { hsm, grants } = await rights.read(name, key?.name);
  if (!hsm) throw refuse('HsmUnavailable');
  const scope = operation.at === 'key' && key ? { key: key.name } : {};
  const valid = await rights.valid(hsm, grants, caller);
  if (!mayUse(caller, valid, operation.action, scope)) throw denied(caller, operation.action, scope.key);
  const body = operation.takes ? bodyOf(parseJson(await textOfRequest(request))) : bodyOf({});
  const version = params.version === undefined ? undefined : keyVersion(params.version);
  return operation.handle({ keys, hsm: { record: hsm, name, host }, key: key ?? { host, name: '', display: '' }, version, query, body });
}

const denied = (caller: Caller, action: string, key: string | undefined) =>
  refuse('AccessDenied', { dataAction: dataAction(action), scope: key === undefined ? '/keys' : `/keys/${key}`, groupsLeftOut: caller.groupsLeftOut });

/** A link to a next page carries its token instead of a version. */
function checkApiVersion(query: ReadonlyMap<string, string>): void {
  const version = query.get('api-version');
  if (version === undefined && query.has('$skiptoken')) return;
  if (version === undefined || !API_VERSION.test(version)) throw refuse('BadParameter', { reason: 'The api-version is missing or not known. Give one such as 7.4 or 2025-07-01.' });
}

function keyPathOf(host: string, { key }: Readonly<Record<string, string>>): KeyPath | undefined {
  if (key === undefined) return undefined;
  const name = keyKey(key);
  if (name === undefined) throw refuse('BadParameter', { reason: 'The key name is invalid. It must be 1 to 127 letters, digits and hyphens.' });
  return { host, name, display: key };
}

/** Members in the order of their names, as the service prints them. */
function alphabetical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(alphabetical);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, alphabetical(member)]),
  );
}
