// The storage calls of one operation, as a proxy saw them, and the same calls made by the SDKs alone: what an operation could cost at least on this storage.
import { TableClient, type TransactionAction } from '@azure/data-tables';
import { QueueClient } from '@azure/storage-queue';
import type { StorageRequest } from '../kit/storageProxy';

export type StorageCall =
  | { readonly kind: 'row'; readonly table: string; readonly partition: string; readonly row: string }
  | { readonly kind: 'range'; readonly table: string; readonly filter: string; readonly rowsMax: number }
  /** An entity-group transaction, or a single write as one of one row. */
  | { readonly kind: 'write'; readonly rows: number; readonly bytes: number }
  | { readonly kind: 'message'; readonly text: string };

const ROW = /^\/\w+\/(\w+)\(PartitionKey='(.*)',RowKey='(.*)'\)$/;
const RANGE = /^\/\w+\/(\w+)(?:\(\))?$/;
const PART = /^(?:POST|PUT|MERGE|PATCH|DELETE) http/gm;
const TABLE = 'benchraw';
const QUEUE = 'bench-raw';

/** What an operation asked of its storage up to its answer; polls of the queue and what a clean-up message leads to are not its own. */
export function callsOf(requests: readonly StorageRequest[]): readonly StorageCall[] {
  const own = requests.flatMap((request): readonly StorageCall[] => {
    const { pathname, searchParams } = new URL(request.path, 'http://storage');
    const path = decodeURIComponent(pathname);
    if (request.service === 'queue') return request.method === 'POST' && path.endsWith('/messages') ? [{ kind: 'message', text: textOf(request.body) }] : [];
    if (request.service !== 'table') return [];
    if (request.method !== 'GET') return [{ kind: 'write', rows: request.body.match(PART)?.length ?? 1, bytes: request.body.length }];
    const [, rowTable, partition, row] = ROW.exec(path) ?? [];
    if (rowTable !== undefined && partition !== undefined && row !== undefined) return [{ kind: 'row', table: rowTable, partition, row }];
    const [, table] = RANGE.exec(path) ?? [];
    if (table === undefined) throw new Error(`a read that is not known here: ${path}`);
    return [{ kind: 'range', table, filter: searchParams.get('$filter') ?? '', rowsMax: Number(searchParams.get('$top') ?? 1000) }];
  });
  const sent = own.findIndex(({ kind }) => kind === 'message');
  return sent < 0 ? own : own.slice(0, sent + 1);
}

/** `2 reads + 1 write, 1 message`. */
export function told(calls: readonly StorageCall[]): string {
  const count = (...kinds: readonly StorageCall['kind'][]) => calls.filter(({ kind }) => kinds.includes(kind)).length;
  const messages = count('message');
  return `${count('row', 'range')} + ${count('write')}${messages > 0 ? `, ${messages} message` : ''}`;
}

/** Makes its own table and queue. Reads are of the very rows that the operation read; writes are of as many rows and bytes, in a table of their own. */
export async function rawStorage(connectionString: string) {
  const tables = new Map<string, TableClient>();
  const tableOf = (name: string): TableClient => {
    const client = tables.get(name) ?? TableClient.fromConnectionString(connectionString, name, { allowInsecureConnection: true });
    tables.set(name, client);
    return client;
  };
  const queue = new QueueClient(connectionString, QUEUE);
  await Promise.all([tableOf(TABLE).createTable(), queue.createIfNotExists()]);

  async function make(call: StorageCall, nth: number): Promise<void> {
    if (call.kind === 'row') await tableOf(call.table).getEntity(call.partition, call.row).catch(missing);
    else if (call.kind === 'range')
      await tableOf(call.table)
        .listEntities({ queryOptions: { filter: call.filter } })
        .byPage({ maxPageSize: call.rowsMax })
        .next();
    else if (call.kind === 'message') await queue.sendMessage(call.text, { messageTimeToLive: -1 });
    else {
      const column = 'x'.repeat(Math.ceil(call.bytes / call.rows / 2));
      const rows = Array.from({ length: call.rows }, (_, row): TransactionAction => ['upsert', { partitionKey: String(nth), rowKey: String(row), column }, 'Replace']);
      await tableOf(TABLE).submitTransaction(rows);
    }
  }

  return {
    /** All calls of one operation, one after the other. */
    async makeAll(calls: readonly StorageCall[], nth: number): Promise<void> {
      for (const call of calls) await make(call, nth);
    },
  };
}

/** A row that is not there is an answer like another: a creation reads one. */
function missing(error: { readonly statusCode?: number }): void {
  if (error.statusCode !== 404) throw error;
}

const textOf = (message: string): string => /<MessageText>(.*)<\/MessageText>/s.exec(message)?.[1] ?? '';
