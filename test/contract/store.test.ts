// One suite for every store: memory and Azurite must answer alike.

import { type Azurite, startAzurite } from '../../local/azurite';
import { tables } from '../../shared/adapters/tables';
import type { Row, Transaction, Value, Write } from '../../shared/domain/plan';
import type { Range, Store } from '../../shared/ports';
import { createMemoryStore } from '../kit/memoryStore';
import { isTableRead, type StorageProxy, startStorageProxy } from '../kit/storageProxy';

const CLOCK = Date.parse('2027-01-01T00:00:00Z') / 1000;
const OFFSET_SECONDS = 86_400;

/** A fresh store whose clock stands at CLOCK; `emptyPage` makes the next page come empty, with a continuation. */
type World = { readonly store: Store; emptyPage(): void };

let azurite: Azurite;
let proxy: StorageProxy;
let worlds = 0;
const prefix = () => `w${++worlds}x`;

beforeAll(async () => {
  azurite = await startAzurite();
  proxy = await startStorageProxy(azurite);
}, 60_000);
beforeEach(() => proxy.setDate(new Date(CLOCK * 1000)));
afterAll(async () => {
  await proxy.stop();
  await azurite.stop();
}, 60_000);

function onMemory(): World {
  let empty = 0;
  const memory = createMemoryStore({ now: () => CLOCK, offsetSeconds: () => OFFSET_SECONDS, emptyPages: () => empty-- > 0 });
  const emptyPage = () => {
    empty = 1;
  };
  return { store: memory.asStore(), emptyPage };
}

async function onAzurite(tablePrefix = prefix()): Promise<World> {
  const timeouts = { readTryMs: 5_000, readMs: 20_000, transactionMs: 20_000 };
  const { store, createTables } = tables({ connectionString: proxy.connectionString }, { offsetSeconds: () => OFFSET_SECONDS, tablePrefix, timeouts });
  await createTables();
  // Azurite never answers with an empty page that continues, the service may: the proxy says it in its place.
  const text = (key: string) => Buffer.from(key).toString('base64');
  const continued = { 'content-type': 'application/json;odata=minimalmetadata', 'x-ms-continuation-NextPartitionKey': text('contoso'), 'x-ms-continuation-NextRowKey': text('0') };
  const emptyPage = () =>
    void proxy.rule(
      (request) => isTableRead(request) && request.path.includes(`${tablePrefix}hsms()`),
      (_, nth) => (nth === 1 ? { status: 200, headers: continued, body: '{"value":[]}' } : 'forward'),
    );
  return { store, emptyPage };
}

const insert = (row: string, value: Value = { incarnation: row }): Write => ({ kind: 'insert', row, value });
const replace = (row: string, etag: string, value: Value): Write => ({ kind: 'replace', row, etag, value });
const remove = (row: string, etag: string): Write => ({ kind: 'delete', row, etag });
const transaction = (partition: string, writes: readonly Write[]): Transaction => ({ table: 'hsms', partition, writes: writes as Transaction['writes'] });

const send = (store: Store, partition: string, ...writes: readonly Write[]) => store.transact(transaction(partition, writes));
const stored = { kind: 'stored' } as const;
const refused = (status: 404 | 409 | 412) => ({ kind: 'refused', status });

async function given(store: Store, partition: string, ...writes: readonly Write[]): Promise<void> {
  expect(await send(store, partition, ...writes)).toEqual(stored);
}

async function read(store: Store, partition: string, row: string): Promise<Row<Value>> {
  const { found } = await store.row('hsms', partition, row);
  if (!found) throw new Error(`no row ${partition} ${row}`);
  return found;
}

async function allPages(store: Store, range: Range, limit: number): Promise<readonly (readonly Row<Value>[])[]> {
  const pages: (readonly Row<Value>[])[] = [];
  let next: string | undefined;
  do {
    const { found } = await store.page(range, limit, next);
    pages.push(found.rows);
    next = found.next;
  } while (next !== undefined);
  return pages;
}

const everything = { table: 'hsms', from: '', to: '\uffff' } as const;
const names = (pages: readonly (readonly Row<Value>[])[]) => pages.flat().map(({ partition, row }) => `${partition}/${row}`);
const snapshot = async (store: Store) => (await allPages(store, everything, 1000)).flat();

describe.each<[string, () => World | Promise<World>]>([
  ['memory', onMemory],
  ['Azurite', onAzurite],
])('the store on %s', (_, world) => {
  let store: Store;
  let emptyPage: () => void;
  beforeEach(async () => {
    ({ store, emptyPage } = await world());
  });

  describe('reads', () => {
    test('a missing row is absent, and the answer still brings the clock', async () => {
      expect(await store.row('hsms', 'contoso', '!hsm')).toEqual({ found: undefined, storageAt: CLOCK, now: CLOCK + OFFSET_SECONDS });
    });

    test('a row and a page bring the clock of the answer, with and without the development offset', async () => {
      await given(store, 'contoso', insert('!hsm'));
      expect(await store.row('hsms', 'contoso', '!hsm')).toMatchObject({ found: { partition: 'contoso', row: '!hsm' }, storageAt: CLOCK, now: CLOCK + OFFSET_SECONDS });
      expect(await store.page(everything, 10)).toMatchObject({ found: { rows: [{ row: '!hsm' }] }, storageAt: CLOCK, now: CLOCK + OFFSET_SECONDS });
    });

    test('writtenAt is a whole second', async () => {
      await given(store, 'contoso', insert('!hsm'));
      expect(Number.isInteger((await read(store, 'contoso', '!hsm')).writtenAt)).toBe(true);
    });

    test('tables are apart', async () => {
      await given(store, 'contoso', insert('!hsm'));
      expect((await store.row('keys', 'contoso', '!hsm')).found).toBeUndefined();
    });
  });

  describe('values', () => {
    test.each<[string, Value]>([
      ['nothing', {}],
      [
        'texts',
        {
          empty: '',
          quotes: `o'brien "x" \\ %2F a+b`,
          unicode: 'größe 鍵 🔑 \u0000\u001f\u2028',
          instant: '2027-01-01T00:00:00Z',
          guid: '3a6bd6a1-6c61-4aa3-8c35-2c4b1e1a0c11',
          number: '007',
          yes: 'true',
        },
      ],
      ['numbers and booleans', { zero: 0, negative: -1, half: 0.5, tenth: 0.1, int32: 2_147_483_648, most: 2 ** 53, tiny: 5e-324, huge: 1e300, yes: true, no: false }],
      ['what is nested', { list: [], deep: [{ a: [null, 'x', { b: '' }] }], object: {}, nothing: null, mixed: [1, 'two', false] }],
      ['__proto__ as a member', { tags: JSON.parse('{"__proto__":"x","constructor":"y","toString":{"__proto__":{"z":1}}}') }],
    ])('%s come back as they were', async (_name, value) => {
      await given(store, 'contoso', insert('!hsm', value));
      const { value: found } = await read(store, 'contoso', '!hsm');
      expect(JSON.parse(JSON.stringify(found))).toEqual(JSON.parse(JSON.stringify(value)));
      expect(Object.keys(found).sort()).toEqual(Object.keys(value).sort());
    });

    test('a member named __proto__ is data, and no prototype', async () => {
      await given(store, 'contoso', insert('!hsm', { tags: JSON.parse('{"__proto__":{"admin":true}}') }));
      const { tags } = (await read(store, 'contoso', '!hsm')).value as { readonly tags: Record<string, unknown> };
      expect(Object.keys(tags)).toEqual(['__proto__']);
      expect(tags.admin).toBeUndefined();
    });

    test('undefined is left out; what JSON cannot say is null', async () => {
      await given(store, 'contoso', insert('!hsm', { gone: undefined, kept: 1, deep: { gone: undefined, list: [undefined] }, notANumber: Number.NaN }));
      expect((await read(store, 'contoso', '!hsm')).value).toEqual({ kept: 1, deep: { list: [null] }, notANumber: null });
    });

    test('a value changed after it was sent, or read, changes nothing stored', async () => {
      const value = { tags: { colour: 'red' } };
      await given(store, 'contoso', insert('!hsm', value));
      value.tags.colour = 'blue';
      expect((await read(store, 'contoso', '!hsm')).value).toEqual({ tags: { colour: 'red' } });
    });

    test.each(["o'brien", 'a%2Fb', 'a+b', 'a&b=c', 'größe', '鍵🔑', '"', '<x>', ' ', "''", '!hsm'])('a key may be %s', async (key) => {
      await given(store, key, insert(key), insert('other'));
      const found = await read(store, key, key);
      expect(found).toMatchObject({ partition: key, row: key });
      expect(names(await allPages(store, { table: 'hsms', partition: key, from: key, to: `${key}\u0001`, where: { member: 'incarnation', equals: key } }, 10))).toEqual([
        `${key}/${key}`,
      ]);
      expect(await send(store, key, replace(key, found.etag, { a: 1 }), remove('other', '*'))).toEqual(stored);
      expect((await read(store, key, key)).value).toEqual({ a: 1 });
    });
  });

  describe('conditions', () => {
    test('an insert of a row that exists is 409 and changes nothing', async () => {
      await given(store, 'contoso', insert('!hsm', { a: 1 }));
      const before = await snapshot(store);
      expect(await send(store, 'contoso', insert('!hsm', { a: 2 }))).toEqual(refused(409));
      expect(await snapshot(store)).toEqual(before);
    });

    test('a replace under the ETag that was read puts the whole value in place of the old one', async () => {
      await given(store, 'contoso', insert('!hsm', { a: 1, b: 2, c: { d: 3 } }));
      const before = await read(store, 'contoso', '!hsm');
      expect(await send(store, 'contoso', replace('!hsm', before.etag, { a: 4 }))).toEqual(stored);
      const after = await read(store, 'contoso', '!hsm');
      expect(after.value).toEqual({ a: 4 });
      expect(after.etag).not.toBe(before.etag);
    });

    test('a replace or delete under a stale ETag is 412, under the present one it is stored', async () => {
      await given(store, 'contoso', insert('!hsm', { a: 1 }));
      const { etag: stale } = await read(store, 'contoso', '!hsm');
      await given(store, 'contoso', replace('!hsm', stale, { a: 2 }));
      expect(await send(store, 'contoso', replace('!hsm', stale, { a: 3 }))).toEqual(refused(412));
      expect(await send(store, 'contoso', remove('!hsm', stale))).toEqual(refused(412));
      const present = await read(store, 'contoso', '!hsm');
      expect(present.value).toEqual({ a: 2 });
      expect(await send(store, 'contoso', remove('!hsm', present.etag))).toEqual(stored);
      expect((await store.row('hsms', 'contoso', '!hsm')).found).toBeUndefined();
    });

    test('a replace or delete of a row that is not there is 404, whatever the condition', async () => {
      await given(store, 'contoso', insert('other'));
      const { etag } = await read(store, 'contoso', 'other');
      for (const condition of [etag, '*']) {
        expect(await send(store, 'contoso', replace('!hsm', condition, {}))).toEqual(refused(404));
        expect(await send(store, 'contoso', remove('!hsm', condition))).toEqual(refused(404));
      }
      expect((await store.row('hsms', 'contoso', '!hsm')).found).toBeUndefined();
    });

    test('If-Match * touches a row whatever its ETag, if it is there', async () => {
      await given(store, 'contoso', insert('open', {}), insert('key'));
      expect(await send(store, 'contoso', remove('key', '*'), replace('open', '*', {}))).toEqual(stored);
      expect(names(await allPages(store, everything, 10))).toEqual(['contoso/open']);
    });

    test('a replace or delete without a condition is never sent', async () => {
      await given(store, 'contoso', insert('!hsm'));
      await expect(send(store, 'contoso', remove('!hsm', ''))).rejects.toThrow('without a condition');
      await expect(send(store, 'contoso', replace('!hsm', '', {}))).rejects.toThrow('without a condition');
      expect((await read(store, 'contoso', '!hsm')).value).toEqual({ incarnation: '!hsm' });
    });

    test('a row deleted and inserted again has another ETag', async () => {
      await given(store, 'contoso', insert('!hsm'));
      const { etag } = await read(store, 'contoso', '!hsm');
      await given(store, 'contoso', remove('!hsm', etag));
      await given(store, 'contoso', insert('!hsm'));
      expect(await send(store, 'contoso', remove('!hsm', etag))).toEqual(refused(412));
    });

    test('of 20 at once under one ETag exactly one is stored, the others are 412', async () => {
      await given(store, 'contoso', insert('!hsm', { a: 0 }));
      const { etag } = await read(store, 'contoso', '!hsm');
      const answers = await Promise.all(Array.from({ length: 20 }, (_unused, a) => send(store, 'contoso', replace('!hsm', etag, { a }), insert(`due!${a}`))));
      expect(answers.filter(({ kind }) => kind === 'stored')).toHaveLength(1);
      expect(answers.filter((answer) => answer.kind === 'refused' && answer.status === 412)).toHaveLength(19);
      const { a } = (await read(store, 'contoso', '!hsm')).value;
      expect(names(await allPages(store, everything, 100))).toEqual(['contoso/!hsm', `contoso/due!${a}`]);
    });
  });

  describe('transactions', () => {
    test('story 22: a purge decided on a record that is recovered a moment before is 412, and nothing of it is stored', async () => {
      await given(store, 'contoso', insert('!hsm', { incarnation: 'i1', deletion: { deletionId: 'd1' } }));
      const decidedOn = await read(store, 'contoso', '!hsm');
      await given(store, 'contoso', replace('!hsm', decidedOn.etag, { incarnation: 'i1' }));
      expect(await send(store, 'contoso', remove('!hsm', decidedOn.etag), insert('gone!i1', { by: 'caller' }))).toEqual(refused(412));
      expect(names(await allPages(store, everything, 10))).toEqual(['contoso/!hsm']);
      expect((await read(store, 'contoso', '!hsm')).value).toEqual({ incarnation: 'i1' });
    });

    test('control: the same purge on the record as it is removes it and leaves the debt', async () => {
      await given(store, 'contoso', insert('!hsm', { incarnation: 'i1', deletion: { deletionId: 'd1' } }));
      const decidedOn = await read(store, 'contoso', '!hsm');
      expect(await send(store, 'contoso', remove('!hsm', decidedOn.etag), insert('gone!i1', { by: 'caller' }))).toEqual(stored);
      expect(names(await allPages(store, everything, 10))).toEqual(['contoso/gone!i1']);
    });

    test.each<[string, (etag: string) => readonly Write[], 404 | 409 | 412]>([
      ['an insert that exists', () => [insert('live2')], 409],
      ['a replace that is missing', () => [replace('none', '*', {})], 404],
      ['a delete that is missing', () => [remove('none', '*')], 404],
      ['a stale delete', (stale) => [remove('live', stale)], 412],
      ['a stale replace', (stale) => [replace('live', stale, {})], 412],
      ['a missing row before one that exists', () => [replace('none', '*', {}), insert('live2')], 404],
      ['one that exists before a missing row', () => [insert('live2'), replace('none', '*', {})], 409],
    ])('%s takes everything before and after it back; the first to fail is what is told', async (_name, failing, status) => {
      await given(store, 'contoso', insert('live', { a: 1 }), insert('live2'), insert('live3'), insert('live4'));
      const { etag: stale } = await read(store, 'contoso', 'live');
      await given(store, 'contoso', replace('live', stale, { a: 2 }));
      const before = await snapshot(store);
      const others = await Promise.all(['live3', 'live4'].map((row) => read(store, 'contoso', row)));
      const [live3, live4] = others.map(({ etag }) => etag) as [string, string];
      expect(await send(store, 'contoso', insert('new'), replace('live3', live3, { b: 1 }), ...failing(stale), remove('live4', live4))).toEqual(refused(status));
      expect(await snapshot(store)).toEqual(before);
    });

    test('a row rolled back keeps its ETag: what was decided on it still stands', async () => {
      await given(store, 'contoso', insert('a', { n: 1 }), insert('b'));
      const { etag } = await read(store, 'contoso', 'a');
      expect(await send(store, 'contoso', replace('a', etag, { n: 2 }), insert('b'))).toEqual(refused(409));
      expect(await send(store, 'contoso', replace('a', etag, { n: 3 }))).toEqual(stored);
    });

    test('100 rows are stored; 101, a row twice, and keys that no row can have are never sent', async () => {
      const rows = Array.from({ length: 101 }, (_unused, index) => insert(`r${index}`));
      await expect(send(store, 'contoso', ...rows)).rejects.toThrow('101 writes');
      await expect(send(store, 'contoso', insert('a'), insert('a'))).rejects.toThrow('twice');
      for (const key of ['a/b', 'a\\b', 'a#b', 'a?b', 'a\nb', 'a\u007fb', 'k'.repeat(513)]) {
        await expect(send(store, 'contoso', insert(key))).rejects.toThrow('not a key');
        await expect(send(store, key, insert('a'))).rejects.toThrow('not a key');
      }
      await given(store, 'contoso', ...rows.slice(0, 100));
      await given(store, 'contoso', insert('k'.repeat(512)));
    });

    test.each(['partitionKey', 'RowKey', 'timestamp', 'etag', 'a_json', '__proto__', 'a.b', ''])('a member named "%s" is no column: never sent', async (name) => {
      await expect(send(store, 'contoso', insert('a', Object.fromEntries([[name, 'x']])))).rejects.toThrow('not a column');
    });
  });

  // Azurite itself takes rows over 1 MiB and transactions over 4 MiB, the service does not: the adapter refuses them before they are sent.
  describe('limits', () => {
    const TEXT_MAX = 32_768;
    const texts = (count: number, length: number) => Object.fromEntries(Array.from({ length: count }, (_unused, index) => [`t${index}`, 'x'.repeat(length)]));
    const tooLarge = { error: 'RequestTooLarge', status: 413 };

    test('a text of 64 KiB in UTF-16 is stored, one character more is refused', async () => {
      await given(store, 'contoso', insert('a', { text: 'ü'.repeat(TEXT_MAX) }));
      await expect(send(store, 'contoso', insert('b', { text: 'x'.repeat(TEXT_MAX + 1) }))).rejects.toMatchObject(tooLarge);
    });

    test('a list or an object may be longer than a text: it goes over several columns, and pairs of surrogates stay whole', async () => {
      const list = ['x'.repeat(3 * TEXT_MAX), ...Array.from({ length: 4 }, (_unused, odd) => 'x'.repeat(odd) + '\u{1F511}'.repeat(TEXT_MAX))];
      await given(store, 'contoso', insert('c', { list, short: ['y'] }));
      expect((await store.row('hsms', 'contoso', 'c')).found?.value).toEqual({ list, short: ['y'] });
    });

    test('a row of nearly 1 MiB is stored, a larger one is refused', async () => {
      await given(store, 'contoso', insert('a', texts(15, TEXT_MAX)));
      await expect(send(store, 'contoso', insert('b', texts(16, TEXT_MAX)))).rejects.toMatchObject(tooLarge);
    });

    test('a transaction of nearly 4 MiB is stored, a larger one is refused', async () => {
      const rows = (count: number) => Array.from({ length: count }, (_unused, index) => insert(`r${index}`, texts(15, TEXT_MAX)));
      await given(store, 'contoso', ...rows(8));
      await expect(send(store, 'fabrikam', ...rows(9))).rejects.toMatchObject(tooLarge);
    });
  });

  describe('ranges and pages', () => {
    const ROWS = ['!hsm', '!hsm!', '10', '9', 'B', 'a!1', 'a!2', 'b', 'd!1', 'gone!1', 's!1'];

    test('rows come in ordinal order, `from` inclusive, `to` exclusive', async () => {
      await given(store, 'contoso', ...[...ROWS].reverse().map((row) => insert(row)));
      const range = async (from: string, to: string) => (await store.page({ table: 'hsms', partition: 'contoso', from, to }, 100)).found.rows.map(({ row }) => row);
      expect(await range('', '\uffff')).toEqual(ROWS);
      expect(await range('!hsm', '!hsm!')).toEqual(['!hsm']);
      expect(await range('a!', 'd"')).toEqual(['a!1', 'a!2', 'b', 'd!1']);
      expect(await range('a!2', 'gone!1')).toEqual(['a!2', 'b', 'd!1']);
      expect(await range('x', '\uffff')).toEqual([]);
      expect(await range('s!', 's"')).toEqual(['s!1']);
    });

    test('a range of the whole table goes by partition, then by row, and may begin after a partition', async () => {
      for (const partition of ['b', 'a', 'größe', 'c']) await given(store, partition, insert('!hsm'), insert('a!1'));
      const hsms = { table: 'hsms', from: '!hsm', to: '!hsm!' } as const;
      expect(names(await allPages(store, hsms, 100))).toEqual(['a/!hsm', 'b/!hsm', 'c/!hsm', 'größe/!hsm']);
      expect(names(await allPages(store, { ...hsms, afterPartition: 'b' }, 100))).toEqual(['c/!hsm', 'größe/!hsm']);
      expect(names(await allPages(store, { ...hsms, afterPartition: 'bb' }, 1))).toEqual(['c/!hsm', 'größe/!hsm']);
      expect(names(await allPages(store, everything, 3))).toHaveLength(8);
    });

    test('`where` keeps the rows whose text member has that value, quotes and all', async () => {
      await given(store, 'a', insert('1', { owner: "o'brien" }), insert('2', { owner: 'x' }), insert('3', {}), insert('4', { owner: "o'brien' or RowKey ne '" }));
      const where = (equals: string) => ({ ...everything, where: { member: 'owner', equals } });
      expect(names(await allPages(store, where("o'brien"), 1))).toEqual(['a/1']);
      expect(names(await allPages(store, where("o'brien' or RowKey ne '"), 1))).toEqual(['a/4']);
      expect(names(await allPages(store, where('y'), 1))).toEqual([]);
    });

    test.each([1, 2, 5, 7, 1000, 5000])('pages of %s bring each row once, in order, and no page more than its limit', async (limit) => {
      for (const partition of ['a', 'größe', 'z']) await given(store, partition, ...['1', '2', '3', '鍵'].map((row) => insert(row)));
      const pages = await allPages(store, everything, limit);
      expect(names(pages)).toEqual(['a', 'größe', 'z'].flatMap((partition) => ['1', '2', '3', '鍵'].map((row) => `${partition}/${row}`)));
      for (const page of pages) expect(page.length).toBeLessThanOrEqual(limit);
    });

    test("rows deleted between two pages, even the next page's first, leave the others", async () => {
      await given(store, 'a', ...['1', '2', '3', '4', '5'].map((row) => insert(row)));
      const first = (await store.page(everything, 2)).found;
      await given(store, 'a', remove('1', '*'), remove('2', '*'), remove('3', '*'));
      expect(names([first.rows])).toEqual(['a/1', 'a/2']);
      expect(names([(await store.page(everything, 2, first.next)).found.rows])).toEqual(['a/4', 'a/5']);
    });

    test('story 12: a page may be empty and yet continue; only one without `next` is the end', async () => {
      await given(store, 'contoso', insert('1'), insert('2'), insert('3'));
      emptyPage();
      const pages = await allPages(store, everything, 2);
      expect(pages[0]).toEqual([]);
      expect(names(pages)).toEqual(['contoso/1', 'contoso/2', 'contoso/3']);
    });
  });
});
