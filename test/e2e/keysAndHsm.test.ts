// Keys and the life of their HSM over HTTP on Azurite: out of reach while it is deleted, back as they were after its recovery, gone at their own deadlines meanwhile; the deadlines of keys by timer, by sweeper, by neither.
import type { HsmClient } from '../kit/hsmClient';
import { constantPart, shown } from '../kit/keyTexts';
import { type ObservedService, startObservedService } from '../kit/observedService';
import { deletedPath, groupPath, hsmPath, newHsm, recovering } from '../kit/resources';
import type { ServiceOptions } from '../kit/service';
import { isTableWrite, type StorageRequest } from '../kit/storageProxy';
import { stopNext } from '../kit/turnstile';

jest.setTimeout(120_000); // a slow machine is no failure

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
  expect(observed.service.output()).not.toMatch(/Unhandled rejection|Uncaught exception|poison|unexpected/);
});

/** The host again, with these functions off and these settings instead of the usual ones. */
const using = ({ disabled = [], timersEarly = false }: Partial<ServiceOptions>, meanwhile?: () => Promise<void>, env: Readonly<Record<string, string>> = {}) =>
  observed.restart({ disabled, timersEarly, env: { LRO_SECONDS: '0', FUNCTION_TIMEOUT_SECONDS: '300', ...env } }, meanwhile);
const advance = (text: string) => observed.service.clock({ advance: text });
/** The storage's clock stands still: between two advances no time passes, however slow the machine is. */
const standStill = () => observed.proxy.setDate(new Date());

async function hsm(name: string, properties: object = {}): Promise<HsmClient> {
  expect((await owner.finish('PUT', hsmPath(name), newHsm(properties))).status).toBe(200);
  return observed.service.hsm(name, 'owner');
}

const deleteHsm = async (name: string) => expect((await owner.finish('DELETE', hsmPath(name))).status).toBe(200);
const recoverHsm = async (name: string) => expect((await owner.finish('PUT', hsmPath(name), recovering)).status).toBe(200);
const statusesOf = async (client: HsmClient, ...requests: readonly (readonly [method: string, path: string, body?: object])[]) => {
  const found: (string | number)[] = [];
  for (const [method, path, body] of requests) found.push(shown(await client.send(method, path, body)));
  return found;
};
const incarnationOf = async (name: string): Promise<string> => String((await observed.storage.row('hsms', name, '!hsm'))?.incarnation);
const rowOf = async (incarnation: string, key: string) => observed.storage.row('keys', incarnation, `k!${key}`);
const rowKeys = async (incarnation: string) => (await observed.storage.rows('keys', incarnation)).map(({ rowKey }) => rowKey.split('!')[0]);
const purgers = async (incarnation: string) =>
  (await observed.storage.rows('keys', incarnation)).filter(({ rowKey }) => rowKey.startsWith('gone!')).map(({ name, by }) => `${name} ${by}`);
const timerOf = async (deletionId: string) => (await observed.instances.one(deletionId))?.status;

/** @returns the id of the deletion, which is that of its timer */
async function deleteKey(client: HsmClient, key: string): Promise<string> {
  expect(shown(await client.send('DELETE', `/keys/${key}`))).toBe(200);
  return JSON.parse(String((await rowOf(await incarnationOf(client.name), key))?.deletion_json)).deletionId;
}

const version = '0'.repeat(32);
const OPERATIONS: readonly (readonly [method: string, path: string, body?: object])[] = [
  ['POST', '/keys/live/create', { kty: 'EC-HSM' }],
  ['POST', '/keys/new/create', { kty: 'EC-HSM' }],
  ['POST', '/keys/new/create', { kty: 'no such type' }],
  ['GET', '/keys/live'],
  ['GET', '/keys/live/'],
  ['GET', `/keys/live/${version}`],
  ['GET', '/keys/live/versions'],
  ['GET', '/keys'],
  ['GET', '/keys?maxresults=77'],
  ['PATCH', '/keys/live', { tags: { a: 'b' } }],
  ['PATCH', `/keys/live/${version}`, { tags: { a: 'b' } }],
  ['DELETE', '/keys/live'],
  ['GET', '/deletedkeys'],
  ['GET', '/deletedkeys/gone'],
  ['POST', '/deletedkeys/gone/recover'],
  ['DELETE', '/deletedkeys/gone'],
  ['DELETE', '/deletedkeys/live'],
];

test('I6 while an HSM is deleted each operation is refused, with the bytes that an unknown and a purged HSM have, and nothing is changed', async () => {
  // Names of one length, so that bodies are.
  for (const name of ['hsm-deleted', 'hsm-erased1']) {
    const client = await hsm(name);
    for (const key of ['live', 'gone']) await client.create(key);
    await client.send('DELETE', '/keys/gone');
    // The control: each would do something here.
    expect(shown(await client.send('GET', '/keys/live'))).toBe(200);
    await deleteHsm(name);
  }
  expect((await owner.finish('POST', `${deletedPath('hsm-erased1')}/purge`)).status).toBe(200);
  await advance('PT0S');
  const before = await observed.storage.dump();
  for (const principal of ['owner', 'nobody', undefined])
    for (const [method, path, body] of OPERATIONS) {
      const [unknown, deleted, purged] = await Promise.all(
        ['hsm-unknown', 'hsm-deleted', 'hsm-erased1'].map(async (name) =>
          constantPart(await observed.service.hsm(name, principal).send(method, path, body)).replaceAll(name, 'the-hsm'),
        ),
      );
      expect([deleted, purged]).toEqual([unknown, unknown]);
      if (principal === undefined) expect(unknown).toContain('[401,');
      else expect(unknown).toMatch(/^\[400,.*No active managed HSM has this name/);
    }
  expect(await observed.storage.dump()).toEqual(before);
  await recoverHsm('hsm-deleted');
  const client = observed.service.hsm('hsm-deleted', 'owner');
  expect(await statusesOf(client, ['GET', '/keys/live'], ['GET', '/deletedkeys/gone'], ['POST', '/keys/new/create', { kty: 'oct-HSM' }])).toEqual([200, 200, 200]);
});

test.each([
  { name: 'recovered', timersEarly: false },
  { name: 'recovered-early', timersEarly: true },
])(
  'I10 $name: on day 6 after its deletion an HSM has its keys, versions and deleted keys byte for byte, but for a key whose own deadline passed on time meanwhile',
  async ({ name, timersEarly }) => {
    await using({ disabled: ['sweep'], timersEarly });
    standStill();
    const client = await hsm(name);
    for (const key of ['Live', 'live', 'LIVE']) await client.create(key, { kty: 'oct-HSM', tags: { key } });
    await client.create('disabled', { kty: 'EC-HSM', attributes: { enabled: false, exp: 4102444800 } });
    for (const key of ['soon', 'late']) for (let n = 0; n < 3; n++) await client.create(key, { kty: 'oct-HSM' });
    const soon = await deleteKey(client, 'soon'); // due on day 7
    await advance('P1D');
    const incarnation = await incarnationOf(name);
    const late = await deleteKey(client, 'late'); // due on day 8
    const seen = () =>
      Promise.all(
        ['/keys', '/keys/live', '/keys/live/versions', '/keys/disabled', '/keys/late', '/deletedkeys/late', '/keys/soon'].map(async (path) =>
          constantPart(await client.send('GET', path)),
        ),
      );
    const answers = await seen();
    const stored = await observed.storage.rows('keys', incarnation);
    const soonIs = String(stored.find(({ rowKey }) => rowKey === 'k!soon')?.incarnation);
    const ofSoon = (rowKey: string) => rowKey === 'k!soon' || rowKey.endsWith(soon) || rowKey.includes(soonIs);
    await advance('PT12H');
    await deleteHsm(name);
    expect(await observed.storage.rows('keys', incarnation)).toEqual(stored);

    await advance('P5DT43199S'); // one second before day 7
    expect([await rowOf(incarnation, 'soon'), await timerOf(soon)]).toEqual([expect.anything(), 'Running']);
    await advance('PT1S');
    observed.proxy.setDate(undefined);
    // The timer is padded by a second; if it asked while the storage's clock stood still, it asks again after a minute.
    await advance('PT2M');
    expect([await rowOf(incarnation, 'soon'), await purgers(incarnation), await timerOf(soon)]).toEqual([undefined, ['soon timer'], 'Completed']);
    await advance('PT11H');
    expect((await owner.send('GET', deletedPath(name))).status).toBe(200);
    await recoverHsm(name);
    expect(await seen()).toEqual(answers);
    expect((await observed.storage.rows('keys', incarnation)).filter(({ rowKey }) => !ofSoon(rowKey))).toEqual(stored.filter(({ rowKey }) => !ofSoon(rowKey)));
    expect((await client.all('/deletedkeys')).items.map(({ kid }) => kid.split('/')[4])).toEqual(['late']);
    expect(await statusesOf(client, ['GET', '/deletedkeys/soon'], ['POST', '/keys/soon/create', { kty: 'oct-HSM' }])).toEqual(['404 KeyNotFound', 200]);

    await advance('P1DT1H');
    expect([await rowOf(incarnation, 'late'), (await purgers(incarnation)).sort(), await timerOf(late)]).toEqual([undefined, ['late timer', 'soon timer'], 'Completed']);
    await advance('P90D');
    expect(await statusesOf(client, ['GET', '/keys/live'], ['GET', '/keys/disabled'], ['GET', '/keys/soon'], ['GET', '/deletedkeys/late'])).toEqual([
      200,
      200,
      200,
      '404 KeyNotFound',
    ]);
  },
);

test.each([
  { name: 'deadline', timersEarly: false },
  { name: 'deadline-early', timersEarly: true },
])('$name: seven days less a second a deleted key is there, at seven days it is gone, its timer done, its name free', async ({ name, timersEarly }) => {
  await using({ disabled: ['sweep'], timersEarly });
  standStill();
  const client = await hsm(name);
  const incarnation = await incarnationOf(name);
  for (let n = 0; n < 3; n++) await client.create('k1', { kty: 'oct-HSM' });
  await client.create('other', { kty: 'oct-HSM' });
  const deletionId = await deleteKey(client, 'k1');
  expect(await rowKeys(incarnation)).toEqual(['due', 'k', 'k', 'v', 'v']);
  await advance(`PT${7 * 86_400 - 1}S`);
  expect(await statusesOf(client, ['GET', '/deletedkeys/k1'], ['POST', '/keys/k1/create', { kty: 'oct-HSM' }])).toEqual([200, '409 Conflict/ObjectIsDeletedButRecoverable']);
  expect([(await client.all('/deletedkeys')).items.length, await timerOf(deletionId)]).toEqual([1, 'Running']);
  await advance('PT1S');
  expect(await statusesOf(client, ['GET', '/deletedkeys/k1'], ['POST', '/deletedkeys/k1/recover'], ['DELETE', '/deletedkeys/k1'])).toEqual(Array(3).fill('404 KeyNotFound'));
  expect((await client.send('GET', '/deletedkeys')).text).toBe('{"value":[]}');
  observed.proxy.setDate(undefined);
  await advance('PT2M');
  expect([await rowKeys(incarnation), await purgers(incarnation), await timerOf(deletionId)]).toEqual([['gone', 'k'], ['k1 timer'], 'Completed']);
  expect(await statusesOf(client, ['POST', '/keys/k1/create', { kty: 'oct-HSM' }], ['GET', '/keys/other'])).toEqual([200, 200]);
});

test('recovered on day 6 a key is there on day 8 and on day 100, and its timer has ended', async () => {
  await using({});
  const client = await hsm('six');
  const created = await client.create('k1');
  const deletionId = await deleteKey(client, 'k1');
  await advance('P6D');
  expect(shown(await client.send('POST', '/deletedkeys/k1/recover'))).toBe(200);
  await advance('PT0S');
  expect(await timerOf(deletionId)).toBe('Terminated');
  for (const later of ['P2D', 'P92D']) {
    await advance(later);
    expect((await client.send('GET', '/keys/k1')).text).toBe(created.text);
    expect(await rowKeys(await incarnationOf('six'))).toEqual(['k']);
  }
});

test('I11 deleted twice: the timer of the first deletion, though it lives on, harms nothing', async () => {
  await using({ disabled: ['sweep'] });
  const client = await hsm('twice');
  const incarnation = await incarnationOf('twice');
  await client.create('k1');
  const first = await deleteKey(client, 'k1');
  await advance('P3D');
  const running = await observed.instances.one(first);
  expect(shown(await client.send('POST', '/deletedkeys/k1/recover'))).toBe(200);
  const second = await deleteKey(client, 'k1');
  await using({ disabled: ['sweep'] }, () => observed.instances.restore(running as NonNullable<typeof running>));
  await advance('P4DT5M'); // the first deadline has passed
  expect([await timerOf(first), await timerOf(second), shown(await client.send('GET', '/deletedkeys/k1'))]).toEqual(['Completed', 'Running', 200]);
  await advance('P3D');
  expect([await timerOf(second), await rowKeys(incarnation), await purgers(incarnation)]).toEqual(['Completed', ['gone'], ['k1 timer']]);
});

test('I4 purge protection switched on after the deletion of a key: nobody purges it on day 1, its timer does on day 7', async () => {
  await using({ disabled: ['sweep'] });
  const client = await hsm('protected');
  for (const key of ['before', 'kept']) await client.create(key);
  for (const key of ['before', 'kept']) await client.send('DELETE', `/keys/${key}`);
  expect((await client.send('GET', '/deletedkeys/kept')).json.attributes.recoveryLevel).toBe('CustomizedRecoverable+Purgeable');
  expect(shown(await client.send('DELETE', '/deletedkeys/before'))).toBe(204);
  expect((await owner.finish('PATCH', hsmPath('protected'), { properties: { enablePurgeProtection: true } })).status).toBe(200);
  expect((await client.send('GET', '/deletedkeys/kept')).json.attributes.recoveryLevel).toBe('CustomizedRecoverable');
  for (const later of ['PT0S', 'P1D', 'P5D']) {
    await advance(later);
    const rows = await observed.storage.rows('keys');
    expect(await statusesOf(client, ['DELETE', '/deletedkeys/kept'], ['GET', '/deletedkeys/kept'])).toEqual(['403 Forbidden/ForbiddenByPolicy', 200]);
    expect(await observed.storage.rows('keys')).toEqual(rows);
  }
  await advance('P1DT2M');
  expect([await rowOf(await incarnationOf('protected'), 'kept'), (await purgers(await incarnationOf('protected'))).sort()]).toEqual([undefined, ['before caller', 'kept timer']]);
  // With the HSM go its keys, protection or not; but it is protected as well.
  await deleteHsm('protected');
  expect((await owner.send('POST', `${deletedPath('protected')}/purge`)).status).toBe(405);
});

test('the sweeper alone: keys of live and of deleted HSMs go with the first sweep after their date', async () => {
  await using({ disabled: ['purgeAtDeadline', 'lookAtDeletion'] });
  const clients = [await hsm('swept'), await hsm('swept-deleted')];
  const incarnations = [await incarnationOf('swept'), await incarnationOf('swept-deleted')];
  for (const client of clients) {
    for (const key of ['k1', 'later', 'live']) await client.create(key);
    await client.send('DELETE', '/keys/k1');
  }
  await advance('P2D');
  for (const client of clients) await client.send('DELETE', '/keys/later');
  await deleteHsm('swept-deleted');
  await advance('P4DT23H');
  for (const incarnation of incarnations) expect(await rowKeys(incarnation)).toEqual(['due', 'due', 'k', 'k', 'k']);
  await advance('PT1H15M');
  for (const incarnation of incarnations) expect([await rowOf(incarnation, 'k1'), await purgers(incarnation)]).toEqual([undefined, ['k1 sweeper']]);
  for (const incarnation of incarnations) expect([await rowOf(incarnation, 'later'), await rowOf(incarnation, 'live')]).toEqual([expect.anything(), expect.anything()]);
});

test('I5 neither timer nor sweeper: unseen at its date, its name free, and the overdue key goes before a new one takes the name', async () => {
  await using({ disabled: ['sweep', 'purgeAtDeadline', 'lookAtDeletion'] });
  const client = await hsm('unattended');
  const incarnation = await incarnationOf('unattended');
  for (const key of ['unseen', 'reused']) for (let n = 0; n < 2; n++) await client.create(key, { kty: 'oct-HSM' });
  for (const key of ['unseen', 'reused']) await client.send('DELETE', `/keys/${key}`);
  const old = String((await rowOf(incarnation, 'reused'))?.incarnation);
  await advance('P8D');
  const requests = (key: string): readonly (readonly [string, string, object?])[] => [
    ['GET', `/deletedkeys/${key}`],
    ['POST', `/deletedkeys/${key}/recover`],
    ['DELETE', `/deletedkeys/${key}`],
    ['GET', `/keys/${key}`],
    ['PATCH', `/keys/${key}`, {}],
    ['DELETE', `/keys/${key}`],
  ];
  for (const [method, path, body] of requests('unseen'))
    expect(constantPart(await client.send(method, path, body))).toBe(
      constantPart(await client.send(method, path.replace('unseen', 'absent'), body)).replaceAll('absent', 'unseen'),
    );
  expect([(await client.send('GET', '/deletedkeys')).text, (await client.send('GET', '/keys')).text]).toEqual(['{"value":[]}', '{"value":[]}']);
  expect(await rowOf(incarnation, 'unseen')).toBeDefined();
  const created = await client.create('reused', { kty: 'oct-HSM' });
  expect([shown(created), await purgers(incarnation)]).toEqual([200, ['reused create']]);
  expect((await rowOf(incarnation, 'reused'))?.incarnation).not.toBe(old);
  expect((await client.all('/keys/reused/versions')).items).toHaveLength(1);
  await advance('PT0S');
  expect((await observed.storage.rows('keys', incarnation)).filter(({ rowKey }) => rowKey.startsWith(`v!${old}`))).toEqual([]);
  await using({ disabled: ['purgeAtDeadline', 'lookAtDeletion'] });
  await advance('PT15M');
  expect([await rowOf(incarnation, 'unseen'), (await purgers(incarnation)).sort()]).toEqual([undefined, ['reused create', 'unseen sweeper']]);
  expect((await client.send('GET', '/keys/reused')).text).toBe(created.text);
});

test('a new HSM of a purged name has none of its keys and none of its grants; the old timers of keys harm nothing', async () => {
  await using({ disabled: ['sweep'] });
  const client = await hsm('again');
  const before = await incarnationOf('again');
  for (const key of ['live', 'gone']) await client.create(key);
  const timer = await deleteKey(client, 'gone');
  await deleteHsm('again');
  await owner.finish('POST', `${deletedPath('again')}/purge`);
  await hsm('again');
  await client.create('gone');
  await client.send('DELETE', '/keys/gone');
  await advance('P2D');
  expect(await observed.storage.rows('keys', before)).toEqual([]);
  expect((await client.send('GET', '/keys')).text).toBe('{"value":[]}');
  expect(shown(await client.send('POST', '/deletedkeys/gone/recover'))).toBe(200);
  await advance('P5DT2M');
  expect([await timerOf(timer), shown(await client.send('GET', '/keys/gone'))]).toEqual(['Completed', 200]);
});

test('while its creation, deletion or recovery is under way an HSM has no keys for anybody; an update does not stand in their way', async () => {
  await using({}, undefined, { LRO_SECONDS: '60' });
  const states: (string | number)[] = [];
  const look = async () => states.push(shown(await observed.service.hsm('windows', 'owner').send('GET', '/keys')));
  const step = async (method: string, body?: object) => {
    expect([200, 202]).toContain((await owner.send(method, hsmPath('windows'), body)).status);
    await look();
    await advance('PT60S');
    await look();
  };
  await step('PUT', newHsm());
  await step('PATCH', { tags: { a: 'b' } });
  await step('DELETE');
  await step('PUT', recovering);
  expect(states).toEqual(['400 BadParameter', 200, 200, 200, '400 BadParameter', '400 BadParameter', '400 BadParameter', 200]);
});

describe('the fence of purge protection', () => {
  const protect = (name: string) => owner.finish('PATCH', hsmPath(name), { properties: { enablePurgeProtection: true } });
  const purges = (key: string) => (request: StorageRequest) => isTableWrite(request) && request.body.includes('DELETE ') && decodeURIComponent(request.body).includes(`k!${key}`);

  test('I4 a purge that was on its way when protection was acknowledged does not take effect', async () => {
    await using({});
    const client = await hsm('fenced');
    for (const key of ['first', 'stalled']) {
      await client.create(key);
      await client.send('DELETE', `/keys/${key}`);
    }
    // The control: held and let go without protection it purges.
    for (const [key, protectedMeanwhile, expected] of [
      ['first', false, 204],
      ['stalled', true, '403 Forbidden/ForbiddenByPolicy'],
    ] as const) {
      const held = observed.proxy.hold(purges(key));
      const purge = client.send('DELETE', `/deletedkeys/${key}`);
      await held.arrived;
      if (protectedMeanwhile) expect((await protect('fenced')).status).toBe(200);
      held.release();
      expect(shown(await purge)).toBe(expected);
    }
    expect(shown(await client.send('POST', '/deletedkeys/stalled/recover'))).toBe(200);
  });

  test('a fence closed for a protection that was then refused is opened again by the sweeper, after two time-outs', async () => {
    await using({}, undefined, { FUNCTION_TIMEOUT_SECONDS: '20' });
    const client = await hsm('healed');
    await client.create('k1');
    const writesRecord = (request: StorageRequest) => isTableWrite(request) && request.body.includes("PartitionKey='healed'");
    const stop = stopNext(observed.proxy, writesRecord);
    const refused = protect('healed');
    const stopped = await stop;
    await deleteHsm('healed');
    stopped.go();
    expect((await refused).status).toBe(404);
    await recoverHsm('healed');
    expect((await owner.send('GET', hsmPath('healed'))).json.properties.enablePurgeProtection).toBe(false);
    await client.send('DELETE', '/keys/k1');
    await advance('PT15M'); // by the storage's own clock no time has passed
    expect(shown(await client.send('DELETE', '/deletedkeys/k1'))).toBe('403 Forbidden/ForbiddenByPolicy');
    observed.proxy.setDate(new Date(Date.now() + 60_000));
    await advance('PT15M');
    expect(shown(await client.send('DELETE', '/deletedkeys/k1'))).toBe(204);
  });
});

test('I8 a purge and a recovery that have both read the deleted key: exactly one takes effect', async () => {
  await using({});
  const client = await hsm('race');
  const outcomes = new Set<string>();
  for (let round = 0; round < 6; round++) {
    await client.create(`k${round}`);
    await client.send('DELETE', `/keys/k${round}`);
    observed.proxy.barrier((request) => isTableWrite(request) && decodeURIComponent(request.body).includes(`k!k${round}`));
    const [purged, recovered] = (await Promise.all([client.send('DELETE', `/deletedkeys/k${round}`), client.send('POST', `/deletedkeys/k${round}/recover`)])).map(shown);
    const live = shown(await client.send('GET', `/keys/k${round}`));
    outcomes.add(`${purged}, ${recovered}, ${live}`);
    expect(shown(await client.send('GET', `/deletedkeys/k${round}`))).toBe('404 KeyNotFound');
  }
  for (const outcome of outcomes) expect(['204, 404 KeyNotFound, 404 KeyNotFound', '404 KeyNotFound, 200, 200']).toContain(outcome);
});
