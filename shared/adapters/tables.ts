// The store on Azure Table Storage or Azurite: point reads, pages, entity-group transactions, each read with the storage's own clock. It never repeats a write, and sends no replace or delete without its condition.
import { RestError, TableClient, type TableServiceClientOptions, type TransactionAction } from '@azure/data-tables';
import { refuse } from '../domain/errors';
import type { Row, Table, Transaction, Value, Write } from '../domain/plan';
import type { Instant } from '../domain/time';
import type { Clocked, Page, Range, Store, TransactAnswer } from '../ports';
import { checkTransaction, fromColumns, LIMITS, toColumns } from './tableLayout';
import { unavailable } from './unavailable';

/** As of @azure/identity; the shape only. */
export type TokenCredential = { getToken(scopes: string | string[]): Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null> };

/** How a storage account is reached. Endpoints are URLs, such as `https://{account}.table.core.windows.net`. */
export type StorageAccount = { readonly connectionString: string } | { readonly tableEndpoint: string; readonly queueEndpoint: string; readonly credential: TokenCredential };

/** In milliseconds: one try of a read, a read with its repeats, a transaction (one try). */
type StorageTimeouts = { readonly readTryMs: number; readonly readMs: number; readonly transactionMs: number };

const DEFAULT_TIMEOUTS: StorageTimeouts = { readTryMs: 5_000, readMs: 10_000, transactionMs: 10_000 };

const PAGE_ROWS_MAX = 1000;
const READ_RETRIES = { maxRetries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 2_000 } as const;
const NEVER_AGAIN = { retryOptions: { maxRetries: 0 }, redirectOptions: { maxRetries: 0 } } as const;
/** The top of a range that has none. */
const NO_END = '\uffff';
/** What says of a row, not of its table or account, that it is not there. */
const ROW_MISSING: ReadonlySet<string> = new Set(['ResourceNotFound', 'EntityNotFound']);
/** What a transaction says when one of its conditions did not hold: nothing of it was stored. */
const REFUSALS: Readonly<Record<string, 404 | 409 | 412>> = { EntityAlreadyExists: 409, UpdateConditionNotSatisfied: 412, ConditionNotMet: 412 };
const TOO_LARGE: Readonly<Record<string, number>> = {
  EntityTooLarge: LIMITS.entityBytes,
  PropertyValueTooLarge: LIMITS.textBytes,
  RequestBodyTooLarge: LIMITS.transactionBytes,
  ContentLengthExceeded: LIMITS.transactionBytes,
};

type Clients = { readonly reads: TableClient; readonly transactions: TableClient };
type Policy = Parameters<TableClient['pipeline']['addPolicy']>[0];
type Answered = { readonly abortSignal: AbortSignal; readonly onResponse: (answer: { readonly headers: { get(name: string): string | undefined } }) => void };

/**
 * @param options.offsetSeconds the development offset, read at each call.
 * @param options.tablePrefix letters and digits, so that several apps can share an account.
 * @returns the store, and `createTables`, which makes those tables that are missing and may be repeated. It throws Unavailable.
 */
export function tables(
  account: StorageAccount,
  { offsetSeconds, timeouts = DEFAULT_TIMEOUTS, tablePrefix = '' }: { readonly offsetSeconds: () => number; readonly timeouts?: StorageTimeouts; readonly tablePrefix?: string },
): { readonly store: Store; createTables(): Promise<void> } {
  const conditions = new WeakMap<AbortSignal, readonly Write[]>();
  const open = (table: Table): Clients => {
    const reads = clientOf(account, tablePrefix + table, { retryOptions: READ_RETRIES });
    reads.pipeline.addPolicy(tryLimit(timeouts.readTryMs), { afterPhase: 'Retry' });
    const transactions = clientOf(account, tablePrefix + table, NEVER_AGAIN);
    transactions.pipeline.addPolicy(conditionOfEachWrite(conditions));
    return { reads, transactions };
  };
  const clients: Record<Table, Clients> = { hsms: open('hsms'), keys: open('keys'), subscriptions: open('subscriptions') };

  /** One read, bounded, with the Date of its answer: 404 is an answer too. */
  async function clocked<T>(read: (answered: Answered) => Promise<T>): Promise<Clocked<T>> {
    let date: string | undefined;
    try {
      const onResponse: Answered['onResponse'] = ({ headers }) => {
        date = headers.get('date');
      };
      const found = await read({ abortSignal: AbortSignal.timeout(timeouts.readMs), onResponse });
      const storageAt = toInstant(date);
      return { found, now: storageAt + offsetSeconds(), storageAt };
    } catch (error) {
      throw unavailable(error);
    }
  }

  const row = <V extends Value>(table: Table, partition: string, key: string): Promise<Clocked<Row<V> | undefined>> =>
    clocked(async (answered) => {
      try {
        return toRow<V>(await clients[table].reads.getEntity(partition, key, answered));
      } catch (error) {
        if (error instanceof RestError && error.statusCode === 404 && ROW_MISSING.has(String(codeOf(error)))) return undefined;
        throw error;
      }
    });

  const page = <V extends Value>(range: Range, limit: number, next?: string): Promise<Clocked<Page<V>>> =>
    clocked(async (answered) => {
      const listed = clients[range.table].reads.listEntities({ queryOptions: filterOf(range), ...answered });
      const { value } = await listed.byPage({ maxPageSize: Math.min(limit, PAGE_ROWS_MAX), ...(next !== undefined && { continuationToken: next }) }).next();
      return { rows: value.map((entity: Entity) => toRow<V>(entity)), ...(value.continuationToken !== undefined && { next: value.continuationToken }) };
    });

  /** @throws as {@link checkTransaction}, before anything is sent; RequestTooLarge, too, when the service says so */
  async function transact(transaction: Transaction): Promise<TransactAnswer> {
    checkTransaction(transaction);
    const { writes } = transaction;
    const abortSignal = AbortSignal.timeout(timeouts.transactionMs);
    conditions.set(abortSignal, writes);
    try {
      const { subResponses } = await clients[transaction.table].transactions.submitTransaction(
        writes.map((write) => toAction(transaction.partition, write)),
        { abortSignal },
      );
      return subResponses.length === writes.length && subResponses.every(({ status }) => status >= 200 && status < 300) ? { kind: 'stored' } : { kind: 'unknown' };
    } catch (error) {
      // Still there: it was never sent, so this is a mistake of ours and no answer.
      if (conditions.has(abortSignal)) throw error;
      return refusalIn(error);
    }
  }

  return {
    store: { row, page, transact },
    async createTables() {
      try {
        await Promise.all(Object.values(clients).map(({ reads }) => reads.createTable({ abortSignal: AbortSignal.timeout(timeouts.readMs) })));
      } catch (error) {
        throw unavailable(error);
      }
    },
  };
}

function clientOf(account: StorageAccount, table: string, options: TableServiceClientOptions): TableClient {
  if ('credential' in account) return new TableClient(account.tableEndpoint, table, account.credential, options);
  const client = TableClient.fromConnectionString(account.connectionString, table, options);
  // Plain HTTP is for the emulator on this machine alone.
  return isLoopback(client.url) ? TableClient.fromConnectionString(account.connectionString, table, { ...options, allowInsecureConnection: true }) : client;
}

const isLoopback = (url: string): boolean => ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname);

/** A try that takes too long counts as a network error, so that the SDK's own repeats, and its limit on them, apply. */
const tryLimit = (milliseconds: number): Policy => ({
  name: 'tryLimit',
  async sendRequest(request, next) {
    const whole = request.abortSignal;
    const limit = AbortSignal.timeout(milliseconds);
    request.abortSignal = whole ? AbortSignal.any([whole as AbortSignal, limit]) : limit;
    try {
      return await next(request);
    } catch (error) {
      if (!limit.aborted || whole?.aborted) throw error;
      throw new RestError('a try timed out', { code: 'ETIMEDOUT' });
    } finally {
      if (whole) request.abortSignal = whole;
      else delete request.abortSignal;
    }
  },
});

/**
 * Sets the condition of each operation of a batch. The SDK has no way to give one to a delete: it sends `If-Match: *`, which would destroy what was
 * recovered a moment before.
 */
const conditionOfEachWrite = (conditions: WeakMap<AbortSignal, readonly Write[]>): Policy => ({
  name: 'conditionOfEachWrite',
  sendRequest(request, next) {
    if (!new URL(request.url).pathname.endsWith('/$batch')) return next(request);
    const signal = request.abortSignal as AbortSignal;
    const writes = conditions.get(signal);
    if (!writes) throw new Error('a batch without conditions, or sent again');
    request.body = withConditions(String(request.body), writes);
    // Signing has set it already, by the body as it was; it is not part of what is signed.
    request.headers.delete('content-length');
    conditions.delete(signal);
    return next(request);
  },
});

const METHODS = { insert: 'POST', replace: 'PUT', delete: 'DELETE', touch: 'PATCH' } as const satisfies Record<Write['kind'], string>;
/** An operation's request line and headers. Entities are one line of JSON each, which can begin with no method. */
const OPERATION = /^([A-Z]+) (\S+ HTTP\/1\.1\r\n)((?:[^\r\n]+\r\n)*)/gm;

function withConditions(body: string, writes: readonly Write[]): string {
  let seen = 0;
  const conditioned = body.replace(OPERATION, (_, method: string, target: string, headers: string) => {
    const write = writes[seen++];
    if (!write || method !== METHODS[write.kind]) throw new Error('the batch is not the transaction');
    const others = headers.replace(/^if-(none-)?match:[^\r\n]*\r\n/gim, '');
    return `${method} ${target}${write.kind === 'insert' ? '' : `If-Match: ${write.kind === 'touch' ? '*' : write.etag}\r\n`}${others}`;
  });
  if (seen !== writes.length) throw new Error('the batch is not the transaction');
  // As escapes they mean the same; raw, Azurite takes them for the end of the entity.
  return conditioned.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

function toAction(partitionKey: string, write: Write): TransactionAction {
  const keys = { partitionKey, rowKey: write.row };
  if (write.kind === 'delete') return ['delete', keys];
  if (write.kind === 'touch') return ['update', keys, 'Merge', { etag: '*' }];
  // The SDK would make whole numbers Int32, which not all instants fit.
  const columns = Object.entries(toColumns(write.value)).map(([name, column]) => [name, typeof column === 'number' ? { type: 'Double', value: column } : column] as const);
  const entity = { ...keys, ...Object.fromEntries(columns) };
  return write.kind === 'insert' ? ['create', entity] : ['update', entity, 'Replace', { etag: write.etag }];
}

/** Refused only where the service names a condition, or an operation of an accepted batch, as the reason; a missing table is no statement about rows. */
function refusalIn(error: unknown): TransactAnswer {
  if (!(error instanceof RestError)) return { kind: 'unknown' };
  const { code = '', statusCode, response } = error;
  const limitBytes = TOO_LARGE[code];
  if (limitBytes !== undefined) throw refuse('RequestTooLarge', { limitBytes });
  const status = REFUSALS[code] ?? (response?.status === 202 && statusCode === 404 && ROW_MISSING.has(code) ? 404 : undefined);
  return status === undefined ? { kind: 'unknown' } : { kind: 'refused', status };
}

type Entity = { readonly partitionKey?: string; readonly rowKey?: string; readonly etag?: string; readonly timestamp?: string };

/** @throws Error when a member of the service's own is missing */
function toRow<V>(entity: Entity): Row<V> {
  const { partitionKey: partition, rowKey: row, etag, timestamp } = entity;
  if (partition === undefined || row === undefined || !etag) throw new Error('not a row');
  return { partition, row, etag, writtenAt: toInstant(timestamp), value: fromColumns(entity) as V };
}

function toInstant(text: string | undefined): Instant {
  const milliseconds = Date.parse(text ?? '');
  if (Number.isNaN(milliseconds)) throw new Error('not an instant');
  return Math.floor(milliseconds / 1000);
}

function filterOf({ partition, afterPartition, from, to, where }: Range): { readonly filter?: string } {
  const terms = [
    partition !== undefined && `PartitionKey eq ${literal(partition)}`,
    afterPartition !== undefined && `PartitionKey gt ${literal(afterPartition)}`,
    from !== '' && `RowKey ge ${literal(from)}`,
    to !== NO_END && `RowKey lt ${literal(to)}`,
    where && `${where.member} eq ${literal(where.equals)}`,
  ];
  const filter = terms.filter(Boolean).join(' and ');
  return filter === '' ? {} : { filter };
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const codeOf = (error: RestError): unknown => (error.details as { readonly odataError?: { readonly code?: string } } | undefined)?.odataError?.code ?? error.code;
