// One HSM's host as requests meet it: the stages with the operations that are registered, real services on the memory store. What was asked of whom is noted in order.
import type { HttpRequest } from '@azure/functions';
import type { Caller } from '../../../shared/domain/armRoles';
import { refuse } from '../../../shared/domain/errors';
import type { KeyOperation } from '../../../shared/http/dataPlane';
import type { Door, Services } from '../../../shared/http/door';
import { fallbackFor } from '../../../shared/http/fallback';
import { serve } from '../../../shared/http/operation';
import { matchRoute, segmentsOf } from '../../../shared/http/routes';
import { keys } from '../../../shared/service/keys';
import type { Parameters as ServiceParameters } from '../../../shared/service/parameters';
import { retention } from '../../../shared/service/retention';
import { rights } from '../../../shared/service/rights';
import { ALICE, alice, contoso, countingIds, INCARNATION, SUBSCRIPTION, TENANT } from './contoso';
import { firstKey } from './first';
import { createShelf, parameters, type Shelf } from './shelf';

Object.assign(process.env, {
  AZURE_FUNCTIONS_ENVIRONMENT: 'Development',
  AzureWebJobsStorage: 'UseDevelopmentStorage=true',
  TENANT_ID: TENANT,
  SUBSCRIPTIONS: `${SUBSCRIPTION}=Local`,
});

/** The operations on keys as they are registered. */
export let table: readonly KeyOperation[] = [];
beforeAll(async () => {
  // At each row the package says that it registers nothing in a test.
  const warn = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  const [live, deleted] = await Promise.all([import('../../../functions/keys'), import('../../../functions/deletedKeys')]);
  table = [...live.keys, ...deleted.deletedKeys];
  warn.mockRestore();
});

export const USER = '21dbd100-6940-42c2-9190-5d6cb909625b';
export const OFFICER = '515eb02d-2335-4d2d-92f2-b1cbdf9c3778';
export const AUDITOR = '2c18b078-7c48-4d3a-af88-5a3a1b3f82b3';
export const ADMINISTRATOR = 'a290e904-7015-4bba-90c8-60543313cdb4';

export type Sent = {
  readonly host?: string;
  readonly authorization?: string | null;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** An HSM `contoso` in which Alice is Crypto User and Crypto Officer, unless `roles` says otherwise. */
export function given({
  hsm = contoso(),
  roles = [USER, OFFICER],
  caller = alice,
  isReady = true,
  resource = 'https://managedhsm.azure.net',
  hsmSuffix = 'managedhsm.azure.net',
  ...more
}: {
  hsm?: ReturnType<typeof contoso> | undefined;
  roles?: readonly string[];
  caller?: Caller;
  isReady?: boolean;
  resource?: string;
  hsmSuffix?: string;
} & Partial<ServiceParameters> = {}) {
  const shelf: Shelf = createShelf();
  shelf.set('2027-01-05T00:00:00Z');
  shelf.putHsm(hsm);
  roles.forEach((roleGuid, index) => {
    shelf.put('hsms', 'contoso', `a!${index}`, { principalId: ALICE, roleGuid, incarnation: hsm.incarnation, scope: '/' });
  });
  const values = parameters(more);
  const door: Door = {
    hosts: { controlHost: 'management.azure.com', hsmSuffix },
    tenantId: TENANT,
    authority: 'https://login.microsoftonline.com',
    resource,
    subscriptions: [{ id: SUBSCRIPTION, name: 'One' }],
    administrators: [],
    ids: { guid: countingIds('request') },
    log: shelf.ports.log,
    authenticate: async (authorization, plane) => {
      shelf.events.push(`authenticate ${plane}`);
      if (authorization !== 'Bearer good') throw refuse('AuthenticationFailed', { reason: 'bad' });
      return caller;
    },
    ready: async () => {
      shelf.events.push('ready');
      if (!isReady) throw refuse('Unavailable');
    },
  };
  const services = (): Services => {
    shelf.events.push('services');
    return { keys: keys(shelf.ports, values, retention(shelf.ports, values)), rights: rights(shelf.ports) } as unknown as Services;
  };

  /** `target` is a path and its query. A path that no route matches goes through the fallback, as on the host. */
  async function send(method: string, target: string, sent: Sent = {}) {
    const [path = '', query = ''] = target.split('?');
    const chosen = table.flatMap((operation) => {
      const params = operation.method === method ? matchRoute(operation.route, segmentsOf(path)) : undefined;
      return params ? [{ operation, params }] : [];
    });
    expect(chosen.length).toBeLessThanOrEqual(1);
    const { operation, params } = chosen[0] ?? fallbackFor(table)(method, path);
    const bytes = Buffer.from(sent.body ?? '');
    const headers = new Headers({ host: sent.host ?? 'contoso.managedhsm.azure.net' });
    if (sent.authorization !== null) headers.set('authorization', sent.authorization ?? 'Bearer good');
    if (bytes.length > 0) {
      headers.set('content-type', 'application/json');
      headers.set('content-length', String(bytes.length));
    }
    for (const [name, value] of Object.entries(sent.headers ?? {})) headers.set(name, value);
    const request = {
      method,
      // The host and path of the URL are never looked at, so they name another service altogether.
      url: `https://elsewhere.test/secrets?${query}`,
      headers,
      params,
      arrayBuffer: async () => {
        shelf.events.push('body');
        return bytes;
      },
    } as unknown as HttpRequest;
    const response = await serve(operation, door, services, request, params);
    const text = response.body === undefined ? undefined : String(response.body);
    return {
      status: Number(response.status),
      headers: (response.headers ?? {}) as Readonly<Record<string, string>>,
      text,
      json: text === undefined || !text.startsWith('{') ? {} : (JSON.parse(text) as Record<string, never>),
    };
  }
  const putKey = (record = firstKey(), row = 'k!first'): void => shelf.put('keys', INCARNATION, row, record);
  return { shelf, send, putKey };
}

export type World = NonNullable<Parameters<typeof given>[0]>;

/** The query of a version that is accepted. */
export const v = 'api-version=7.4';

/** K1, K2: what is answered for a key that is not found. */
export const missing = (path: string, request = 'request-1'): string =>
  `{"error":{"code":"KeyNotFound","message":"Key not found: https://contoso.managedhsm.azure.net/${path} (Activity ID: ${request})"}}`;
