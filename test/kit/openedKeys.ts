// Opens what is sealed in rows of the tables, as somebody would who has the rows and a root key: as the service does it, and by brute force with every wrapped key that those rows hold.
import { createHash } from 'node:crypto';
import { decrypted } from '../../shared/adapters/aesGcm';
import { fileRootKey, type RootKey } from '../../shared/adapters/rootKey';
import { sealing } from '../../shared/adapters/sealing';
import { fromColumns } from '../../shared/adapters/tableLayout';
import type { KeyRecord, KeyVersion, VersionRecord } from '../../shared/domain/key';
import type { HsmRecord } from '../../shared/domain/managedHsm';
import type { StoredRow } from './storage';

/** Rows of the tables `hsms` and `keys`. */
export type Rows = { readonly hsms: readonly StoredRow[]; readonly keys: readonly StoredRow[] };

/** A private part: PKCS#8 DER, or the bytes of an oct key. */
export type Opened = { readonly version: string; readonly kty: string; readonly secret: Buffer };

type Sealed = KeyVersion & { readonly partition: string; readonly keyIncarnation: string };

/** @param file of a root key that exists */
export const rootKeyIn = (file: string): Promise<RootKey> => fileRootKey(file, { isStoreEmpty: async () => false });

/** The sealed versions in rows, current and older ones. */
export function sealedVersions({ keys }: Rows): readonly Sealed[] {
  const current = keyRecords(keys).map(({ partition, record }) => ({ ...record.current, partition, keyIncarnation: record.incarnation }));
  const older = keys.filter(({ rowKey }) => rowKey.startsWith('v!')).map((row) => ({ ...(fromColumns(row) as unknown as VersionRecord), partition: row.partitionKey }));
  return [...current, ...older];
}

/** As the service opens them: each version by the record of its key and the record of its HSM. */
export async function openAsService(rootKey: RootKey, rows: Rows): Promise<readonly Opened[]> {
  const seals = sealing(rootKey, { now: () => 0 });
  const attempts = sealedVersions(rows).map(({ partition, keyIncarnation, ...version }) => async () => {
    const hsm = hsmRecords(rows.hsms).find(({ record }) => record.incarnation === partition);
    const key = keyRecords(rows.keys).find(({ record }) => record.incarnation === keyIncarnation);
    if (!hsm || !key) return undefined;
    const seal = { hsm: hsm.name, incarnation: partition, wrappedSealingKey: hsm.record.wrappedSealingKey };
    const facts = {
      version: version.version,
      kty: version.publicParts.kty,
      sizeOrCurve: version.sizeOrCurve,
      exportable: version.attributes.exportable,
      releasePolicyHash: undefined,
    };
    return opened(version, await seals.open(seal, { incarnation: keyIncarnation, wrappedDataKey: key.record.wrappedDataKey }, facts, version.sealed));
  });
  const found = await succeeded(attempts);
  seals.forget();
  return found;
}

/** Sealing keys of HSMs, then data keys of keys, unwrapped: what stands between the root key and the private parts. */
export async function unwrappedKeys(rootKey: RootKey, { hsms, keys }: Rows): Promise<{ readonly sealingKeys: readonly Buffer[]; readonly dataKeys: readonly Buffer[] }> {
  const sealingKeys = await succeeded(
    hsmRecords(hsms).map(({ name, record }) => async () => {
      const facts = createHash('sha256')
        .update(JSON.stringify(['sealing-key-1', name, record.incarnation]))
        .digest();
      return (await rootKey.unwrap(record.wrappedSealingKey, facts)).subarray(-32);
    }),
  );
  const dataKeys = await succeeded(
    keyRecords(keys).flatMap(({ partition, record }) => sealingKeys.map((key) => async () => decrypted(key, 'data-key-1', [partition, record.incarnation], record.wrappedDataKey))),
  );
  return { sealingKeys, dataKeys };
}

/** By brute force: each sealed version in `sealed` under each data key that can be had from `live`, as if it were its own. */
export async function openByForce(rootKey: RootKey, live: Rows, sealed: Rows = live): Promise<readonly Opened[]> {
  const { dataKeys } = await unwrappedKeys(rootKey, live);
  return succeeded(
    sealedVersions(sealed).flatMap((version) => {
      const facts = [version.partition, version.keyIncarnation, version.version, version.publicParts.kty, version.sizeOrCurve, version.attributes.exportable, null];
      return dataKeys.map((key) => async () => opened(version, decrypted(key, 'version-1', facts, version.sealed)));
    }),
  );
}

const hsmRecords = (rows: readonly StoredRow[]) =>
  rows.filter(({ rowKey }) => rowKey === '!hsm').map((row) => ({ name: row.partitionKey, record: fromColumns(row) as unknown as HsmRecord }));

const keyRecords = (rows: readonly StoredRow[]) =>
  rows.filter(({ rowKey }) => rowKey.startsWith('k!')).map((row) => ({ partition: row.partitionKey, record: fromColumns(row) as unknown as KeyRecord }));

const opened = ({ version, publicParts }: KeyVersion, secret: Buffer): Opened => ({ version, kty: publicParts.kty, secret });

async function succeeded<T>(attempts: readonly (() => Promise<T | undefined>)[]): Promise<readonly T[]> {
  const found: T[] = [];
  for (const attempt of attempts) {
    const one = await attempt().catch(() => undefined);
    if (one !== undefined) found.push(one);
  }
  return found;
}
