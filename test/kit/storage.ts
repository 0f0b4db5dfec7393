// The tables behind a service, read and written past it: what a test asserts of rows, and the rows that stand in for what later features will own.
import { TableClient } from '@azure/data-tables';
import { QueueServiceClient } from '@azure/storage-queue';

export type TableName = 'hsms' | 'keys' | 'subscriptions';

/** A row as the table has it: its keys, its columns, `etag` and `timestamp`. */
export type StoredRow = { readonly partitionKey: string; readonly rowKey: string; readonly etag: string; readonly timestamp: string; readonly [column: string]: unknown };

const TABLES: readonly TableName[] = ['hsms', 'keys', 'subscriptions'];
/** An entity-group transaction takes no more. */
const TRANSACTION_ROWS = 100;

/** @param connectionString of the storage itself, not of a proxy in front of it */
export function openStorage(connectionString: string) {
  const clients = Object.fromEntries(TABLES.map((table) => [table, TableClient.fromConnectionString(connectionString, table, { allowInsecureConnection: true })])) as Record<
    TableName,
    TableClient
  >;

  /** Every row of a table, or of one partition of it, in the table's order. */
  async function rows(table: TableName, partition?: string): Promise<readonly StoredRow[]> {
    const found: StoredRow[] = [];
    for await (const entity of clients[table].listEntities()) if (partition === undefined || entity.partitionKey === partition) found.push(entity as unknown as StoredRow);
    return found;
  }

  return {
    rows,

    row: async (table: TableName, partition: string, row: string): Promise<StoredRow | undefined> => (await rows(table, partition)).find(({ rowKey }) => rowKey === row),

    /** Every row of every table, ETags and Timestamps included, a text each: equal lists mean that nothing was written between. */
    dump: async (): Promise<readonly string[]> => (await Promise.all(TABLES.map(async (table) => (await rows(table)).map((row) => `${table} ${JSON.stringify(row)}`)))).flat(),

    /** Rows with a column `n` and whatever `columns` says, in one partition. */
    async insert(table: TableName, partition: string, rowKeys: readonly string[], columns: Readonly<Record<string, string>> = {}): Promise<void> {
      for (let from = 0; from < rowKeys.length; from += TRANSACTION_ROWS)
        await clients[table].submitTransaction(
          rowKeys.slice(from, from + TRANSACTION_ROWS).map((rowKey, n) => ['create', { partitionKey: partition, rowKey, n: from + n, ...columns }]),
        );
    },

    /** Names of the queues that exist. */
    async queues(): Promise<readonly string[]> {
      const names: string[] = [];
      for await (const { name } of QueueServiceClient.fromConnectionString(connectionString).listQueues()) names.push(name);
      return names;
    },
  };
}
