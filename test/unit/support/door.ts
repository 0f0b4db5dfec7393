// A door, services and a request for the stages of an operation: plain objects that note, in order, what was asked of them. What a test does not change is the accepted case.
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import { type ArmAssignment, type Caller, OWNER_ROLE } from '../../../shared/domain/armRoles';
import { refuse } from '../../../shared/domain/errors';
import type { Found } from '../../../shared/domain/managedHsm';
import type { FoundGroup } from '../../../shared/domain/resourceGroup';
import type { Door, Services } from '../../../shared/http/door';
import { type Operation, serve } from '../../../shared/http/operation';
import type { Answer } from '../../../shared/http/render';
import { ALICE, alice, at, contoso, countingIds, SUBSCRIPTION, stored, TENANT } from './contoso';

export type Given = {
  readonly operation?: Partial<Operation>;
  readonly host?: string | null;
  readonly authorization?: string | null;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly params?: Readonly<Record<string, string>>;
  /** Sent with its true length and as JSON, unless `headers` say otherwise. */
  readonly body?: string | Uint8Array;
  readonly caller?: Caller;
  readonly administrators?: readonly string[];
  readonly assignments?: readonly ArmAssignment[];
  readonly hsm?: Found;
  readonly group?: FoundGroup;
  readonly isReady?: boolean;
  readonly answer?: Answer;
  readonly fails?: unknown;
};

export const now = at('2027-01-05T00:00:00Z');
export const params = { subscription: SUBSCRIPTION, group: 'Team', name: 'Contoso' };
export const owner: ArmAssignment = { principalId: ALICE, roleGuid: OWNER_ROLE, scope: { subscription: SUBSCRIPTION } };
const team: FoundGroup = { partition: SUBSCRIPTION, row: 'g!team', etag: 'etag-1', writtenAt: now, value: { name: 'Team', location: 'westus', tags: {} } };

const putHsm: Operation = {
  name: 'ManagedHsms_CreateOrUpdate',
  plane: 'control',
  method: 'PUT',
  route: 'subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.KeyVault/managedHSMs/{name}',
  action: 'Microsoft.KeyVault/managedHSMs/write',
  reads: 'hsm',
  within: 'group',
  takes: 'body',
  handle: async () => ({ status: 200 }),
};

/** One request to its end. */
export async function answered(given: Given = {}) {
  const events: string[] = [];
  const lines: string[] = [];
  const note = <T>(event: string, value: T): T => {
    events.push(event);
    return value;
  };
  const door: Door = {
    hosts: { controlHost: 'management.azure.com', hsmSuffix: 'managedhsm.azure.net' },
    tenantId: TENANT,
    authority: 'https://login.microsoftonline.com',
    resource: 'https://managedhsm.azure.net',
    subscriptions: [{ id: SUBSCRIPTION, name: 'One' }],
    administrators: given.administrators ?? [],
    ids: { guid: countingIds('request') },
    log: (level, line) => void lines.push(`${level}: ${line}`),
    authenticate: async (authorization, plane) => {
      events.push(`authenticate ${plane}`);
      if (authorization !== 'Bearer good') throw refuse('AuthenticationFailed', { reason: "The 'Authorization' header is missing." });
      return given.caller ?? alice;
    },
    ready: async () => {
      events.push('ready');
      if (given.isReady === false) throw refuse('Unavailable');
    },
  };
  const services = (): Services =>
    note('services', {
      hsms: { read: async (name: string | undefined) => note(`hsm ${name}`, { found: 'hsm' in given ? given.hsm : stored(contoso()), now, storageAt: now }) },
      groups: {
        read: async (_: string, group: string | undefined) => note(`group ${group}`, { found: 'group' in given ? given.group : team, now, storageAt: now }),
        assignments: async () => note('assignments', given.assignments ?? [owner]),
      },
    } as unknown as Services);
  const operation: Operation = {
    ...putHsm,
    handle: async () => {
      events.push('handle');
      if ('fails' in given) throw given.fails;
      return given.answer ?? { status: 200, body: { done: true } };
    },
    ...given.operation,
  };
  const response = await serve(
    operation,
    door,
    services,
    requestOf(given, operation, () => events.push('body')),
  );
  return { response, events, lines, headers: (response.headers ?? {}) as Readonly<Record<string, string>>, ...errorOf(response) };
}

function requestOf(
  { host = 'management.azure.com', authorization = 'Bearer good', query = 'api-version=2023-07-01', headers = {}, body = '{}', ...more }: Given,
  { method }: Operation,
  read: () => void,
) {
  const bytes = Buffer.from(body as string);
  const all = new Headers({ 'content-type': 'application/json', 'content-length': String(bytes.length) });
  if (host !== null) all.set('host', host);
  if (authorization !== null) all.set('authorization', authorization);
  for (const [name, value] of Object.entries(headers)) value === '' ? all.delete(name) : all.set(name, value);
  // The host and path of the URL are never looked at, so they name another service altogether.
  return {
    method,
    url: `https://elsewhere.test/keys?${query}`,
    headers: all,
    params: more.params ?? params,
    arrayBuffer: async () => {
      read();
      return bytes;
    },
  } as unknown as HttpRequest;
}

/** Status, code and message of what was answered; a success has neither code nor message. */
function errorOf({ status, body }: HttpResponseInit): { readonly status: number; readonly code?: string; readonly message?: string } {
  const { error } = (body === undefined ? {} : JSON.parse(String(body))) as { readonly error?: { readonly code: string; readonly message: string } };
  return { status: Number(status), ...error };
}
