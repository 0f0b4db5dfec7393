// The few Graph look-ups that az makes when it turns names into object ids and back. Read only; nothing here decides what anybody may do.
import type { Answer } from './entraGrants';
import { type Directory, type Group, type Principal, upnOf } from './principals';

/** One request: the path behind `/v1.0`, percent-decoded, and who asks. */
export type GraphRequest = { readonly method: string; readonly path: string; readonly filter: string | undefined; readonly body: unknown; readonly callerId: string };

type GraphObject = Readonly<Record<string, unknown>>;

const IDS_MAX = 1000;
const CONTEXT = 'https://graph.microsoft.com/v1.0/$metadata';

const BY_UPN = /^userPrincipalName eq '((?:[^']|'')*)'$/i;
const BY_SERVICE_PRINCIPAL_NAME = /^servicePrincipalNames\/any\((\w+):\s*\1 eq '((?:[^']|'')*)'\)$/i;
const BY_APP_ID = /^appId eq '((?:[^']|'')*)'$/i;

/** Answers `me`, `users`, `servicePrincipals` (list, filtered list, one) and `directoryObjects/getByIds`; anything else is Graph's own 400 or 404. */
export function answerGraph(directory: Directory, request: GraphRequest): Answer {
  const [, collection = '', id, ...rest] = request.path.split('/');
  if (rest.length > 0) return notFound(request.path);
  if (request.method === 'POST' && request.path === '/directoryObjects/getByIds') return byIds(directory, request.body);
  if (request.method !== 'GET') return notFound(request.path);
  if (collection === 'me' && id === undefined) return me(directory, request.callerId);
  if (collection === 'users') return id === undefined ? users(directory, request.filter) : one(usersOf(directory, id).map(user), 'users', id);
  if (collection === 'servicePrincipals')
    return id === undefined ? servicePrincipals(directory, request.filter) : one(applicationsOf(directory, id).map(application), 'servicePrincipals', id);
  return notFound(request.path);
}

function me(directory: Directory, callerId: string): Answer {
  const principal = directory.principals.find((each) => each.userId === callerId);
  if (!principal) return failure(400, 'BadRequest', '/me request is only valid with delegated authentication flow.');
  return { status: 200, body: { '@odata.context': `${CONTEXT}#users/$entity`, ...user(principal) } };
}

function users(directory: Directory, filter: string | undefined): Answer {
  if (filter === undefined) return found('users', directory.principals.map(user));
  const upn = BY_UPN.exec(filter)?.[1];
  return upn === undefined ? unsupported() : found('users', directory.principals.filter((each) => upnOf(each) === plain(upn).toLowerCase()).map(user));
}

function servicePrincipals(directory: Directory, filter: string | undefined): Answer {
  if (filter === undefined) return found('servicePrincipals', directory.principals.map(application));
  const name = BY_SERVICE_PRINCIPAL_NAME.exec(filter)?.[2] ?? BY_APP_ID.exec(filter)?.[1];
  if (name === undefined) return unsupported();
  return found('servicePrincipals', directory.principals.filter((each) => each.clientId === plain(name).toLowerCase()).map(application));
}

/** Objects of the asked types; ids that nobody has are left out, as Graph does. */
function byIds(directory: Directory, body: unknown): Answer {
  const { ids, types } = (typeof body === 'object' && body !== null ? body : {}) as { ids?: unknown; types?: unknown };
  if (!isTexts(ids) || (types !== undefined && !isTexts(types))) return failure(400, 'Request_BadRequest', "'ids' and 'types' must be lists of texts.");
  if (ids.length > IDS_MAX) return failure(400, 'Request_BadRequest', `At most ${IDS_MAX} ids can be looked up at once.`);
  const wanted = new Set(ids.map((id) => id.toLowerCase()));
  const offers = (type: string): boolean => types === undefined || types.length === 0 || types.includes(type);
  return found('directoryObjects', [
    ...(offers('user') ? directory.principals.filter((each) => wanted.has(each.userId)).map(user) : []),
    ...(offers('servicePrincipal') ? directory.principals.filter((each) => wanted.has(each.servicePrincipalId)).map(application) : []),
    ...(offers('group') ? directory.groups.filter((each) => wanted.has(each.id)).map(group) : []),
  ]);
}

const usersOf = (directory: Directory, id: string) => directory.principals.filter((each) => each.userId === id.toLowerCase() || upnOf(each) === id.toLowerCase());
const applicationsOf = (directory: Directory, id: string) => directory.principals.filter((each) => each.servicePrincipalId === id.toLowerCase());

const user = (principal: Principal): GraphObject => {
  const upn = upnOf(principal);
  return { '@odata.type': '#microsoft.graph.user', id: principal.userId, displayName: principal.name, userPrincipalName: upn, mail: upn };
};

const application = ({ name, clientId, servicePrincipalId }: Principal): GraphObject => ({
  '@odata.type': '#microsoft.graph.servicePrincipal',
  id: servicePrincipalId,
  displayName: name,
  appId: clientId,
  appDisplayName: name,
  servicePrincipalNames: [clientId],
  servicePrincipalType: 'Application',
});

const group = ({ id, name }: Group): GraphObject => ({ '@odata.type': '#microsoft.graph.group', id, displayName: name });

/** In a filter's text a quote is written twice. */
const plain = (text: string): string => text.replaceAll("''", "'");

const isTexts = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every((each) => typeof each === 'string');

const found = (set: string, objects: readonly GraphObject[]): Answer => ({
  status: 200,
  body: { '@odata.context': `${CONTEXT}#${set}`, value: objects },
});

const one = ([object]: readonly GraphObject[], set: string, id: string): Answer =>
  object
    ? { status: 200, body: { '@odata.context': `${CONTEXT}#${set}/$entity`, ...object } }
    : failure(404, 'Request_ResourceNotFound', `Resource '${id}' does not exist or one of its queried reference-property objects are not present.`);

const notFound = (path: string): Answer => failure(404, 'ResourceNotFound', `Resource not found for the segment '${path.split('/')[1] ?? ''}'.`);
const unsupported = (): Answer => failure(400, 'Request_UnsupportedQuery', 'Unsupported or invalid query filter clause specified.');

export const failure = (status: number, code: string, message: string): Answer => ({ status, body: { error: { code, message } } });
