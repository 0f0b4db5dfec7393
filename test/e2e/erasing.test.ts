// Erasing what purged keys and HSMs leave behind, over HTTP on Azurite: page by page, each debt paid by messages, closed late and never early; rows of what lives stay as they are.
import type { HsmClient } from '../kit/hsmClient';
import { shown } from '../kit/keyTexts';
import { type ObservedService, startObservedService } from '../kit/observedService';
import { openByForce, rootKeyIn } from '../kit/openedKeys';
import { queueLengths, sendMessage } from '../kit/queues';
import { deletedPath, groupPath, hsmPath, newHsm } from '../kit/resources';
import type { ServiceOptions } from '../kit/service';
import type { StoredRow } from '../kit/storage';
import { isTableRead, isTableWrite, type Matches } from '../kit/storageProxy';

jest.setTimeout(120_000); // a slow machine is no failure

const QUEUE = 'managed-hsm-cleanup';
/** A message that failed comes again at once, not after half a minute. */
const AT_ONCE = { AzureFunctionsJobHost__extensions__queues__visibilityTimeout: '00:00:00' };

let observed: ObservedService;
let owner: ReturnType<ObservedService['service']['as']>;

beforeAll(async () => {
  observed = await startObservedService({ localRoles: true });
  owner = observed.service.as('owner');
  await owner.send('PUT', groupPath(), { location: 'westus' });
}, 60_000);
afterAll(() => observed.stop());
afterEach(async () => {
  observed.proxy.setDate(undefined);
  expect(observed.service.output()).not.toMatch(/Unhandled rejection|Uncaught exception/);
});

const using = (env: Readonly<Record<string, string>>, options: Partial<ServiceOptions> = {}) =>
  observed.restart({ disabled: [], ...options, env: { FUNCTION_TIMEOUT_SECONDS: '300', ERASE_PAGE_ROWS: '100', ...env } });
const advance = (text: string) => observed.service.clock({ advance: text });

async function hsm(name: string): Promise<HsmClient> {
  expect((await owner.finish('PUT', hsmPath(name), newHsm())).status).toBe(200);
  return observed.service.hsm(name, 'owner');
}
async function fill(client: HsmClient, keys: number, versions: number): Promise<void> {
  const names = Array.from({ length: keys }, (_, n) => `key-${n}`);
  for (let version = 0; version < versions; version++)
    for (let from = 0; from < keys; from += 8) {
      const made = await Promise.all(names.slice(from, from + 8).map((name) => client.create(name, { kty: 'oct-HSM' })));
      expect(new Set(made.map(shown))).toEqual(new Set([200]));
    }
}
const incarnationOf = async (name: string): Promise<string> => String((await observed.storage.row('hsms', name, '!hsm'))?.incarnation);
const rows = (incarnation: string) => observed.storage.rows('keys', incarnation);
const kinds = async (incarnation: string) => {
  const counts: Record<string, number> = {};
  for (const { rowKey } of await rows(incarnation)) counts[rowKey.split('!')[0] ?? ''] = (counts[rowKey.split('!')[0] ?? ''] ?? 0) + 1;
  return counts;
};
const isDebt = ({ rowKey }: StoredRow) => rowKey.startsWith('gone!');
const debts = async (incarnation: string) => (await rows(incarnation)).filter(isDebt);
/** Rows that each transaction with deletions has deleted, of those sent since. */
const erasedPages = (since: number) =>
  observed.proxy.requests
    .slice(since)
    .flatMap(({ path, body }) => (path.includes('$batch') && !/^(POST|PUT|MERGE|PATCH) /m.test(body) ? [body.match(/^DELETE /gm)?.length ?? 0] : []));
const messagesSent = (since: number) =>
  observed.proxy.requests.slice(since).filter(({ service, method, path }) => service === 'queue' && method === 'POST' && path.includes(`${QUEUE}/messages`)).length;

test('an HSM with 60 keys of 4 versions goes in pages of 20, one message after the other; its neighbour stays byte for byte', async () => {
  await using({ ERASE_PAGE_ROWS: '20' });
  const [client, neighbour] = [await hsm('large'), await hsm('neighbour')];
  await fill(client, 60, 4);
  await fill(neighbour, 5, 4);
  await neighbour.send('DELETE', '/keys/key-0');
  const [incarnation, other] = [await incarnationOf('large'), await incarnationOf('neighbour')];
  await client.send('DELETE', '/keys/key-59');
  expect(await kinds(incarnation)).toEqual({ k: 60, v: 180, due: 1 });
  const kept = [await rows(other), await observed.storage.rows('hsms', 'neighbour')];
  expect((await owner.finish('DELETE', hsmPath('large'))).status).toBe(200);
  const since = observed.proxy.requests.length;
  expect((await owner.finish('POST', `${deletedPath('large')}/purge`)).status).toBe(200);
  let longest = 0;
  while ((await rows(incarnation)).length > 0) longest = Math.max(longest, (await queueLengths(observed.service.connectionString))[QUEUE] ?? 0);
  await advance('PT0S');
  expect(longest).toBeLessThanOrEqual(2); // the one under way, and the next
  // 241 rows of keys, 11 grants; the purge's own message and one after each page.
  expect(erasedPages(since)).toEqual([...Array(12).fill(20), 1, 11]);
  expect(messagesSent(since)).toBe(15);
  expect((await observed.storage.rows('hsms', 'large')).map(({ rowKey }) => rowKey)).toEqual([`gone!${incarnation}`]);
  expect([await rows(other), await observed.storage.rows('hsms', 'neighbour')]).toEqual(kept);
  expect(await queueLengths(observed.service.connectionString)).toEqual({ [QUEUE]: 0 });
}, 120_000);

test('a key leaves its older versions and nothing else; a new key of its name, and its neighbours, stay as they are', async () => {
  await using({ ERASE_PAGE_ROWS: '7' });
  const client = await hsm('keyed');
  const incarnation = await incarnationOf('keyed');
  await fill(client, 3, 31);
  await client.create('key-1x');
  const mine = (await observed.storage.row('keys', incarnation, 'k!key-1'))?.incarnation;
  const kept = (await rows(incarnation)).filter(({ rowKey }) => rowKey !== 'k!key-1' && !rowKey.includes(String(mine)));
  // Grants at the key, as the next feature will store them: they go with the key that they were made for.
  const other = '77777777-7777-4777-8777-777777777777';
  await observed.storage.insert('hsms', 'keyed', ['s!key-1!a', 's!key-1!b'], { incarnation, keyIncarnation: String(mine) });
  await observed.storage.insert('hsms', 'keyed', ['s!key-1!c'], { incarnation, keyIncarnation: other });
  await observed.storage.insert('hsms', 'keyed', ['s!key-1x!d'], { incarnation, keyIncarnation: other });
  await client.send('DELETE', '/keys/key-1');
  const since = observed.proxy.requests.length;
  expect(shown(await client.send('DELETE', '/deletedkeys/key-1'))).toBe(204);
  const anew = await client.create('key-1', { kty: 'oct-HSM' });
  await client.create('key-1', { kty: 'oct-HSM' });
  await advance('PT0S');
  expect(erasedPages(since)).toEqual([7, 7, 7, 7, 2, 2]);
  expect((await observed.storage.rows('hsms', 'keyed')).map(({ rowKey }) => rowKey).filter((row) => row.startsWith('s!'))).toEqual(['s!key-1!c', 's!key-1x!d']);
  const left = await rows(incarnation);
  const fresh = left.find(({ rowKey }) => rowKey === 'k!key-1')?.incarnation;
  expect(fresh).not.toBe(mine);
  const isNew = ({ rowKey }: StoredRow) => rowKey === 'k!key-1' || rowKey.includes(String(fresh)) || ['guard', 'open'].includes(rowKey);
  expect(left.filter((row) => !isNew(row) && !isDebt(row))).toEqual(kept);
  expect((await debts(incarnation)).map(({ rowKey, by }) => [rowKey, by])).toEqual([[`gone!${mine}`, 'caller']]);
  expect(shown(await client.send('GET', `/keys/key-1/${anew.json.key.kid.split('/')[5]}`))).toBe(200);
});

test('a debt of a key, and one of an HSM, close only with a pass that began two time-outs after they were written', async () => {
  await using({ FUNCTION_TIMEOUT_SECONDS: '20' });
  const client = await hsm('debtor');
  const incarnation = await incarnationOf('debtor');
  await fill(client, 2, 3);
  observed.proxy.setDate(new Date());
  await client.send('DELETE', '/keys/key-0');
  await client.send('DELETE', '/deletedkeys/key-0');
  const sweepAt = async (writtenAt: number, seconds: number) => {
    observed.proxy.setDate(new Date(Math.floor(writtenAt / 1000 + seconds) * 1000));
    await advance('PT15M');
  };
  const [debt] = await debts(incarnation);
  await advance('P3D'); // the development clock does not age it
  expect(await debts(incarnation)).toEqual([debt]);
  const since = observed.proxy.requests.length;
  await sweepAt(Date.parse(debt?.timestamp ?? ''), 39);
  expect(messagesSent(since)).toBeGreaterThan(0);
  expect(await debts(incarnation)).toEqual([debt]);
  await sweepAt(Date.parse(debt?.timestamp ?? ''), 40);
  expect(await debts(incarnation)).toEqual([]);
  expect(await kinds(incarnation)).toEqual({ k: 1, v: 2, guard: 1, open: 1 });

  observed.proxy.setDate(undefined);
  await owner.finish('DELETE', hsmPath('debtor'));
  await owner.finish('POST', `${deletedPath('debtor')}/purge`);
  await advance('PT0S');
  const [left] = await observed.storage.rows('hsms', 'debtor');
  expect(left?.rowKey).toBe(`gone!${incarnation}`);
  await sweepAt(Date.parse(left?.timestamp ?? ''), 39);
  expect(await observed.storage.rows('hsms', 'debtor')).toEqual([left]);
  await sweepAt(Date.parse(left?.timestamp ?? ''), 40);
  expect(await observed.storage.rows('hsms', 'debtor')).toEqual([]);
});

test('I3 forged messages erase nothing: not with the ids of what lives or is deleted, nor by a true debt under other names', async () => {
  await using({});
  const [client, deleted] = [await hsm('forged'), await hsm('forged-too')];
  for (const one of [client, deleted]) {
    await fill(one, 3, 3);
    await one.send('DELETE', '/keys/key-1');
    await one.send('DELETE', '/keys/key-2');
    await one.send('DELETE', '/deletedkeys/key-2');
  }
  await owner.finish('DELETE', hsmPath('forged-too'));
  await advance('PT0S');
  const before = await observed.storage.dump();
  for (const name of ['forged', 'forged-too']) {
    const incarnation = await incarnationOf(name);
    const keys = (await rows(incarnation)).filter(({ rowKey }) => rowKey.startsWith('k!')).map((row) => ({ name: row.rowKey.slice(2), incarnation: String(row.incarnation) }));
    const [debt] = await debts(incarnation);
    const owed = String(debt?.incarnation);
    const messages = [
      { hsm: name, incarnation },
      ...keys.map((key) => ({ hsm: name, incarnation, key })),
      ...keys.map((key) => ({ hsm: name, incarnation, key: { name: key.name, incarnation: owed } })),
      { hsm: 'forged', incarnation, key: { name: 'key-0', incarnation: owed } },
      { hsm: name, incarnation: owed },
      { hsm: name, incarnation, key: { name: '', incarnation: '' } },
      { hsm: name, incarnation: '!' },
      'no json',
      '',
    ];
    for (const message of messages) await sendMessage(observed.service.connectionString, QUEUE, message);
  }
  await advance('PT0S');
  expect(await observed.storage.dump()).toEqual(before);
  expect(await queueLengths(observed.service.connectionString)).toMatchObject({ [QUEUE]: 0 });
});

test('a message that names a true debt under other names pays that debt, as its row says, and closes it no sooner', async () => {
  await using({ FUNCTION_TIMEOUT_SECONDS: '20' });
  const client = await hsm('misnamed');
  const incarnation = await incarnationOf('misnamed');
  await client.create('k1');
  const key = String((await observed.storage.row('keys', incarnation, 'k!k1'))?.incarnation);
  await observed.storage.insert('hsms', 'misnamed', ['s!k1!a'], { incarnation, keyIncarnation: key });
  await client.send('DELETE', '/keys/k1');
  const restore = observed.proxy.rule(
    ({ service, method }) => service === 'queue' && method === 'POST',
    () => 'reset',
  ); // its own message is lost
  expect(shown(await client.send('DELETE', '/deletedkeys/k1'))).toBe(204);
  restore();
  observed.proxy.setDate(new Date(Date.now() + 60_000));
  await sendMessage(observed.service.connectionString, QUEUE, { hsm: 'neighbour', incarnation, key: { name: 'other', incarnation: key } });
  await advance('PT0S');
  expect(await observed.storage.row('hsms', 'misnamed', 's!k1!a')).toBeUndefined();
  expect(await debts(incarnation)).toEqual([]);
});

test('I3 a key created by a request that stalled while its HSM was purged and erased: nothing opens it, and a later sweep erases it', async () => {
  await using({ FUNCTION_TIMEOUT_SECONDS: '20' });
  const client = await hsm('stalled');
  const incarnation = await incarnationOf('stalled');
  await client.create('there');
  const held = observed.proxy.hold((request) => isTableWrite(request) && request.body.includes('k!late'), 1);
  const late = client.create('late');
  await held.arrived;
  await owner.finish('DELETE', hsmPath('stalled'));
  await owner.finish('POST', `${deletedPath('stalled')}/purge`);
  await advance('PT0S');
  expect(await rows(incarnation)).toEqual([]);
  held.release();
  await late; // acknowledged or not, it is stored
  expect(await kinds(incarnation)).toEqual({ k: 1 });
  const stored = { hsms: await observed.storage.rows('hsms'), keys: await observed.storage.rows('keys') };
  expect(await openByForce(await rootKeyIn(observed.service.rootKeyFile()), { ...stored, keys: await rows(incarnation) })).toEqual([]);
  expect(shown(await client.send('GET', '/keys/late'))).toBe('400 BadParameter');
  await advance('PT15M');
  expect(await rows(incarnation)).toEqual([]);
  expect((await observed.storage.rows('hsms', 'stalled')).map(({ rowKey }) => rowKey)).toEqual([`gone!${incarnation}`]);
});

describe('poison', () => {
  const outage = { status: 503, headers: { 'x-ms-error-code': 'ServerBusy', 'content-type': 'application/json' }, body: '{"odata.error":{"code":"ServerBusy"}}' };
  const asksForDebt: Matches = (request) => isTableRead(request) && decodeURIComponent(request.path).includes("RowKey='gone!");
  const erases: Matches = (request) =>
    isTableWrite(request) && request.path.includes('$batch') && !/^(POST|PUT|MERGE|PATCH) /m.test(request.body) && /^DELETE /m.test(request.body);

  test.each([
    { name: 'unread', what: 'a debt that cannot be read', matches: asksForDebt },
    { name: 'unerased', what: 'a page that cannot be erased', matches: erases },
  ])(
    '$what: five attempts, one alarm, put away; the sweeper sends anew from the debt',
    async ({ name, matches }) => {
      await using(AT_ONCE);
      const client = await hsm(name);
      const incarnation = await incarnationOf(name);
      await fill(client, 2, 3);
      await client.send('DELETE', '/keys/key-0');
      const keyIncarnation = (await observed.storage.row('keys', incarnation, 'k!key-0'))?.incarnation;
      const alarms = () =>
        observed.service
          .output()
          .match(/ALARM [^\n]*/g)
          ?.filter((line) => line.includes(String(keyIncarnation))) ?? [];
      const poison = async () => (await queueLengths(observed.service.connectionString))[`${QUEUE}-poison`] ?? 0;
      const before = await poison();
      const since = observed.proxy.requests.length;
      const restore = observed.proxy.rule(matches, () => outage);
      expect(shown(await client.send('DELETE', '/deletedkeys/key-0'))).toBe(204);
      for (let n = 0; n < 100 && (await poison()) === before; n++) await new Promise((resolve) => setTimeout(resolve, 100));
      expect([await poison(), alarms()]).toEqual([before + 1, [`ALARM cleanup: message for ${keyIncarnation} is poison`]]);
      expect(messagesSent(since)).toBe(1);
      expect(await kinds(incarnation)).toEqual({ k: 1, v: 4, gone: 1, guard: 1, open: 1 });
      restore();
      await advance('PT0S');
      expect((await kinds(incarnation)).v).toBe(4); // nobody sends it again but the sweeper
      await advance('PT15M');
      expect(await kinds(incarnation)).toEqual({ k: 1, v: 2, gone: 1, guard: 1, open: 1 });
      expect([await poison(), alarms().length, (await queueLengths(observed.service.connectionString))[QUEUE]]).toEqual([before + 1, 1, 0]);
    },
    60_000,
  );
});
