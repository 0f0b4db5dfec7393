// The data plane's work on keys: read, decide, commit. Every operation has read the HSM before it comes here; `loadUsableKey` is the only door to a live key.
import { refuse } from '../domain/errors';
import {
  activeKey,
  checkVersions,
  createKey,
  type DecidedKey,
  deletedKey,
  deleteKey,
  type FoundKey,
  type KeyAttributes,
  type KeyChange,
  type KeyPath,
  type KeyRecord,
  type KeySetting,
  type KeyVersion,
  purgeKey,
  recoverKey,
  updateKey,
  updateVersion,
  type VersionRecord,
} from '../domain/key';
import { type KeySpec, sizeOrCurveOf } from '../domain/keySpec';
import { admit, stateAt } from '../domain/lifecycle';
import type { HsmRecord } from '../domain/managedHsm';
import type { Row, Value } from '../domain/plan';
import { dueRow, keyRow, ranges, versionRow } from '../domain/rows';
import type { Instant } from '../domain/time';
import type { Clocked, HsmSeal, Ports } from '../ports';
import { commit } from './commit';
import { deletionIds } from './deletionIds';
import { readFence } from './fence';
import type { Parameters } from './parameters';
import type { Retention } from './retention';

/** The active HSM that a request works in, as it was read. `host` is its host, for ids. */
export type ActiveHsm = { readonly record: HsmRecord; readonly name: string; readonly host: string };

export type KeyCreate = { readonly spec: KeySpec; readonly keyOps: readonly string[]; readonly attributes: KeyAttributes; readonly tags: Readonly<Record<string, string>> };

/** A key as a request sees it: the record, and the version asked for. */
export type SeenKey = { readonly record: KeyRecord; readonly version: KeyVersion };
export type KeyPage<T> = { readonly items: readonly T[]; readonly next?: string };

export type Keys = ReturnType<typeof keys>;

export function keys(ports: Ports, parameters: Parameters, retention: Pick<Retention, 'expireKey'>) {
  const { store, ids, sealing, material } = ports;

  const read = (hsm: ActiveHsm, name: string): Promise<Clocked<FoundKey>> => store.row<KeyRecord>('keys', hsm.record.incarnation, keyRow(name));
  const rowOf = async (hsm: ActiveHsm, row: string): Promise<Row<Value> | undefined> => (await store.row<Value>('keys', hsm.record.incarnation, row)).found;
  const dueOf = async (hsm: ActiveHsm, found: FoundKey): Promise<Row<Value> | undefined> =>
    found?.value.deletion && rowOf(hsm, dueRow(found.value.deletion.purgeAt, found.value.deletion.deletionId));

  const settingOf = (hsm: ActiveHsm, path: KeyPath, now: Instant): KeySetting => ({
    hsm: hsm.record,
    hsmName: hsm.name,
    path,
    now,
    daySeconds: parameters.daySeconds,
    transitionSeconds: parameters.transitionSeconds,
  });

  const sealOf = ({ name, record }: ActiveHsm): HsmSeal => ({ hsm: name, incarnation: record.incarnation, wrappedSealingKey: record.wrappedSealingKey });

  /** The door: a key that is active, in an HSM that was active when the request read it. @throws KeyNotFound */
  async function loadUsableKey(hsm: ActiveHsm, path: KeyPath, version: string | undefined): Promise<SeenKey> {
    const { found, now } = await read(hsm, path.name);
    const record = activeKey(found, path, now);
    if (version === undefined || version === record.current.version) return { record, version: record.current };
    const older = await store.row<VersionRecord>('keys', hsm.record.incarnation, versionRow(record.incarnation, version));
    if (!older.found) throw versionNotFound(path, version);
    return { record, version: older.found.value };
  }

  /** Creates a key, or a version of a live one. @throws KeyNameHeld, TooManyVersions, Throttled */
  async function create(hsm: ActiveHsm, path: KeyPath, { spec, keyOps, attributes, tags }: KeyCreate): Promise<SeenKey> {
    const incarnation = ids.guid();
    const version = ids.guid().replaceAll('-', '');
    let made: Awaited<ReturnType<typeof material.generate>> | undefined;
    let dataKey: string | undefined;
    /** What a new key is born with: one per command. */
    const coin = async () => {
      dataKey ??= await sealing.newDataKey(sealOf(hsm), incarnation);
      return { incarnation, wrappedDataKey: dataKey };
    };
    const decide = async ({ found, now }: Clocked<FoundKey>): Promise<DecidedKey | 'expire'> => {
      const outcome = admit(found?.value, 'create', now);
      if (outcome === 'expireFirst') return 'expire';
      if (outcome === 'nameHeld') throw refuse('KeyNameHeld', { name: path.display });
      // Before the work of making a key: seconds of a processor for a large one.
      if (found && outcome === 'update') checkVersions(found.value);
      made ??= await material.generate(spec);
      const coined = found && outcome === 'update' ? found.value : await coin();
      const seal = { version, kty: spec.kty, sizeOrCurve: sizeOrCurveOf(spec), exportable: attributes.exportable, releasePolicyHash: undefined };
      const sealed = await sealing.seal(sealOf(hsm), coined, seal, made.secret);
      const body: KeyVersion = { version, publicParts: made.publicParts, sizeOrCurve: seal.sizeOrCurve, keyOps, attributes, tags, created: now, updated: now, sealed };
      return createKey(found, { incarnation: coined.incarnation, wrappedDataKey: coined.wrappedDataKey }, body, settingOf(hsm, path, now));
    };
    try {
      return await commit(ports, async () => {
        const first = await read(hsm, path.name);
        let decided = await decide(first);
        if (decided === 'expire' && first.found?.value.deletion) {
          await retention.expireKey({ hsm: hsm.name, incarnation: hsm.record.incarnation, key: path.name }, first.found.value.deletion.deletionId, 'create');
          decided = await decide(await read(hsm, path.name));
        }
        if (decided === 'expire') throw refuse('Contended');
        return { plan: decided.plan, answer: { record: decided.record, version: decided.record.current } };
      });
    } finally {
      made?.secret.fill(0);
    }
  }

  /** @param changeOf says what to change of the version as it is read. @throws KeyNotFound, OperationInProgress, and what `changeOf` refuses */
  async function update(hsm: ActiveHsm, path: KeyPath, version: string | undefined, changeOf: (before: KeyVersion) => KeyChange): Promise<SeenKey> {
    return commit<SeenKey>(ports, async () => {
      const { found, now } = await read(hsm, path.name);
      const setting = settingOf(hsm, path, now);
      admit(found?.value, 'create', now);
      const record = activeKey(found, path, now);
      if (version === undefined || version === record.current.version) {
        const decided = updateKey(found, changeOf(record.current), setting);
        return { plan: decided.plan, answer: { record: decided.record, version: decided.record.current } };
      }
      const older = await store.row<VersionRecord>('keys', hsm.record.incarnation, versionRow(record.incarnation, version));
      if (!older.found) throw versionNotFound(path, version);
      const decided = updateVersion(found, older.found, changeOf(older.found.value), setting);
      return { plan: decided.plan, answer: { record, version: decided.version } };
    });
  }

  /** @throws KeyNotFound */
  async function remove(hsm: ActiveHsm, path: KeyPath): Promise<KeyRecord> {
    const idFor = deletionIds(ids);
    return commit<KeyRecord>(ports, async () => {
      const { found, now } = await read(hsm, path.name);
      const { plan, record } = deleteKey(found, idFor(found?.value.incarnation), settingOf(hsm, path, now));
      return { plan, answer: record };
    });
  }

  /** @throws KeyNotFound */
  async function recover(hsm: ActiveHsm, path: KeyPath): Promise<KeyRecord> {
    return commit<KeyRecord>(ports, async () => {
      const { found, now } = await read(hsm, path.name);
      const { plan, record } = recoverKey(found, await dueOf(hsm, found), settingOf(hsm, path, now));
      return { plan, answer: record };
    });
  }

  /** @throws KeyNotFound, KeyPurgeProtected */
  async function purge(hsm: ActiveHsm, path: KeyPath): Promise<void> {
    await commit(ports, async () => {
      const { found, now } = await read(hsm, path.name);
      const [due, fence] = await Promise.all([dueOf(hsm, found), readFence(store, hsm.record.incarnation)]);
      // A fence that looks closed may be one that is being erased with its HSM; keys go before it does, so the key tells which.
      const isLost = fence.guard && !fence.open && !(await read(hsm, path.name)).found;
      return { plan: purgeKey(isLost ? undefined : found, due, fence, settingOf(hsm, path, now)), answer: undefined };
    });
  }

  /** @throws KeyNotFound */
  async function showDeleted(hsm: ActiveHsm, path: KeyPath): Promise<KeyRecord> {
    const { found, now } = await read(hsm, path.name);
    return deletedKey(found, path, now);
  }

  /** Keys in the order of their names, `after` one, in one state, those in transition left out. A page costs what it shows and what it passes over. */
  async function list(hsm: ActiveHsm, state: 'active' | 'deleted', limit: number, after: string | undefined): Promise<KeyPage<KeyRecord>> {
    const range = { table: 'keys', partition: hsm.record.incarnation, ...ranges.keys, ...(after !== undefined && { from: `${keyRow(after)}!` }) } as const;
    const items: KeyRecord[] = [];
    let next: string | undefined;
    let last = '';
    do {
      const { found, now } = await store.page<KeyRecord>(range, limit + 1, next);
      for (const { row, value } of found.rows) {
        if (stateAt(value, now) !== state || (value.window && now < value.window.readyAt)) continue;
        if (items.length === limit) return { items, next: last };
        items.push(value);
        last = row.slice(keyRow('').length);
      }
      next = found.next;
    } while (next !== undefined);
    return { items };
  }

  /** All versions of a key, oldest first; none of a key that is not active. At most 100, so they are read whole. */
  async function versions(hsm: ActiveHsm, path: KeyPath, limit: number, after: string | undefined): Promise<KeyPage<KeyVersion> & { readonly record?: KeyRecord }> {
    const { found, now } = await read(hsm, path.name);
    if (!found || stateAt(found.value, now) !== 'active' || (found.value.window && now < found.value.window.readyAt)) return { items: [] };
    const record = found.value;
    const all: KeyVersion[] = [record.current];
    let next: string | undefined;
    do {
      const page = await store.page<VersionRecord>({ table: 'keys', partition: hsm.record.incarnation, ...ranges.versions(record.incarnation) }, 100, next);
      // A version that was current at the first read may have been put aside since.
      all.push(...page.found.rows.map((row) => row.value).filter(({ version }) => version !== record.current.version));
      next = page.found.next;
    } while (next !== undefined);
    all.sort((a, b) => a.created - b.created || (a.version < b.version ? -1 : 1));
    const from = after === undefined ? 0 : all.findIndex(({ version }) => version === after) + 1;
    const items = all.slice(from, from + limit);
    const lastShown = items.at(-1);
    return { record, items, ...(from + limit < all.length && lastShown && { next: lastShown.version }) };
  }

  return { loadUsableKey, create, update, remove, recover, purge, showDeleted, list, versions };
}

const versionNotFound = ({ host, display }: KeyPath, version: string) => refuse('KeyNotFound', { url: `https://${host}/keys/${display}/${version}` });
