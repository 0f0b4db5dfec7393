// What each control-plane operation on managed HSMs does with its call, between the stages and the service.

import { refuse } from '../domain/errors';
import type { LongOperation } from '../domain/lifecycle';
import type { DeletedHsmPath, HsmPath } from '../domain/managedHsm';
import { guid } from '../domain/names';
import type { Accepted, Seen } from '../service/hsms';
import type { Call, Path } from './operation';
import { listPageOf, required, textOf } from './read';
import { type Answer, listAnswer, ok } from './render';
import { deletedManagedHsm, hsmRequestOf, isOperation, managedHsm, nameAvailability, operationUrl, privateLinkResources, regionList } from './wire';

/** Seconds that a client should wait between polls; the real service leaves it to the client, whose default is 30. */
const RETRY_AFTER_SECONDS = '1';

const hsmPath = ({ subscription, group, name, display }: Path): HsmPath => ({ subscription, group: group ?? '', name, display });
const deletedPath = ({ subscription, location, name }: Path): DeletedHsmPath => ({ subscription, location, name });

const bodyFor =
  ({ door }: Call) =>
  (seen: Seen) =>
    managedHsm(seen, door.hosts.hsmSuffix);

/** 202, an empty body, and where the result is to be asked for (contract.md §0.2). */
function accepted(call: Call, operation: LongOperation, { record, readyAt }: Accepted): Answer {
  const { door, apiVersion, path } = call;
  const location = path.location || record.settings.location.replaceAll(' ', '').toLowerCase();
  const url = operationUrl(door.hosts.controlHost, {
    subscription: path.subscription,
    location,
    incarnation: record.incarnation,
    apiVersion,
    operation,
    name: record.name,
    group: record.group,
    readyAt,
  });
  return { status: 202, headers: { Location: url, 'Retry-After': RETRY_AFTER_SECONDS } };
}

export const createOrUpdate = async (call: Call): Promise<Answer> => {
  const result = await call.hsms.put(hsmPath(call.path), hsmRequestOf(call.body), call.caller, call.hsm);
  return accepted(call, result.record.window?.operation ?? 'create', result);
};

export const update = async (call: Call): Promise<Answer> =>
  accepted(call, 'update', await call.hsms.patch(hsmPath(call.path), { ...hsmRequestOf(call.body), recover: false }, call.caller, call.hsm));

export const get = async (call: Call): Promise<Answer> => ok(bodyFor(call)(call.hsms.show(call.hsm, hsmPath(call.path))));

export const remove = async (call: Call): Promise<Answer> => {
  const result = await call.hsms.remove(hsmPath(call.path), call.caller, call.hsm);
  return result ? accepted(call, 'delete', result) : { status: 204 };
};

export const listInGroup = async (call: Call): Promise<Answer> => list(call, call.path.group);
export const listInSubscription = async (call: Call): Promise<Answer> => list(call, undefined);

const list = async (call: Call, group: string | undefined): Promise<Answer> =>
  listAnswer(
    await call.hsms.list(call.path.subscription, group, listPageOf(call.query)),
    bodyFor(call),
    nextLink(call, `${group === undefined ? '' : `resourceGroups/${call.path.display.group}/`}providers/Microsoft.KeyVault/managedHSMs`),
  );

export const listDeleted = async (call: Call): Promise<Answer> =>
  listAnswer(await call.hsms.listDeleted(call.path.subscription, listPageOf(call.query)), deletedManagedHsm, nextLink(call, 'providers/Microsoft.KeyVault/deletedManagedHSMs'));

const nextLink =
  ({ door, path, query, apiVersion }: Call, resource: string) =>
  (skipToken: string): string =>
    `https://${door.hosts.controlHost}/subscriptions/${path.subscription}/${resource}?${new URLSearchParams({ 'api-version': apiVersion, $top: query.get('$top') ?? '', $skiptoken: skipToken })}`;

export const getDeleted = async (call: Call): Promise<Answer> => ok(deletedManagedHsm(call.hsms.showDeleted(call.hsm, deletedPath(call.path))));

export const purge = async (call: Call): Promise<Answer> => accepted(call, 'purge', await call.hsms.purge(deletedPath(call.path), call.hsm));

export const checkName = async (call: Call): Promise<Answer> => {
  const name = required(textOf(call.body, 'name'), 'name');
  return ok(nameAvailability(name, await call.hsms.nameRefusal(name)));
};

export const regions = async (call: Call): Promise<Answer> => ok(regionList(call.hsms.show(call.hsm, hsmPath(call.path))));

export const linkResources = async (call: Call): Promise<Answer> => ok(privateLinkResources(call.hsms.show(call.hsm, hsmPath(call.path))));

/** @NOTE differs: private endpoint connections are not built; an HSM never has one. */
export const connections = async (call: Call): Promise<Answer> => {
  call.hsms.show(call.hsm, hsmPath(call.path));
  return ok({ value: [] });
};

export const noConnections = async (call: Call): Promise<Answer> => {
  call.hsms.show(call.hsm, hsmPath(call.path));
  throw refuse('NotSupported', { operation: 'A private endpoint connection' });
};

/**
 * The result of a long-running operation: all of it stands in the URL and in the record. Before its end 202 with a fresh Location; after it, deletion and
 * purge are 200 and empty, the others 200 with the resource as it is now.
 */
export const operationResult = async (call: Call): Promise<Answer> => {
  const { path, query, hsms, hsm, door, apiVersion } = call;
  const operation = query.get('operation');
  const incarnation = guid(path.raw.operation ?? '');
  const readyAt = Number(query.get('readyat'));
  const names = { name: query.get('name') ?? '', group: query.get('group') ?? '' };
  if (!isOperation(operation) || incarnation === undefined || !Number.isSafeInteger(readyAt) || readyAt <= 0) throw refuse('DeletedHsmNotFound');
  if (hsm.now < readyAt) {
    const url = operationUrl(door.hosts.controlHost, { subscription: path.subscription, location: path.location, incarnation, apiVersion, operation, readyAt, ...names });
    return { status: 202, headers: { Location: url, 'Retry-After': RETRY_AFTER_SECONDS } };
  }
  if (operation === 'delete' || operation === 'purge') return { status: 200 };
  return ok(bodyFor(call)(hsms.result(hsm, path, incarnation, names)));
};
