// The one key that the unit tests tell their stories about: `First` in HSM `contoso`, created on the 1st with the version f1; when deleted, then on the 2nd, due on the 9th.
import type { KeyPath, KeyRecord, KeySetting, KeyVersion, VersionRecord } from '../../../shared/domain/key';
import type { Deletion } from '../../../shared/domain/lifecycle';
import type { Row, Value } from '../../../shared/domain/plan';
import type { Instant } from '../../../shared/domain/time';
import { at, contoso, INCARNATION } from './contoso';

export const FIRST = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa';
export const KEY_DELETION = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb';
export const HOST = 'contoso.managedhsm.azure.net';
export const F0 = 'f0'.repeat(16);
export const F1 = 'f1'.repeat(16);
export const F2 = 'f2'.repeat(16);

export const keyPath = (more: Partial<KeyPath> = {}): KeyPath => ({ host: HOST, name: 'first', display: 'FIRST', ...more });

export const keyVersion = (more: Partial<KeyVersion> = {}): KeyVersion => ({
  version: F1,
  publicParts: { kty: 'EC-HSM', crv: 'P-256', x: 'x1', y: 'y1' },
  sizeOrCurve: 'P-256',
  keyOps: ['sign', 'verify'],
  attributes: { enabled: true, exportable: false },
  tags: { dept: 'hsm' },
  created: at('2027-01-01T00:00:00Z'),
  updated: at('2027-01-01T00:00:00Z'),
  sealed: 'sealed-f1',
  ...more,
});

export const firstKey = (more: Partial<KeyRecord> = {}): KeyRecord => ({
  name: 'First',
  incarnation: FIRST,
  wrappedDataKey: 'wrapped-data-key',
  versions: 1,
  current: keyVersion(),
  writeId: 'write-1',
  ...more,
});

/** Deleted on the 2nd, due on the 9th. */
export const keyDeletion: Deletion = { deletionId: KEY_DELETION, deletedAt: at('2027-01-02T00:00:00Z'), purgeAt: at('2027-01-09T00:00:00Z') };

export const keyRowOf = (record: KeyRecord, etag = 'key-etag'): Row<KeyRecord> => ({
  partition: INCARNATION,
  row: 'k!first',
  etag,
  writtenAt: at('2027-01-01T00:00:00Z'),
  value: record,
});

/** A row beside it in its partition. */
export const rowBeside = <V extends Value = Value>(row: string, etag: string, value: V = {} as V): Row<V> => ({
  partition: INCARNATION,
  row,
  etag,
  writtenAt: at('2027-01-01T00:00:00Z'),
  value,
});

/** The version before f1, put away in its own row. */
export const olderVersion: Row<VersionRecord> = rowBeside(`v!${FIRST}!${F0}`, 'older-etag', {
  ...keyVersion({ version: F0, sealed: 'sealed-f0', created: at('2026-12-01T00:00:00Z'), updated: at('2026-12-01T00:00:00Z') }),
  keyIncarnation: FIRST,
});

export const keySetting = (now: Instant, more: Partial<KeySetting> = {}): KeySetting => ({
  hsm: contoso(),
  hsmName: 'contoso',
  path: keyPath(),
  now,
  daySeconds: 86_400,
  transitionSeconds: 0,
  ...more,
});
