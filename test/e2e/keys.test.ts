// Keys over HTTP on Azurite: their bodies as text, headers, versions, lists, their way through deletion, recovery and purge. Typed by hand from contract.md §3 and §4; the storage's clock stands still.
import type { Reply } from '../kit/client';
import type { HsmClient } from '../kit/hsmClient';
import { masked, shown, versionOf } from '../kit/keyTexts';
import { type ObservedService, startObservedService } from '../kit/observedService';
import { groupPath, hsmPath, newHsm } from '../kit/resources';

jest.setTimeout(120_000); // a slow machine is no failure

let observed: ObservedService;
let owner: HsmClient;
const at = (instant: string) => observed.proxy.setDate(new Date(instant));

beforeAll(async () => {
  observed = await startObservedService({ localRoles: true });
  at('2027-01-01T00:00:00Z');
  await observed.service.as('owner').send('PUT', groupPath(), { location: 'westus' });
  for (const name of ['Contoso', 'listed', 'slow']) await observed.service.as('owner').finish('PUT', hsmPath(name), newHsm());
  owner = observed.service.hsm('contoso', 'owner');
}, 60_000);
afterAll(() => observed.stop());
beforeEach(() => at('2027-01-01T00:00:00Z'));
afterEach(() => expect(observed.service.output()).not.toMatch(/Unhandled rejection|Uncaught exception|unexpected/));

const ATTRIBUTES = '{"created":1798761600,"enabled":true,"exportable":false,"recoverableDays":7,"recoveryLevel":"CustomizedRecoverable+Purgeable","updated":1798761600}';
const RSA_OPS = '["wrapKey","decrypt","encrypt","unwrapKey","sign","verify"]';
const EC_OPS = '["verify","deriveKey","sign"]';
const OCT_OPS = '["sign","verify","wrapKey","unwrapKey","encrypt","decrypt","deriveKey"]';
const kid = (name: string) => `"kid":"https://contoso.managedhsm.azure.net/keys/${name}/<version>"`;
const body = async (reply: Promise<Reply>): Promise<string> => masked((await reply).text);
const statuses = async (...replies: readonly Promise<Reply>[]) => Promise.all(replies.map(async (reply) => shown(await reply)));

describe('create', () => {
  test.each([
    { name: 'rsa', asked: { kty: 'RSA-HSM' }, made: `{"e":"AQAB","key_ops":${RSA_OPS},${kid('rsa')},"kty":"RSA-HSM","n":"<342>"}` },
    { name: 'rsa-soft', asked: { kty: 'RSA', key_size: 2048, public_exponent: 3 }, made: `{"e":"Aw","key_ops":${RSA_OPS},${kid('rsa-soft')},"kty":"RSA-HSM","n":"<342>"}` },
    { name: 'rsa-3072', asked: { kty: 'RSA-HSM', key_size: 3072, key_ops: [] }, made: `{"e":"AQAB","key_ops":${RSA_OPS},${kid('rsa-3072')},"kty":"RSA-HSM","n":"<512>"}` },
    { name: 'ec', asked: { kty: 'EC-HSM' }, made: `{"crv":"P-256","key_ops":${EC_OPS},${kid('ec')},"kty":"EC-HSM","x":"<43>","y":"<43>"}` },
    { name: 'ec-256', asked: { kty: 'EC', crv: 'P-256' }, made: `{"crv":"P-256","key_ops":${EC_OPS},${kid('ec-256')},"kty":"EC-HSM","x":"<43>","y":"<43>"}` },
    { name: 'ec-256k', asked: { kty: 'EC-HSM', crv: 'P-256K' }, made: `{"crv":"P-256K","key_ops":${EC_OPS},${kid('ec-256k')},"kty":"EC-HSM","x":"<43>","y":"<43>"}` },
    { name: 'ec-384', asked: { kty: 'EC-HSM', crv: 'P-384' }, made: `{"crv":"P-384","key_ops":${EC_OPS},${kid('ec-384')},"kty":"EC-HSM","x":"<64>","y":"<64>"}` },
    { name: 'ec-521', asked: { kty: 'EC-HSM', crv: 'P-521' }, made: `{"crv":"P-521","key_ops":${EC_OPS},${kid('ec-521')},"kty":"EC-HSM","x":"<88>","y":"<88>"}` },
    { name: 'oct', asked: { kty: 'oct-HSM' }, made: `{"key_ops":${OCT_OPS},${kid('oct')},"kty":"oct-HSM"}` },
    { name: 'oct-128', asked: { kty: 'oct-HSM', key_size: 128 }, made: `{"key_ops":${OCT_OPS},${kid('oct-128')},"kty":"oct-HSM"}` },
    { name: 'oct-192', asked: { kty: 'oct', key_size: 192 }, made: `{"key_ops":${OCT_OPS},${kid('oct-192')},"kty":"oct-HSM"}` },
    { name: 'oct-256', asked: { kty: 'oct-HSM', key_size: 256, key_ops: ['wrapKey', 'wrapKey'] }, made: `{"key_ops":["wrapKey"],${kid('oct-256')},"kty":"oct-HSM"}` },
    { name: 'kek', asked: { kty: 'RSA-HSM', key_ops: ['import'] }, made: `{"e":"AQAB","key_ops":["import"],${kid('kek')},"kty":"RSA-HSM","n":"<342>"}` },
  ])('$name', async ({ name, asked, made }) => {
    const created = await owner.create(name, asked);
    expect(masked(created.text)).toBe(`{"attributes":${ATTRIBUTES},"key":${made}}`);
    expect((await owner.send('GET', `/keys/${name}`)).text).toBe(created.text);
    // The size asked for is the size sealed: an oct key shows nothing of it.
    const row = await observed.storage.row('keys', await incarnationOf('contoso'), `k!${name}`);
    expect(JSON.parse(String(row?.current_json)).sizeOrCurve).toBe(
      String((asked as { key_size?: number }).key_size ?? (asked as { crv?: string }).crv ?? { R: 2048, E: 'P-256', o: 256 }[asked.kty[0] as 'R']),
    );
  });

  test('with every option, and the headers of each answer', async () => {
    const asked = {
      kty: 'EC-HSM',
      crv: 'P-384',
      key_ops: ['verify', 'sign'],
      attributes: { enabled: false, nbf: 1798848000, exp: 1830297600, exportable: false },
      tags: { b: '2', a: '', 'ä ö': 'ü' },
    };
    const created = await owner.create('All-Options', asked);
    expect(masked(created.text)).toBe(
      '{"attributes":{"created":1798761600,"enabled":false,"exp":1830297600,"exportable":false,"nbf":1798848000,"recoverableDays":7,"recoveryLevel":"CustomizedRecoverable+Purgeable","updated":1798761600},' +
        `"key":{"crv":"P-384","key_ops":["verify","sign"],${kid('All-Options')},"kty":"EC-HSM","x":"<64>","y":"<64>"},"tags":{"a":"","b":"2","ä ö":"ü"}}`,
    );
    const common = {
      'cache-control': 'no-cache',
      'content-security-policy': "default-src 'self'",
      'content-type': 'application/json; charset=utf-8',
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'SAMEORIGIN',
      'x-ms-request-id': expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      'x-ms-server-latency': expect.stringMatching(/^\d+$/),
    };
    const authorised = { 'x-ms-keyvault-region': expect.any(String), 'x-ms-keyvault-network-info': expect.stringMatching(/^conn_type=Ipv4;addr=[\d.]+;act_addr_fam=Ipv4;$/) };
    expect(created.headers).toMatchObject({ ...common, ...authorised, 'content-length': String(Buffer.byteLength(created.text)) });
    expect(created.headers).not.toHaveProperty('x-ms-build-version');
    expect((await owner.send('GET', '/keys')).headers).toMatchObject({ ...common, ...authorised, 'x-ms-build-version': expect.any(String) });
    const missing = await owner.send('GET', '/keys/missing');
    expect(missing.headers).toMatchObject({ ...common, 'x-ms-build-version': expect.any(String) });
    expect(missing.text).toBe(
      `{"error":{"code":"KeyNotFound","message":"Key not found: https://contoso.managedhsm.azure.net/keys/missing (Activity ID: ${missing.headers['x-ms-request-id']})"}}`,
    );
    for (const [method, text] of [
      ['GET', 'OK'],
      ['POST', ''],
      ['PUT', ''],
      ['PATCH', ''],
      ['DELETE', ''],
    ] as const) {
      const challenge = await observed.service.hsm('contoso').send(method, '/keys/missing');
      expect([challenge.status, challenge.text]).toEqual([401, text]);
      expect(challenge.headers).toMatchObject({
        ...common,
        'www-authenticate': 'Bearer authorization="https://login.microsoftonline.com/11111111-1111-4111-8111-111111111111", resource="https://managedhsm.azure.net"',
      });
    }
  });
});

const incarnationOf = async (hsm: string): Promise<string> => String((await observed.storage.row('hsms', hsm, '!hsm'))?.incarnation);

test('a flood of RSA keys: some are made, some told to come again, and other requests are answered meanwhile', async () => {
  const flood = Promise.all(Array.from({ length: 64 }, (_, n) => owner.create(`flood-${n}`, { kty: 'RSA-HSM' })));
  expect(await statuses(owner.send('GET', '/keys/rsa'), owner.create('amid', { kty: 'oct-HSM' }))).toEqual([200, 200]);
  const replies = await flood;
  expect(new Set(replies.map(shown))).toEqual(new Set([200, '429 Throttled']));
  expect(replies.filter(({ status }) => status === 429).every(({ headers }) => headers['retry-after'] === '5')).toBe(true);
  const stored = (await owner.all('/keys')).items.filter((item) => item.kid.includes('/flood-'));
  expect(stored).toHaveLength(replies.filter(({ status }) => status === 200).length);
}, 60_000);

describe('versions', () => {
  test('creating again adds one; each is read by its id, with and without a slash behind; updates touch one alone', async () => {
    const first = versionOf((await owner.create('Versions', { kty: 'oct-HSM', tags: { n: '1' } })).json);
    at('2027-01-01T00:00:10Z');
    const second = versionOf((await owner.create('versions', { kty: 'EC-HSM', crv: 'P-521' })).json);
    at('2027-01-01T00:00:20Z');
    const third = versionOf((await owner.create('VERSIONS', { kty: 'oct-HSM', key_size: 128, attributes: { enabled: false } })).json);
    const url = 'https://contoso.managedhsm.azure.net/keys/Versions';
    const attributes = (created: number, enabled = true, updated = created) =>
      `{"created":${created},"enabled":${enabled},"exportable":false,"recoverableDays":7,"recoveryLevel":"CustomizedRecoverable+Purgeable","updated":${updated}}`;
    const list = async () => (await owner.send('GET', '/keys/Versions/versions')).text;
    expect(await list()).toBe(
      `{"value":[{"attributes":${attributes(1798761600)},"kid":"${url}/${first}","tags":{"n":"1"}},{"attributes":${attributes(1798761610)},"kid":"${url}/${second}"},{"attributes":${attributes(1798761620, false)},"kid":"${url}/${third}"}]}`,
    );
    const latest = (await owner.send('GET', '/keys/Versions')).text;
    expect(latest).toContain(`"kid":"${url}/${third}"`);
    for (const path of ['/keys/Versions/', '/keys//versions', '/KEYS/versions', `/keys/VERSIONS/${third}`, `/keys/versions/${third.toUpperCase()}/`])
      expect((await owner.send('GET', path)).text).toBe(latest);
    expect((await owner.send('GET', '/keys/versions?api%2Dversion=2025-07-01')).text).toBe(latest);

    at('2027-01-01T00:00:30Z');
    expect(await body(owner.send('PATCH', `/keys/versions/${first}`, { attributes: { exp: 1830297600 }, key_ops: ['encrypt'], tags: {} }))).toBe(
      `{"attributes":{"created":1798761600,"enabled":true,"exp":1830297600,"exportable":false,"recoverableDays":7,"recoveryLevel":"CustomizedRecoverable+Purgeable","updated":1798761630},"key":{"key_ops":["encrypt"],${kid('Versions')},"kty":"oct-HSM"}}`,
    );
    expect((await owner.send('GET', '/keys/versions/')).text).toBe(latest);
    at('2027-01-01T00:00:40Z');
    expect(await body(owner.send('PATCH', '/keys/versions/', { attributes: { enabled: true } }))).toBe(
      `{"attributes":${attributes(1798761620, true, 1798761640)},"key":{"key_ops":${OCT_OPS},${kid('Versions')},"kty":"oct-HSM"}}`,
    );
    at('2027-01-01T00:00:50Z');
    expect(shown(await owner.send('PATCH', `/keys/versions/${third}`, { tags: { last: 'yes' } }))).toBe(200);
    expect((await owner.send('GET', `/keys/versions/${second}`)).json.attributes.updated).toBe(1798761610);
    expect(await list()).toBe(
      `{"value":[{"attributes":{"created":1798761600,"enabled":true,"exp":1830297600,"exportable":false,"recoverableDays":7,"recoveryLevel":"CustomizedRecoverable+Purgeable","updated":1798761630},"kid":"${url}/${first}"},` +
        `{"attributes":${attributes(1798761610)},"kid":"${url}/${second}"},{"attributes":${attributes(1798761620, true, 1798761650)},"kid":"${url}/${third}","tags":{"last":"yes"}}]}`,
    );
    expect((await owner.all('/keys/versions/versions?maxresults=2')).items.map(versionOf)).toEqual([first, second, third]);
    expect((await owner.all('/keys/versions/versions?maxresults=1')).pages).toEqual([1, 1, 1]);
    expect(
      await statuses(owner.send('GET', `/keys/versions/${'0'.repeat(32)}`), owner.send('PATCH', `/keys/versions/${'0'.repeat(32)}`, {}), owner.send('GET', `/keys/rsa/${first}`)),
    ).toEqual(['404 KeyNotFound', '404 KeyNotFound', '404 KeyNotFound']);
    expect((await owner.send('GET', '/keys/missing/versions')).text).toBe('{"value":[]}');
  });

  test('a hundred and no more; deleted and recovered they are all there', async () => {
    for (let n = 1; n <= 99; n++) expect((await owner.create('hundred', { kty: 'oct-HSM' })).status).toBe(200);
    expect((await owner.create('hundred', { kty: 'oct-HSM' })).status).toBe(200);
    const before = await observed.storage.dump();
    expect(shown(await owner.create('hundred', { kty: 'oct-HSM' }))).toBe('403 Forbidden/KeyVersionLimitExceeded');
    expect(await observed.storage.dump()).toEqual(before);
    const { items, pages } = await owner.all('/keys/hundred/versions');
    expect([new Set(items.map(versionOf)).size, pages]).toEqual([100, [25, 25, 25, 25]]);
    expect(await statuses(owner.send('DELETE', '/keys/hundred'))).toEqual([200]);
    expect(await statuses(owner.send('POST', '/deletedkeys/hundred/recover'))).toEqual([200]);
    expect((await owner.all('/keys/hundred/versions')).items).toEqual(items);
  }, 60_000);
});

test('lists: by name, in pages to their end, the deleted in between left out; each key in exactly one of the two', async () => {
  const client = observed.service.hsm('listed', 'owner');
  const names = Array.from({ length: 60 }, (_, n) => `${n % 2 ? 'K' : 'k'}-${String(n).padStart(2, '0')}`);
  for (const name of names) await client.create(name, { kty: 'oct-HSM', ...(name === 'k-00' && { tags: { a: 'b' } }) });
  expect((await client.all('/keys')).pages).toEqual([25, 25, 10]);
  // Whole pages of them in a row, and the last of all.
  const isDeleted = (n: number) => n % 3 === 1 || (n >= 20 && n < 40) || n === 59;
  const deleted = names.filter((_, n) => isDeleted(n));
  const live = names.filter((_, n) => !isDeleted(n));
  for (const name of deleted) await client.send('DELETE', `/keys/${name}`);
  const named = async (path: string) => {
    const { items, pages } = await client.all(path);
    expect(pages.slice(0, -1).every((size) => size === pages[0])).toBe(true);
    return items.map((item) => item.kid.replace('https://listed.managedhsm.azure.net/keys/', ''));
  };
  for (const query of ['', '?maxresults=25', '?maxresults=1', '?maxresults=4', '?maxresults=7']) {
    expect(await named(`/keys${query}`)).toEqual(live);
    expect(await named(`/deletedkeys/${query}`)).toEqual(deleted);
  }
  expect((await client.send('GET', '/keys?maxresults=2')).text).toBe(
    `{"nextLink":"https://listed.managedhsm.azure.net/keys?maxresults=2&$skiptoken=k-02","value":[{"attributes":${ATTRIBUTES},"kid":"https://listed.managedhsm.azure.net/keys/k-00","tags":{"a":"b"}},{"attributes":${ATTRIBUTES},"kid":"https://listed.managedhsm.azure.net/keys/k-02"}]}`,
  );
  expect((await client.send('GET', '/deletedkeys?maxresults=1')).text).toBe(
    `{"nextLink":"https://listed.managedhsm.azure.net/deletedkeys?maxresults=1&$skiptoken=k-01","value":[{"attributes":${ATTRIBUTES},"deletedDate":1798761600,"kid":"https://listed.managedhsm.azure.net/keys/K-01","recoveryId":"https://listed.managedhsm.azure.net/deletedkeys/K-01","scheduledPurgeDate":1799366400}]}`,
  );
  // The key that a link stands on may go meanwhile.
  const { nextLink } = (await client.send('GET', '/keys?maxresults=2')).json;
  await client.send('DELETE', '/keys/k-02');
  const { pathname, search } = new URL(nextLink);
  expect((await client.sendTo('GET', pathname + search)).json.value.map(({ kid: id }: { kid: string }) => id.split('/')[4])).toEqual(live.slice(2, 4));
  expect((await observed.service.hsm('slow', 'owner').send('GET', '/keys')).text).toBe('{"value":[]}');
}, 60_000);

test('deleted, its name held, recovered with every version, deleted again, purged, its name free', async () => {
  await owner.create('Story', { kty: 'EC-HSM', tags: { v: '1' } });
  at('2027-01-01T00:00:01Z');
  const created = await owner.create('story', { kty: 'EC-HSM', tags: { v: '2' } });
  const versions = (await owner.send('GET', '/keys/story/versions')).text;
  at('2027-01-02T00:00:00Z');
  const deleted = await owner.send('DELETE', '/keys/STORY');
  const { attributes, key, tags } = created.json;
  expect([deleted.status, deleted.text]).toEqual([
    200,
    JSON.stringify({ attributes, deletedDate: 1798848000, key, recoveryId: 'https://contoso.managedhsm.azure.net/deletedkeys/Story', scheduledPurgeDate: 1799452800, tags }),
  ]);
  expect((await owner.send('GET', '/deletedkeys/story')).text).toBe(deleted.text);
  const notThere = (path: string) => `{"error":{"code":"KeyNotFound","message":"Key not found: https://contoso.managedhsm.azure.net/${path} <activity>"}}`;
  for (const [method, path, sent] of [
    ['GET', '/keys/story'],
    ['GET', `/keys/story/${versionOf(created.json)}`],
    ['PATCH', '/keys/story/', {}],
    ['DELETE', '/keys/story'],
  ] as const)
    expect(await body(owner.send(method, path, sent))).toBe(notThere('keys/story'));
  expect((await owner.send('GET', '/keys/story/versions')).text).toBe('{"value":[]}');
  const held = await owner.create('story', { kty: 'EC-HSM' });
  expect([held.status, masked(held.text)]).toEqual([
    409,
    '{"error":{"code":"Conflict","innererror":{"code":"ObjectIsDeletedButRecoverable"},"message":"Key story is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged. <activity>"}}',
  ]);

  const recovered = await owner.send('POST', '/deletedkeys/story/recover');
  expect([recovered.status, recovered.text]).toEqual([200, created.text]);
  expect([(await owner.send('GET', '/keys/story')).text, (await owner.send('GET', '/keys/story/versions')).text]).toEqual([created.text, versions]);
  for (const [method, path] of [
    ['GET', '/deletedkeys/story'],
    ['POST', '/deletedkeys/story/recover'],
    ['DELETE', '/deletedkeys/story'],
  ] as const) {
    const refused = await owner.send(method, path);
    expect([refused.status, masked(refused.text)]).toEqual([404, notThere('deletedkeys/story')]);
  }

  at('2027-01-03T00:00:00Z');
  expect((await owner.send('DELETE', '/keys/story')).json).toMatchObject({ deletedDate: 1798934400, scheduledPurgeDate: 1799539200 });
  const purged = await owner.send('DELETE', '/deletedkeys/story');
  expect([purged.status, purged.text]).toEqual([204, '']);
  expect(
    await statuses(
      owner.send('GET', '/deletedkeys/story'),
      owner.send('POST', '/deletedkeys/story/recover'),
      owner.send('DELETE', '/deletedkeys/story'),
      owner.send('GET', '/keys/story'),
      owner.send('DELETE', '/keys/story'),
    ),
  ).toEqual(Array(5).fill('404 KeyNotFound'));
  const anew = await owner.create('sTORY', { kty: 'EC-HSM' });
  expect(masked(anew.text)).toContain('"created":1798934400');
  expect((await owner.all('/keys/story/versions')).items).toHaveLength(1);
  expect((await owner.send('GET', '/keys/STORY')).json.key.kid).toBe(`https://contoso.managedhsm.azure.net/keys/sTORY/${versionOf(anew.json)}`);
});

test.each([
  { name: 'level-90', days: 90, protection: false, level: 'Recoverable+Purgeable' },
  { name: 'level-90-on', days: 90, protection: true, level: 'Recoverable' },
  { name: 'level-8', days: 8, protection: false, level: 'CustomizedRecoverable+Purgeable' },
  { name: 'level-89-on', days: 89, protection: true, level: 'CustomizedRecoverable' },
])('$name: level and days follow the HSM, in every body', async ({ name, days, protection, level }) => {
  await observed.service.as('owner').finish('PUT', hsmPath(name), newHsm({ softDeleteRetentionInDays: days, ...(protection && { enablePurgeProtection: true }) }));
  const client = observed.service.hsm(name, 'owner');
  const own = { recoverableDays: days, recoveryLevel: level };
  expect((await client.create('one')).json.attributes).toMatchObject(own);
  expect((await client.send('GET', '/keys')).json.value[0].attributes).toMatchObject(own);
  const { attributes, deletedDate, scheduledPurgeDate } = (await client.send('DELETE', '/keys/one')).json;
  expect([attributes, scheduledPurgeDate - deletedDate]).toEqual([expect.objectContaining(own), days * 86_400]);
  expect((await client.send('GET', '/deletedkeys')).json.value[0].attributes).toMatchObject(own);
});

test('three seconds of transition: on neither side, nothing else may begin; then on the other', async () => {
  await observed.restart({ env: { TRANSITION_SECONDS: '3' } });
  const client = observed.service.hsm('slow', 'owner');
  const advance = (text: string) => observed.service.clock({ advance: text });
  const sides = async () => [
    ...(await statuses(client.send('GET', '/keys/k1/'), client.send('GET', '/deletedkeys/k1'))),
    (await client.all('/keys')).items.length,
    (await client.all('/deletedkeys')).items.length,
    (await client.all('/keys/k1/versions')).items.length,
  ];
  const neither = ['404 KeyNotFound', '404 KeyNotFound', 0, 0, 0];
  const commands = () =>
    statuses(client.create('k1'), client.send('DELETE', '/keys/k1'), client.send('POST', '/deletedkeys/k1/recover'), client.send('PATCH', '/keys/k1', { tags: {} }));
  const underWay = Array(4).fill('409 Conflict');
  const created = await client.create('k1');
  expect(await sides()).toEqual([200, '404 KeyNotFound', 1, 0, 1]);

  const deleted = await client.send('DELETE', '/keys/k1');
  expect([deleted.status, await sides(), await commands()]).toEqual([200, neither, underWay]);
  await advance('PT2S');
  expect([await sides(), await commands()]).toEqual([neither, underWay]);
  await advance('PT1S');
  expect([await sides(), (await client.send('GET', '/deletedkeys/k1')).text]).toEqual([['404 KeyNotFound', 200, 0, 1, 0], deleted.text]);

  const recovered = await client.send('POST', '/deletedkeys/k1/recover');
  expect([recovered.text, await sides(), await commands()]).toEqual([created.text, neither, underWay]);
  await advance('PT3S');
  expect([await sides(), (await client.send('GET', '/keys/k1')).text]).toEqual([[200, '404 KeyNotFound', 1, 0, 1], created.text]);

  // A purge has no window, and need not wait for one.
  await client.send('DELETE', '/keys/k1');
  expect(await statuses(client.send('DELETE', '/deletedkeys/k1'))).toEqual([204]);
  expect(await statuses(client.create('k1'))).toEqual([200]);
});
