// What each data-plane operation on keys does with its call, between the stages and the service.
import { refuse } from '../domain/errors';
import { keyKey, keyVersion } from '../domain/names';
import type { KeyCall } from './dataPlane';
import { checkValidity, deletedKeyBundle, deletedKeyItem, keyBundle, keyChangeOf, keyCreateOf, keyItem, versionItem } from './keyWire';
import { type Answer, ok } from './render';

const PAGE_MAX = 25;

export const createKey = async ({ keys, hsm, key, body }: KeyCall): Promise<Answer> => {
  const { record, version } = await keys.create(hsm, key, keyCreateOf(body));
  return ok(keyBundle(hsm, record, version));
};

export const getKey = async ({ keys, hsm, key, version }: KeyCall): Promise<Answer> => {
  const seen = await keys.loadUsableKey(hsm, key, version);
  return ok(keyBundle(hsm, seen.record, seen.version));
};

export const updateKey = async ({ keys, hsm, key, version, body }: KeyCall): Promise<Answer> => {
  const seen = await keys.update(hsm, key, version, (before) => {
    const change = keyChangeOf(body, before.publicParts.kty);
    checkValidity({ ...before.attributes, ...change.attributes });
    return change;
  });
  return ok(keyBundle(hsm, seen.record, seen.version));
};

export const deleteKey = async ({ keys, hsm, key }: KeyCall): Promise<Answer> => ok(deletedKeyBundle(hsm, await keys.remove(hsm, key)));

export const getKeys = async (call: KeyCall): Promise<Answer> => listed(call, 'active');
export const getDeletedKeys = async (call: KeyCall): Promise<Answer> => listed(call, 'deleted');

async function listed({ keys, hsm, query }: KeyCall, state: 'active' | 'deleted'): Promise<Answer> {
  const { limit, token } = pageOf(query);
  const { items, next } = await keys.list(hsm, state, limit, token === undefined ? undefined : tokenOf(keyKey, token));
  const collection = state === 'active' ? 'keys' : 'deletedkeys';
  return page(hsm.host, collection, limit, items.map((state === 'active' ? keyItem : deletedKeyItem)(hsm)), next);
}

export const getKeyVersions = async ({ keys, hsm, key, query }: KeyCall): Promise<Answer> => {
  const { limit, token } = pageOf(query);
  const { record, items, next } = await keys.versions(hsm, key, limit, token === undefined ? undefined : tokenOf(keyVersion, token));
  return page(hsm.host, `keys/${key.display}/versions`, limit, record ? items.map(versionItem(hsm, record)) : [], next);
};

export const getDeletedKey = async ({ keys, hsm, key }: KeyCall): Promise<Answer> => ok(deletedKeyBundle(hsm, await keys.showDeleted(hsm, key)));

export const recoverDeletedKey = async ({ keys, hsm, key }: KeyCall): Promise<Answer> => {
  const record = await keys.recover(hsm, key);
  return ok(keyBundle(hsm, record, record.current));
};

export const purgeDeletedKey = async ({ keys, hsm, key }: KeyCall): Promise<Answer> => {
  await keys.purge(hsm, key);
  return { status: 204 };
};

function pageOf(query: ReadonlyMap<string, string>): { readonly limit: number; readonly token: string | undefined } {
  const text = query.get('maxresults');
  if (text !== undefined && !(/^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= PAGE_MAX))
    throw refuse('BadParameter', { reason: `maxresults must be a whole number from 1 to ${PAGE_MAX}.` });
  return { limit: text === undefined ? PAGE_MAX : Number(text), token: query.get('$skiptoken') };
}

/** A token is a name that was shown, used only as "greater than" among the caller's own rows. */
function tokenOf(nameOf: (text: string) => string | undefined, token: string): string {
  const name = nameOf(token);
  if (name === undefined) throw refuse('BadParameter', { reason: '$skiptoken is not one of ours. Use the link of the page before, unchanged.' });
  return name;
}

const page = (host: string, collection: string, limit: number, value: readonly unknown[], next: string | undefined): Answer =>
  ok({
    value,
    ...(next !== undefined && {
      nextLink: `https://${host}/${collection}?${new URLSearchParams({ maxresults: String(limit), $skiptoken: next }).toString().replaceAll('%24', '$')}`,
    }),
  });
