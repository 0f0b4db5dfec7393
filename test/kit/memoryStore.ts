// The store in memory: Table Storage's conditions, order, pages, clock and limits, as synchronous functions, so that a simulator owns every yield point. The contract suite holds it against Azurite.
import { checkTransaction } from '../../shared/adapters/tableLayout';
import type { Row, Table, Transaction, Value, Write } from '../../shared/domain/plan';
import type { Instant } from '../../shared/domain/time';
import type { Clocked, Page, Range, Store, TransactAnswer } from '../../shared/ports';

export type MemoryStore = ReturnType<typeof createMemoryStore>;
type StoredRow = Row<Value> & { readonly table: Table };

type Partition = { readonly rows: Map<string, Row<Value>>; sorted: readonly string[] | undefined };
type Partitions = { readonly all: Map<string, Partition>; sorted: readonly string[] | undefined };

/** The service's own maximum of rows in a page. */
const PAGE_ROWS_MAX = 1000;

/**
 * @param now the storage's clock, whole seconds, without the development offset.
 * @param offsetSeconds the development offset, read at each call; 0 by default.
 * @param emptyPages asked at each page: may this one come empty, with a continuation? Never by default.
 * @param strict holds every write against the service's limits; a simulator switches that off for speed.
 */
export function createMemoryStore({
  now,
  offsetSeconds = () => 0,
  emptyPages = () => false,
  strict = true,
}: {
  readonly now: () => Instant;
  readonly offsetSeconds?: () => number;
  readonly emptyPages?: () => boolean;
  readonly strict?: boolean;
}) {
  const tables: Record<Table, Partitions> = { hsms: emptyTable(), keys: emptyTable(), subscriptions: emptyTable() };
  let etags = 0;

  const clocked = <T>(found: T): Clocked<T> => {
    const storageAt = now();
    return { found, now: storageAt + offsetSeconds(), storageAt };
  };

  /** A point read. What it returns is frozen. */
  const row = <V extends Value>(table: Table, partition: string, key: string): Clocked<Row<V> | undefined> =>
    clocked(tables[table].all.get(partition)?.rows.get(key) as Row<V> | undefined);

  /** One page, as {@link Store.page}. */
  function page<V extends Value>(range: Range, limit: number, next?: string): Clocked<Page<V>> {
    const resume = next === undefined ? undefined : (JSON.parse(next) as readonly [partition: string, row: string]);
    if (emptyPages()) return clocked({ rows: [], next: next ?? JSON.stringify(['', '']) });
    const rows: Row<V>[] = [];
    for (const found of matching(tables[range.table], range, resume)) {
      if (rows.length === Math.min(limit, PAGE_ROWS_MAX)) return clocked({ rows, next: JSON.stringify([found.partition, found.row]) });
      rows.push(found as Row<V>);
    }
    return clocked({ rows });
  }

  /** All or none. @throws as the adapter does for what passes the service's limits, if strict */
  function transact(transaction: Transaction): TransactAnswer {
    if (strict) checkTransaction(transaction);
    const table = tables[transaction.table];
    const partition = table.all.get(transaction.partition);
    for (const write of transaction.writes) {
      const status = refusal(write, partition?.rows.get(write.row));
      if (status) return { kind: 'refused', status };
    }
    const writtenAt = now();
    const into = partition ?? addPartition(table, transaction.partition);
    for (const write of transaction.writes) {
      if (write.kind === 'insert' || write.kind === 'delete') into.sorted = undefined;
      const value = write.kind === 'touch' ? into.rows.get(write.row)?.value : write.kind === 'delete' ? undefined : frozenCopy(write.value);
      if (value === undefined) into.rows.delete(write.row);
      else into.rows.set(write.row, Object.freeze({ partition: transaction.partition, row: write.row, etag: `W/"${++etags}"`, writtenAt, value: value as Value }));
    }
    if (into.rows.size === 0) {
      table.all.delete(transaction.partition);
      table.sorted = undefined;
    }
    return { kind: 'stored' };
  }

  /** Every stored row, in no particular order. */
  function* rows(): Generator<StoredRow> {
    for (const table of ['hsms', 'keys', 'subscriptions'] as const)
      for (const partition of tables[table].all.values()) for (const found of partition.rows.values()) yield { table, ...found };
  }

  return {
    row,
    page,
    transact,
    rows,
    /** What is stored, without ETags and instants: `table/partition/row` to value, in order. For comparisons. */
    snapshot: (): Readonly<Record<string, Value>> =>
      Object.fromEntries([...rows()].map((found) => [`${found.table}/${found.partition}/${found.row}`, found.value] as const).sort(([a], [b]) => (a < b ? -1 : 1))),
    /** The port: the same functions behind promises. */
    asStore: (): Store => ({ row: async (...read) => row(...read), page: async (...read) => page(...read), transact: async (transaction) => transact(transaction) }),
  };
}

const emptyTable = (): Partitions => ({ all: new Map(), sorted: undefined });

function addPartition(table: Partitions, name: string): Partition {
  const partition: Partition = { rows: new Map(), sorted: undefined };
  table.all.set(name, partition);
  table.sorted = undefined;
  return partition;
}

/** The service's order of checks: a row that is missing is 404, whatever the condition. */
function refusal(write: Write, found: Row<Value> | undefined): 404 | 409 | 412 | undefined {
  if (write.kind === 'insert') return found ? 409 : undefined;
  if (!found) return 404;
  if (write.kind === 'touch') return undefined;
  return write.etag === '*' || write.etag === found.etag ? undefined : 412;
}

function* matching(table: Partitions, range: Range, resume: readonly [partition: string, row: string] | undefined): Generator<Row<Value>> {
  const { from, to, where } = range;
  for (const name of range.partition === undefined ? sortedKeys(table, table.all) : [range.partition]) {
    const partition = table.all.get(name);
    if (!partition || (range.afterPartition !== undefined && name <= range.afterPartition) || (resume && name < resume[0])) continue;
    for (const key of sortedKeys(partition, partition.rows)) {
      if (key < from || (resume && name === resume[0] && key < resume[1])) continue;
      if (key >= to) break;
      const found = partition.rows.get(key);
      if (found && (!where || found.value[where.member] === where.equals)) yield found;
    }
  }
}

/** Sorted once after each change, and only where a range is read. Text order is ordinal, as the service's. */
function sortedKeys(holder: { sorted: readonly string[] | undefined }, map: ReadonlyMap<string, unknown>): readonly string[] {
  holder.sorted ??= [...map.keys()].sort();
  return holder.sorted;
}

/** Everything that a store gave out or took in: shared from then on, never copied again. */
const frozen = new WeakSet<object>();

/** What JSON.parse(JSON.stringify(value)) would give, frozen. */
function frozenCopy(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value === 'bigint') throw new TypeError('JSON has no bigint');
  if (typeof value !== 'object' || value === null || frozen.has(value)) return value;
  if ('toJSON' in value && typeof value.toJSON === 'function') return frozenCopy(value.toJSON());
  const copy: object = Array.isArray(value) ? value.map((item) => frozenCopy(item) ?? null) : {};
  if (!Array.isArray(value))
    for (const [name, member] of Object.entries(value)) {
      const copied = frozenCopy(member);
      if (copied === undefined) continue;
      // Assigned, this one name would set the prototype.
      if (name === '__proto__') Object.defineProperty(copy, name, { value: copied, enumerable: true, configurable: true, writable: true });
      else (copy as Record<string, unknown>)[name] = copied;
    }
  frozen.add(copy);
  return Object.freeze(copy);
}
