// Ports on the memory store for the data plane's services: a storage clock that tests set, ids in their order, keys that are texts. What was asked of the other ports is noted in order.
import { refuse } from '../../../shared/domain/errors';
import type { KeySpec } from '../../../shared/domain/keySpec';
import type { HsmRecord } from '../../../shared/domain/managedHsm';
import type { Row, Table, Value } from '../../../shared/domain/plan';
import type { Instant } from '../../../shared/domain/time';
import type { Ports, Store } from '../../../shared/ports';
import type { Parameters } from '../../../shared/service/parameters';
import { createMemoryStore } from '../../kit/memoryStore';
import { at, contoso, TENANT } from './contoso';

export type Shelf = ReturnType<typeof createShelf>;

export const parameters = (more: Partial<Parameters> = {}): Parameters => ({
  tenantId: TENANT,
  daySeconds: 86_400,
  transitionSeconds: 0,
  grantsAtCreation: [],
  lroSeconds: () => 0,
  functionTimeoutSeconds: 300,
  erasePageRows: 100,
  ...more,
});

/** @param emptyPages has every page come empty first, as the service may. */
export function createShelf({ emptyPages = false }: { readonly emptyPages?: boolean } = {}) {
  let now = at('2027-01-01T00:00:00Z');
  let hostAheadSeconds = 0;
  let ids = 0;
  let pagesAsked = 0;
  const events: string[] = [];
  const secrets: Buffer[] = [];
  const failing = new Set<string>();
  let meanwhile: (() => unknown) | undefined;
  const memory = createMemoryStore({ now: () => now, emptyPages: () => emptyPages && pagesAsked++ % 2 === 0 });
  const kept = memory.asStore();
  const note = (event: string): void => {
    events.push(event);
    if (failing.has(event)) throw refuse('Unavailable');
  };
  const store: Store = {
    row: async (...read) => {
      note(`row ${read.join(' ')}`);
      return kept.row(...read);
    },
    page: async (range, limit, next) => {
      note(`page ${range.table} ${range.partition ?? '*'} ${range.from}`);
      return kept.page(range, limit, next);
    },
    transact: async (transaction) => {
      const first = meanwhile;
      meanwhile = undefined;
      await first?.();
      note(`transact ${transaction.writes.map(({ kind, row }) => `${kind} ${row}`).join(', ')}`);
      return kept.transact(transaction);
    },
  };
  const ports: Ports = {
    store,
    queue: { send: async ({ hsm, incarnation, key }) => note(`send ${hsm} ${incarnation}${key ? ` ${key.name} ${key.incarnation}` : ''}`) },
    timers: {
      start: async ({ deletionId, hsm, incarnation, key, purgeAt }) => note(`start ${deletionId} ${hsm} ${incarnation} ${key?.name} ${key?.incarnation} ${purgeAt}`),
      end: async (deletionId) => note(`end ${deletionId}`),
    },
    sealing: {
      newSealingKey: async ({ hsm, incarnation }) => `sealing-key(${hsm} ${incarnation})`,
      newDataKey: async ({ hsm, incarnation, wrappedSealingKey }, key) => {
        note(`newDataKey ${key}`);
        return `data-key(${hsm} ${incarnation} ${wrappedSealingKey} ${key})`;
      },
      seal: async (_, { incarnation, wrappedDataKey }, { version, kty, sizeOrCurve, exportable, releasePolicyHash }, secret) =>
        `sealed(${[incarnation, wrappedDataKey, version, kty, sizeOrCurve, exportable, releasePolicyHash, secret].join(' ')})`,
      open: async () => {
        throw new Error('nothing opens a key here');
      },
    },
    material: {
      generate: async (spec: KeySpec) => {
        note(`generate ${spec.kty}`);
        const secret = Buffer.from(`secret-${secrets.push(Buffer.alloc(0))}`);
        secrets[secrets.length - 1] = secret;
        const publicParts = spec.kty === 'EC-HSM' ? { ...spec, x: 'x', y: 'y' } : spec.kty === 'RSA-HSM' ? { kty: spec.kty, n: 'n', e: 'AQAB' } : { kty: spec.kty };
        return { publicParts, secret };
      },
    },
    ids: { guid: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}` },
    hostClock: { now: () => now + hostAheadSeconds },
    log: (level, line) => void events.push(`${level}: ${line}`),
  };

  return {
    ports,
    memory,
    events,
    /** What the material port made, as its callers have left it. */
    secrets,
    /** Moves both clocks; the host's `hostAhead` seconds further. */
    set(text: string, hostAhead = 0): void {
      now = at(text);
      hostAheadSeconds = hostAhead;
    },
    now: (): Instant => now,
    /** Done once, between the next decision and its write. */
    meanwhile(act: () => unknown): void {
      meanwhile = act;
    },
    /** An event of that text throws from now on. */
    fail: (event: string) => failing.add(event),
    heal: () => failing.clear(),
    put(table: Table, partition: string, row: string, value: Value): void {
      const found = memory.row(table, partition, row).found;
      const { kind } = memory.transact({ table, partition, writes: [found ? { kind: 'replace', row, etag: found.etag, value } : { kind: 'insert', row, value }] });
      if (kind !== 'stored') throw new Error(`${row} was not stored`);
    },
    putHsm(record: HsmRecord = contoso()): void {
      this.put('hsms', record.name.toLowerCase(), '!hsm', record);
    },
    find: <V extends Value>(table: Table, partition: string, row: string): Row<V> | undefined => memory.row<V>(table, partition, row).found,
    /** Names of rows in a partition, in order. */
    rows: (table: Table, partition: string): readonly string[] =>
      [...memory.rows()]
        .filter((found) => found.table === table && found.partition === partition)
        .map(({ row }) => row)
        .sort(),
    /** What happened since the last look. */
    happened: (): readonly string[] => events.splice(0),
  };
}
