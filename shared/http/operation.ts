// One request from arrival to answer: plane, authentication, typed names, authorisation, body, service, rendering, in this order, with the only catch of the service.
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import { type ArmAssignment, type ArmScope, type Caller, mayDo, OWNER_ROLE } from '../domain/armRoles';
import { refuse } from '../domain/errors';
import type { Found } from '../domain/managedHsm';
import { groupKey, guid, hsmKey, locationKey } from '../domain/names';
import { type FoundGroup, liveGroup } from '../domain/resourceGroup';
import type { Clocked } from '../ports';
import { type KeyOperation, type Refusing, serveOnHsm } from './dataPlane';
import type { Door, Services } from './door';
import { parseJson } from './json';
import { bodyOf, type Members, queryOf, textOfRequest } from './read';
import { type Answer, headersOf, renderError } from './render';
import { requestHost } from './requestHost';

/** The names in a route, decoded once by the host, made comparable here. A text that is no name of its kind is `undefined`, and so names nothing. */
export type Path = {
  readonly subscription: string;
  readonly group: string | undefined;
  readonly name: string | undefined;
  readonly location: string;
  readonly display: { readonly group: string; readonly name: string };
  /** The route's own parameters, for what has no type of its own. */
  readonly raw: Readonly<Record<string, string>>;
};

/** What a handler works on. `hsm` is the request's own read of the record, made while its rights were looked up. */
export type Call = Pick<Services, 'hsms' | 'groups'> & {
  readonly door: Door;
  readonly path: Path;
  readonly caller: Caller;
  readonly query: ReadonlyMap<string, string>;
  readonly apiVersion: string;
  readonly body: Members;
  readonly hsm: Clocked<Found>;
  readonly assignments: (subscription: string) => Promise<readonly ArmAssignment[]>;
};

/** A row of a table of operations. `name` is the REST operationId and the Azure function's name. */
export type Operation = {
  readonly name: string;
  readonly plane: 'control';
  readonly method: 'GET' | 'PUT' | 'PATCH' | 'DELETE' | 'POST' | 'HEAD';
  readonly route: string;
  /** The Azure action that the caller must have on the path's scope; `undefined` for any authenticated caller. */
  readonly action: string | undefined;
  /** Or this one, on the HSM that the query names: whoever may see a resource may see what becomes of it. */
  readonly orOnResource?: string;
  /** Its subject is an HSM, named by path or query: the record is read while rights are looked up. */
  readonly reads?: 'hsm';
  /** It works inside a resource group, which must exist. */
  readonly within?: 'group';
  /** It takes a JSON body. */
  readonly takes?: 'body';
  /** It starts or ends purge timers: its function gets the Durable client. */
  readonly timers?: true;
  /** Answered by the resource manager rather than the provider: other headers. */
  readonly aggregated?: true;
  readonly handle: (call: Call) => Promise<Answer>;
};

const API_VERSION = /^\d{4}-\d{2}-\d{2}(-preview)?$/i;

/** Answers one request of an operation. Never throws. */
export async function serve(
  operation: Operation | KeyOperation | Refusing,
  door: Door,
  services: () => Services,
  request: HttpRequest,
  params: Readonly<Record<string, string>> = request.params,
): Promise<HttpResponseInit> {
  const host = requestHost(request.headers.get('host'), door.hosts);
  if (host?.kind === 'hsm') return serveOnHsm(operation.plane === 'control' ? undefined : operation, host.hsm, door, services, request, params);
  const requestId = door.ids.guid();
  const correlationId = guid(request.headers.get('x-ms-correlation-request-id') ?? '') ?? requestId;
  const respond = (answer: Answer): HttpResponseInit => {
    const body = answer.body === undefined || request.method === 'HEAD' ? undefined : JSON.stringify(answer.body);
    const headers = { ...headersOf(requestId, correlationId, request.method, operation.plane === 'control' && operation.aggregated === true), ...answer.headers };
    return body === undefined
      ? { status: answer.status, headers }
      : { status: answer.status, headers: { ...headers, 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': String(Buffer.byteLength(body)) }, body };
  };
  try {
    if (!host) throw refuse('BadHost');
    return respond(await stages(operation, door, services, request, params));
  } catch (error) {
    return respond(renderError(error, door));
  }
}

async function stages(
  operation: Operation | KeyOperation | Refusing,
  door: Door,
  services: () => Services,
  request: HttpRequest,
  params: Readonly<Record<string, string>>,
): Promise<Answer> {
  const caller = await door.authenticate(request.headers.get('authorization') ?? undefined, 'control');
  if (operation.plane === 'any') throw operation.refusal('control');
  if (operation.plane === 'hsm') throw refuse('NotFound', { path: 'this path on the control plane' });
  const query = queryOf(request.url);
  const apiVersion = apiVersionOf(query);
  const path = pathOf(operation.route, params, door);
  await door.ready();
  const { hsms, groups } = services();
  const isOwner = isAdministrator(caller, door);
  const assignments = async (subscription: string): Promise<readonly ArmAssignment[]> =>
    isOwner ? [{ principalId: caller.objectId, roleGuid: OWNER_ROLE, scope: { subscription } }] : groups.assignments(subscription);
  const [granted, hsm, group] = await Promise.all([
    operation.action === undefined ? [] : assignments(path.subscription),
    operation.reads ? hsms.read(path.name ?? hsmKey(query.get('name') ?? '')) : undefined,
    operation.within ? groups.read(path.subscription, path.group) : undefined,
  ]);
  authorise(operation, caller, granted, path, query);
  if (operation.within) liveGroup((group as Clocked<FoundGroup>).found, path.display.group);
  const body = operation.takes ? bodyOf(parseJson(await textOfRequest(request))) : bodyOf({});
  return operation.handle({ door, hsms, groups, path, caller, query, apiVersion, body, hsm: hsm as Clocked<Found>, assignments });
}

/** Empty ADMIN_OBJECT_IDS means nobody. */
const isAdministrator = (caller: Caller, door: Door): boolean => door.administrators.includes(caller.objectId) || caller.groups.some((id) => door.administrators.includes(id));

function apiVersionOf(query: ReadonlyMap<string, string>): string {
  const version = query.get('api-version');
  if (version === undefined || version === '') throw refuse('MissingApiVersion');
  if (!API_VERSION.test(version)) throw refuse('InvalidApiVersion', { version: version.slice(0, 64) });
  return version;
}

/** @throws SubscriptionNotFound for one that is not configured */
function pathOf(route: string, raw: Readonly<Record<string, string>>, door: Door): Path {
  const subscription = guid(raw.subscription ?? '') ?? '';
  if (route.startsWith('subscriptions/{subscription}') && !door.subscriptions.some(({ id }) => id === subscription))
    throw refuse('SubscriptionNotFound', { subscription: (raw.subscription ?? '').slice(0, 64) });
  const display = { group: raw.group ?? '', name: raw.name ?? '' };
  return { subscription, group: groupKey(display.group), name: hsmKey(display.name), location: locationKey(raw.location ?? ''), display, raw };
}

function authorise(operation: Operation, caller: Caller, granted: readonly ArmAssignment[], path: Path, query: ReadonlyMap<string, string>): void {
  if (operation.action === undefined) return;
  const scope: ArmScope = {
    subscription: path.subscription,
    ...(path.group !== undefined && { group: path.group }),
    ...(path.group !== undefined && path.name !== undefined && { hsm: path.name }),
  };
  if (mayDo(caller, granted, operation.action, scope)) return;
  const group = groupKey(query.get('group') ?? '');
  const hsm = hsmKey(query.get('name') ?? '');
  if (
    operation.orOnResource !== undefined &&
    group !== undefined &&
    hsm !== undefined &&
    mayDo(caller, granted, operation.orOnResource, { subscription: path.subscription, group, hsm })
  )
    return;
  throw refuse('AuthorizationFailed', {
    client: caller.displayName,
    objectId: caller.objectId,
    groupsLeftOut: caller.groupsLeftOut,
    action: operation.action,
    scope: scopeText(path),
  });
}

const scopeText = ({ subscription, group, display }: Path): string =>
  `/subscriptions/${subscription}${group === undefined ? '' : `/resourceGroups/${display.group}`}${group === undefined || display.name === '' ? '' : `/providers/Microsoft.KeyVault/managedHSMs/${display.name}`}`;
