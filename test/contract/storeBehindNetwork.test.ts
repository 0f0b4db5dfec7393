// What only a store behind a network can do, on Azurite behind a proxy: lost answers, stalls, repeats, missing tables, the conditions on the wire.
import { TableClient } from '@azure/data-tables';
import { type Azurite, startAzurite } from '../../local/azurite';
import { tables } from '../../shared/adapters/tables';
import type { Row, Transaction, Value, Write } from '../../shared/domain/plan';
import type { Store } from '../../shared/ports';
import { isTableRead, isTableWrite, type Matches, type StorageProxy, startStorageProxy } from '../kit/storageProxy';

const TIMEOUTS = { readTryMs: 5_000, readMs: 20_000, transactionMs: 20_000 };
const MULTIPART = { 'content-type': 'multipart/mixed; boundary=batchresponse_1' };
const stored = { kind: 'stored' } as const;

let azurite: Azurite;
let proxy: StorageProxy;
let prefixes = 0;
const prefix = () => `p${++prefixes}x`;

beforeAll(async () => {
  azurite = await startAzurite();
  proxy = await startStorageProxy(azurite);
}, 60_000);
afterAll(async () => {
  await proxy.stop();
  await azurite.stop();
}, 60_000);

const open = (tablePrefix: string, timeouts = TIMEOUTS) => tables({ connectionString: proxy.connectionString }, { offsetSeconds: () => 0, tablePrefix, timeouts });

/** A fresh store, and what tells its requests from those of other tests. */
async function given(timeouts = TIMEOUTS): Promise<{ readonly store: Store; readonly tablePrefix: string; readonly itsTransactions: Matches; readonly itsReads: Matches }> {
  const tablePrefix = prefix();
  const { store, createTables } = open(tablePrefix, timeouts);
  await createTables();
  return {
    store,
    tablePrefix,
    itsTransactions: (request) => isTableWrite(request) && request.body.includes(`/${tablePrefix}hsms`),
    itsReads: (request) => isTableRead(request) && request.path.includes(`/${tablePrefix}hsms`),
  };
}

const insert = (row: string, value: Value = {}): Write => ({ kind: 'insert', row, value });
const replace = (row: string, etag: string, value: Value): Write => ({ kind: 'replace', row, etag, value });
const remove = (row: string, etag: string): Write => ({ kind: 'delete', row, etag });
const send = (store: Store, ...writes: readonly Write[]) => store.transact({ table: 'hsms', partition: 'contoso', writes: writes as Transaction['writes'] });

async function read(store: Store, row: string): Promise<Row<Value>> {
  const { found } = await store.row('hsms', 'contoso', row);
  if (!found) throw new Error(`no row ${row}`);
  return found;
}

test('story 23: without its table nothing is absent, and nothing is stored', async () => {
  const { store } = open(prefix());
  const unavailable = { error: 'Unavailable', status: 503, cause: 'TableNotFound' };
  await expect(store.row('hsms', 'contoso', '!hsm')).rejects.toMatchObject(unavailable);
  await expect(store.page({ table: 'hsms', from: '', to: '\uffff' }, 10)).rejects.toMatchObject(unavailable);
  expect(await send(store, insert('!hsm'))).toEqual({ kind: 'unknown' });
  expect(await send(store, remove('!hsm', '*'))).toEqual({ kind: 'unknown' });
});

test('creating the tables may be repeated and keeps what is stored; another prefix has tables of its own', async () => {
  const { store, tablePrefix } = await given();
  expect(await send(store, insert('!hsm'))).toEqual(stored);
  const { createTables } = open(tablePrefix);
  await Promise.all([createTables(), createTables()]);
  await read(store, '!hsm');
  const other = await given();
  expect((await other.store.row('hsms', 'contoso', '!hsm')).found).toBeUndefined();
});

test('columns: texts, booleans and doubles as they are, the rest as JSON; writtenAt is the Timestamp', async () => {
  const { store, tablePrefix } = await given();
  expect(await send(store, insert('!hsm', { name: 'Contoso', at: 1_798_761_600, half: 0.5, yes: true, tags: { a: 'b' }, none: null }))).toEqual(stored);
  expect(proxy.requests.at(-1)?.body).toContain('"at@odata.type":"Edm.Double"');
  const raw = TableClient.fromConnectionString(azurite.connectionString, `${tablePrefix}hsms`, { allowInsecureConnection: true });
  const entity = await raw.getEntity('contoso', '!hsm', { disableTypeConversion: true });
  expect(entity).toMatchObject({
    name: { value: 'Contoso', type: 'String' },
    half: { type: 'Double' },
    yes: { type: 'Boolean' },
    tags_json: { value: '{"a":"b"}' },
    none_json: { value: 'null' },
  });
  expect((await read(store, '!hsm')).writtenAt).toBe(Math.floor(Date.parse(String(entity.timestamp)) / 1000));
});

test('each operation of a batch carries its own condition', async () => {
  const { store } = await given();
  expect(await send(store, insert('a'), insert('b'), insert('c'))).toEqual(stored);
  const [a, b] = [await read(store, 'a'), await read(store, 'b')];
  expect(await send(store, remove('a', a.etag), insert('d', { text: 'x\r\nDELETE http://x HTTP/1.1\r\n' }), replace('b', b.etag, {}), remove('c', '*'))).toEqual(stored);
  const onTheWire = proxy.requests
    .filter(isTableWrite)
    .at(-1)
    ?.body.match(/^(POST|DELETE|PUT) |^if-match: .*/gim);
  expect(onTheWire).toEqual(['DELETE ', `If-Match: ${a.etag}`, 'POST ', 'PUT ', `If-Match: ${b.etag}`, 'DELETE ', 'If-Match: *']);
});

test.each<[string, (matches: Matches) => () => void, boolean]>([
  ['stored, the answer lost', (matches) => proxy.loseAnswers(matches), true],
  ['reset before it is stored', (matches) => proxy.reset(matches), false],
  ['500', (matches) => proxy.rule(matches, () => ({ status: 500 })), false],
  ['503', (matches) => proxy.rule(matches, () => ({ status: 503, headers: { 'retry-after': '0' } })), false],
  ['429', (matches) => proxy.rule(matches, () => ({ status: 429, headers: { 'retry-after': '0' } })), false],
  ['a redirect', (matches) => proxy.rule(matches, ({ path }) => ({ status: 307, headers: { location: `http://127.0.0.1:${azurite.ports.table}${path}` } })), false],
  ['an accepted batch with nothing in it', (matches) => proxy.rule(matches, () => ({ status: 202, headers: MULTIPART, body: '' })), false],
  [
    'an accepted batch cut short',
    (matches) => proxy.rule(matches, () => ({ status: 202, headers: MULTIPART, body: '--changesetresponse_1\r\nHTTP\r\n--changesetresponse_1--' })),
    false,
  ],
  ['a 404 that is no word about a row', (matches) => proxy.rule(matches, () => ({ status: 404, body: '<html>' })), false],
  ['a 412 that is no word about a row', (matches) => proxy.rule(matches, () => ({ status: 412, body: '<html>' })), false],
])('a transaction that meets %s is unknown, and sent once', async (_, befalls, isStored) => {
  const { store, itsTransactions } = await given();
  const takeAway = befalls(itsTransactions);
  expect(await send(store, insert('!hsm'))).toEqual({ kind: 'unknown' });
  takeAway();
  expect(proxy.count(itsTransactions)).toBe(1);
  expect((await store.row('hsms', 'contoso', '!hsm')).found !== undefined).toBe(isStored);
});

test('a transaction that takes longer than its limit is unknown, and may yet be stored', async () => {
  const { store, itsTransactions } = await given({ ...TIMEOUTS, transactionMs: 100 });
  const held = proxy.hold(itsTransactions);
  expect(await send(store, insert('!hsm'))).toEqual({ kind: 'unknown' });
  await held.arrived;
  expect((await store.row('hsms', 'contoso', '!hsm')).found).toBeUndefined();
  held.release();
  while ((await store.row('hsms', 'contoso', '!hsm')).found === undefined) await new Promise(setImmediate);
});

test('of two that have both read before either writes one is stored, the other is 412', async () => {
  const { store, itsTransactions } = await given();
  expect(await send(store, insert('!hsm', { a: 0 }))).toEqual(stored);
  const { etag } = await read(store, '!hsm');
  proxy.barrier(itsTransactions);
  const answers = await Promise.all([1, 2].map((a) => send(store, replace('!hsm', etag, { a }))));
  expect(answers).toContainEqual(stored);
  expect(answers).toContainEqual({ kind: 'refused', status: 412 });
});

test('nothing listens: a transaction is unknown, a read is Unavailable', async () => {
  const { store } = tables({ connectionString: azurite.connectionString.replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:1') }, { offsetSeconds: () => 0 });
  expect(await send(store, insert('!hsm'))).toEqual({ kind: 'unknown' });
  await expect(store.row('hsms', 'contoso', '!hsm')).rejects.toMatchObject({ error: 'Unavailable', cause: 'ECONNREFUSED' });
});

test('a read is repeated after a 503 and after a reset, and gives up in the end', async () => {
  const { store, itsReads } = await given();
  expect(await send(store, insert('!hsm'))).toEqual(stored);
  proxy.rule(itsReads, (_, nth) => (nth === 1 ? { status: 503 } : nth === 2 ? 'reset' : 'forward'));
  await read(store, '!hsm');
  expect(proxy.count(itsReads)).toBe(3);
  proxy.rule(itsReads, () => ({ status: 503 }));
  await expect(store.row('hsms', 'contoso', '!hsm')).rejects.toMatchObject({ error: 'Unavailable', cause: '503' });
  expect(proxy.count(itsReads)).toBe(7);
});

test('a read whose try hangs is tried again', async () => {
  const { store, itsReads } = await given({ ...TIMEOUTS, readTryMs: 500 });
  proxy.rule(itsReads, (_, nth) => (nth === 1 ? new Promise<'forward'>(() => {}) : 'forward'));
  expect((await store.row('hsms', 'contoso', '!hsm')).found).toBeUndefined();
  expect(proxy.count(itsReads)).toBeGreaterThan(1);
});

test('an answer without a Date is no answer', async () => {
  const { store, itsReads } = await given();
  const answer = { status: 404, headers: { 'content-type': 'application/json' }, body: '{"odata.error":{"code":"ResourceNotFound"}}' };
  const takeAway = proxy.rule(itsReads, () => ({ ...answer, headers: { ...answer.headers, date: '' } }));
  await expect(store.row('hsms', 'contoso', '!hsm')).rejects.toMatchObject({ error: 'Unavailable' });
  takeAway();
  proxy.rule(itsReads, () => answer);
  expect((await store.row('hsms', 'contoso', '!hsm')).found).toBeUndefined();
});

test('a limit that only the service knows ends as a refusal, not as a fault', async () => {
  const { store, itsTransactions } = await given();
  const body = '--changesetresponse_1\r\n\r\nHTTP/1.1 400 Bad Request\r\n\r\n{"odata.error":{"code":"EntityTooLarge","message":{"value":"0:x"}}}\r\n--changesetresponse_1--';
  proxy.rule(itsTransactions, () => ({ status: 202, headers: MULTIPART, body }));
  await expect(send(store, insert('!hsm'))).rejects.toMatchObject({ error: 'RequestTooLarge', status: 413 });
});
