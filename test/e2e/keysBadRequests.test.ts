// Bad requests to the data plane over HTTP on Azurite: each is refused by an error of the service that says what was wrong, changes nothing in storage, and has a twin that differs in exactly one thing and is accepted.
import type { HsmClient } from '../kit/hsmClient';
import { shown } from '../kit/keyTexts';
import { type ObservedService, startObservedService } from '../kit/observedService';
import { queueLengths } from '../kit/queues';
import { groupPath, hsmPath, newHsm } from '../kit/resources';

jest.setTimeout(120_000); // a slow machine is no failure

let observed: ObservedService;
let owner: HsmClient;

beforeAll(async () => {
  observed = await startObservedService({ localRoles: true });
  observed.proxy.setDate(new Date('2027-01-01T00:00:00Z'));
  await observed.service.as('owner').send('PUT', groupPath(), { location: 'westus' });
  await observed.service.as('owner').finish('PUT', hsmPath('contoso'), newHsm());
  owner = observed.service.hsm('contoso', 'owner');
  for (const [key, kty] of [
    ['rsa', 'RSA-HSM'],
    ['ec', 'EC-HSM'],
    ['oct', 'oct-HSM'],
    ['gone', 'oct-HSM'],
  ] as const)
    await owner.create(key, { kty, attributes: { nbf: 1798848000, exp: 1830297600 } });
  await owner.send('DELETE', '/keys/gone');
}, 60_000);
afterAll(() => observed.stop());
afterEach(() => expect(observed.service.output()).not.toMatch(/Unhandled rejection|Uncaught exception|unexpected/));

/** A body as an object or as its text. */
type Sent = object | string | undefined;
type Asked = { readonly method?: string; readonly path?: string; readonly sent?: Sent; readonly headers?: Readonly<Record<string, string>> };

let made = 0;
/** `{new}` stands for a key that is not there yet; a request is a create of one unless it says otherwise. */
const ask = ({ method = 'POST', path = '/keys/{new}/create', sent, headers }: Asked) => owner.send(method, path.replace('{new}', `new-${++made}`), sent, headers);

async function expectRefused(refused: Asked, error: string, accepted: Asked): Promise<void> {
  const before = await observed.storage.dump();
  const messages = await queueLengths(observed.service.connectionString);
  const reply = await ask(refused);
  expect([shown(reply), typeof reply.json?.error.message]).toEqual([error, 'string']);
  expect(await observed.storage.dump()).toEqual(before);
  expect(await queueLengths(observed.service.connectionString)).toEqual(messages);
  expect((await ask(accepted)).status).toBe(200);
}

const ec = { kty: 'EC-HSM' };
const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`t${n}`, 'v']));
const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const create = (sent: Sent): Asked => ({ sent });

describe('create: what a key shall be', () => {
  test.each<[string, Sent, string, Sent]>([
    ['no kty', {}, '400 InvalidRequestContent', ec],
    ['an empty kty', { kty: '' }, '400 BadParameter', ec],
    ['an unknown kty', { kty: 'RSA-HSM2' }, '400 BadParameter', { kty: 'RSA-HSM' }],
    ['kty in another case', { kty: 'ec-hsm' }, '400 BadParameter', ec],
    ['kty from a prototype', { kty: 'constructor' }, '400 BadParameter', ec],
    ['kty that is no text', { kty: 5 }, '400 InvalidRequestContent', ec],
    ['kty null', { kty: null }, '400 InvalidRequestContent', ec],
    ['kty over-long', { kty: 'E'.repeat(1025) }, '400 InvalidRequestContent', ec],
    ['crv with RSA', { kty: 'RSA-HSM', crv: 'P-256' }, '400 BadParameter', { kty: 'RSA-HSM' }],
    ['crv with oct', { kty: 'oct-HSM', crv: 'P-256' }, '400 BadParameter', { kty: 'oct-HSM' }],
    ['an unknown crv', { ...ec, crv: 'P-255' }, '400 BadParameter', { ...ec, crv: 'P-256' }],
    ['crv under a name that only libraries know', { ...ec, crv: 'secp256k1' }, '400 BadParameter', { ...ec, crv: 'P-256K' }],
    ['key_size with EC', { ...ec, key_size: 256 }, '400 BadParameter', ec],
    ['RSA 1024', { kty: 'RSA', key_size: 1024 }, '400 BadParameter', { kty: 'RSA', key_size: 2048 }],
    ['RSA 2049', { kty: 'RSA-HSM', key_size: 2049 }, '400 BadParameter', { kty: 'RSA-HSM', key_size: 2048 }],
    ['RSA 2048.5', { kty: 'RSA-HSM', key_size: 2048.5 }, '400 BadParameter', { kty: 'RSA-HSM', key_size: 2048 }],
    ['RSA 0', { kty: 'RSA-HSM', key_size: 0 }, '400 BadParameter', { kty: 'RSA-HSM', key_size: 2048 }],
    ['oct 64', { kty: 'oct-HSM', key_size: 64 }, '400 BadParameter', { kty: 'oct-HSM', key_size: 128 }],
    ['oct 512', { kty: 'oct-HSM', key_size: 512 }, '400 BadParameter', { kty: 'oct-HSM', key_size: 256 }],
    ['a huge size', '{"kty":"RSA-HSM","key_size":1e308}', '400 BadParameter', '{"kty":"RSA-HSM","key_size":2.048e3}'],
    ['a size beyond all numbers', '{"kty":"RSA-HSM","key_size":1e999}', '400 BadParameter', '{"kty":"RSA-HSM","key_size":2048}'],
    ['a size of a thousand digits', `{"kty":"oct-HSM","key_size":1${'0'.repeat(1000)}}`, '400 BadParameter', '{"kty":"oct-HSM","key_size":128}'],
    ['a size as a text that is no number', { kty: 'oct-HSM', key_size: 'large' }, '400 InvalidRequestContent', { kty: 'oct-HSM', key_size: '128' }],
    ['a list of sizes', { kty: 'oct-HSM', key_size: [128] }, '400 InvalidRequestContent', { kty: 'oct-HSM', key_size: 128 }],
    ['exponent 1', { kty: 'RSA', public_exponent: 1 }, '400 BadParameter', { kty: 'RSA', public_exponent: 3 }],
    ['an even exponent', { kty: 'RSA', public_exponent: 65538 }, '400 BadParameter', { kty: 'RSA', public_exponent: 65537 }],
    ['a negative exponent', { kty: 'RSA', public_exponent: -3 }, '400 BadParameter', { kty: 'RSA', public_exponent: 17 }],
    ['an exponent over 31 bits', { kty: 'RSA', public_exponent: 2147483649 }, '400 BadParameter', { kty: 'RSA', public_exponent: 65537 }],
    ['an exponent with EC', { ...ec, public_exponent: 3 }, '400 BadParameter', ec],
    ['an unknown operation', { ...ec, key_ops: ['sign', 'fly'] }, '400 BadParameter', { ...ec, key_ops: ['sign'] }],
    ['an operation of another type', { ...ec, key_ops: ['encrypt'] }, '400 BadParameter', { ...ec, key_ops: ['verify'] }],
    ['an operation in another case', { ...ec, key_ops: ['Sign'] }, '400 BadParameter', { ...ec, key_ops: ['sign'] }],
    ['operations as a text', { ...ec, key_ops: 'sign' }, '400 InvalidRequestContent', { ...ec, key_ops: ['sign'] }],
    ['an operation that is no text', { ...ec, key_ops: [['sign']] }, '400 InvalidRequestContent', { ...ec, key_ops: ['sign'] }],
    ['an operation over-long', { ...ec, key_ops: ['s'.repeat(1025)] }, '400 InvalidRequestContent', { ...ec, key_ops: ['sign'] }],
  ])('%s', (_, sent, error, twin) => expectRefused(create(sent), error, create(twin)));

  test.each<[string, object, string, object]>([
    ['attributes as a text', { attributes: 'x' }, '400 InvalidRequestContent', { attributes: {} }],
    ['enabled as a text', { attributes: { enabled: 'true' } }, '400 InvalidRequestContent', { attributes: { enabled: true } }],
    ['nbf after exp', { attributes: { nbf: 1830297601, exp: 1830297600 } }, '400 BadParameter', { attributes: { nbf: 1830297599, exp: 1830297600 } }],
    ['nbf at exp', { attributes: { nbf: 1830297600, exp: 1830297600 } }, '400 BadParameter', { attributes: { nbf: 1830297599, exp: 1830297600 } }],
    ['a negative nbf', { attributes: { nbf: -1 } }, '400 BadParameter', { attributes: { nbf: 0 } }],
    ['a fraction of a second', { attributes: { exp: 1830297600.5 } }, '400 BadParameter', { attributes: { exp: 1830297600 } }],
    ['exp in milliseconds', { attributes: { exp: 1830297600000 } }, '400 BadParameter', { attributes: { exp: 253402300799 } }],
    ['exp as a date', { attributes: { exp: '2028-01-01T00:00:00Z' } }, '400 InvalidRequestContent', { attributes: { exp: 1830297600 } }],
    ['exportable without a policy', { attributes: { exportable: true } }, '400 BadParameter', { attributes: { exportable: false } }],
    ['a release policy', { release_policy: { data: 'e30' } }, '400 NotSupported', {}],
    ['16 tags', { tags: many(16) }, '400 BadParameter', { tags: many(15) }],
    ['a tag without a name', { tags: { '': 'x' } }, '400 BadParameter', { tags: { x: '' } }],
    ['a tag name of 257', { tags: { ['n'.repeat(257)]: 'x' } }, '400 BadParameter', { tags: { ['n'.repeat(256)]: 'x' } }],
    ['a tag value of 257', { tags: { n: 'x'.repeat(257) } }, '400 BadParameter', { tags: { n: 'x'.repeat(256) } }],
    ['a tag that is no text', { tags: { n: 5 } }, '400 InvalidRequestContent', { tags: { n: '5' } }],
    ['a tag that is null', { tags: { n: null } }, '400 InvalidRequestContent', { tags: { n: '' } }],
    ['tags as a list', { tags: ['a'] }, '400 InvalidRequestContent', { tags: { 0: 'a' } }],
  ])('%s', (_, more, error, twin) => expectRefused(create({ ...ec, ...more }), error, create({ ...ec, ...twin })));
});

describe('names, versions, pages', () => {
  const post = (path: string): Asked => ({ path, sent: ec });
  const get = (path: string): Asked => ({ method: 'GET', path });
  test.each<[string, Asked, string, Asked]>([
    ['a name of 128', post(`/keys/${'a'.repeat(128)}/create`), '400 BadParameter', post(`/keys/${'a'.repeat(127)}/create`)],
    ['an underscore', post('/keys/a_b/create'), '400 BadParameter', post('/keys/a-b/create')],
    ['a dot', post('/keys/a.b/create'), '400 BadParameter', post('/keys/a-b/create')],
    ['a letter that is not ASCII', post('/keys/k%C3%A9y/create'), '400 BadParameter', post('/keys/key/create')],
    ['a sign that lower-cases to a letter', post('/keys/%E2%84%AAey/create'), '400 BadParameter', post('/keys/key/create')],
    ['an escaped slash', post('/keys/a%2Fb/create'), '400 BadParameter', post('/keys/a-b/create')],
    ['an escaped parent', get('/keys/%2e%2e%2fec'), '400 BadParameter', get('/keys/ec')],
    ['a quote', get("/keys/ec'%20or%20'1'%20eq%20'1"), '400 BadParameter', get('/keys/ec')],
    ['a blank', get('/keys/%20'), '400 BadParameter', get('/keys/ec')],
    ['a deleted key by a bad name', get('/deletedkeys/a_b'), '400 BadParameter', get('/deletedkeys/gone')],
    ['a version that is no hex', get('/keys/ec/zz'), '400 Invalidkeyidentifier', get('/keys/ec/')],
    ['a version of 31', get(`/keys/ec/${'0'.repeat(31)}`), '400 Invalidkeyidentifier', get('/keys/ec/')],
    ['a version of 33', get(`/keys/ec/${'0'.repeat(33)}`), '400 Invalidkeyidentifier', get('/keys/ec/')],
    ['an update of a version that is no hex', { method: 'PATCH', path: '/keys/ec/latest', sent: {} }, '400 Invalidkeyidentifier', { method: 'PATCH', path: '/keys/ec/', sent: {} }],
    ['maxresults 0', get('/keys?maxresults=0'), '400 BadParameter', get('/keys?maxresults=1')],
    ['maxresults 26', get('/keys?maxresults=26'), '400 BadParameter', get('/keys?maxresults=25')],
    ['maxresults -1', get('/deletedkeys?maxresults=-1'), '400 BadParameter', get('/deletedkeys?maxresults=1')],
    ['maxresults 1e1', get('/keys?maxresults=1e1'), '400 BadParameter', get('/keys?maxresults=10')],
    ['maxresults of nothing', get('/keys/ec/versions?maxresults='), '400 BadParameter', get('/keys/ec/versions?maxresults=2')],
    ['a huge maxresults', get(`/keys?maxresults=${'9'.repeat(500)}`), '400 BadParameter', get('/keys?maxresults=9')],
    ['a foreign $skiptoken', get("/keys?$skiptoken=k!ec'"), '400 BadParameter', get('/keys?$skiptoken=ec')],
    ['a $skiptoken over-long', get(`/keys?$skiptoken=${'a'.repeat(128)}`), '400 BadParameter', get(`/keys?$skiptoken=${'a'.repeat(127)}`)],
    ['a $skiptoken of versions that is none', get('/keys/ec/versions?$skiptoken=ec'), '400 BadParameter', get(`/keys/ec/versions?$skiptoken=${'0'.repeat(32)}`)],
    ['maxresults twice', get('/keys?maxresults=1&maxresults=2'), '400 BadRequest', get('/keys?maxresults=1')],
  ])('%s', (_, refused, error, twin) => expectRefused(refused, error, twin));
});

describe('the request itself', () => {
  const get = (path: string): Asked => ({ method: 'GET', path });
  const length = (bytes: number): Asked => ({ sent: `{"kty":"EC-HSM"}${' '.repeat(bytes - 16)}` });
  test.each<[string, Asked, string, Asked]>([
    ['an unknown api-version', get('/keys/ec?api-version=6.0'), '400 BadParameter', get('/keys/ec?api-version=7.6-preview.2')],
    ['an api-version that is none', get("/keys/ec?api-version=7.4'"), '400 BadParameter', get('/keys/ec?api-version=2025-07-01')],
    ['an empty api-version', get('/keys/ec?api-version='), '400 BadParameter', get('/keys/ec?api-version=7.4')],
    ['an api-version over-long', get(`/keys/ec?api-version=7.4${'0'.repeat(2000)}`), '400 BadParameter', get('/keys/ec?api-version=7.4')],
    ['api-version twice', get('/keys/ec?api-version=7.4&API-version=7.4'), '400 BadRequest', get('/keys/ec?API-version=7.4')],
    ['POST of a list', { path: '/keys', sent: {} }, '405 MethodNotAllowed', get('/keys')],
    ['DELETE of versions', { method: 'DELETE', path: '/keys/ec/versions' }, '405 MethodNotAllowed', get('/keys/ec/versions')],
    ['GET of create', get('/keys/{new}/create'), '405 MethodNotAllowed', create(ec)],
    ['PUT of a deleted key', { method: 'PUT', path: '/deletedkeys/gone', sent: {} }, '405 MethodNotAllowed', get('/deletedkeys/gone')],
    ['PATCH of a deleted key', { method: 'PATCH', path: '/deletedkeys/gone', sent: {} }, '405 MethodNotAllowed', get('/deletedkeys/gone')],
    ['GET of recover', get('/deletedkeys/gone/recover'), '405 MethodNotAllowed', get('/deletedkeys/gone')],
    ['an import, which is not built', { method: 'PUT', path: '/keys/{new}', sent: { key: {} } }, '400 NotSupported', create(ec)],
    ['a rotation, which is not built', { path: '/keys/ec/rotate' }, '400 NotSupported', get('/keys/ec')],
    ['a signature, which is not built', { path: `/keys/ec/${'0'.repeat(32)}/sign`, sent: {} }, '400 NotSupported', get('/keys/ec')],
    ['a path of the control plane', get('/subscriptions/22222222-2222-4222-8222-222222222222/providers/Microsoft.KeyVault/managedHSMs'), '404 NotFound', get('/keys')],
    ['a path of nothing', get('/secrets/ec'), '404 NotFound', get('/keys/ec')],
    ['no body', { sent: undefined }, '400 InvalidRequestContent', create(ec)],
    ['a chunked body', { headers: { 'transfer-encoding': 'chunked' } }, '411 LengthRequired', create(ec)],
    ['an empty body', { sent: '' }, '400 InvalidRequestContent', create(ec)],
    ['a list', { sent: '[]' }, '400 InvalidRequestContent', create(ec)],
    ['null', { sent: 'null' }, '400 InvalidRequestContent', create(ec)],
    ['no JSON', { sent: "{'kty':'EC-HSM'}" }, '400 InvalidRequestContent', { sent: '{"kty":"EC-HSM"}' }],
    ['something behind the body', { sent: '{"kty":"EC-HSM"}{}' }, '400 InvalidRequestContent', { sent: '{"kty":"EC-HSM"} \n' }],
    ['a member twice', { sent: '{"kty":"EC-HSM","kty":"EC-HSM"}' }, '400 InvalidRequestContent', { sent: '{"kty":"EC-HSM"}' }],
    ['a member twice, once escaped', { sent: '{"kty":"EC-HSM","k\\u0074y":"oct-HSM"}' }, '400 InvalidRequestContent', { sent: '{"k\\u0074y":"EC-HSM"}' }],
    ['a tag twice', { sent: '{"kty":"EC-HSM","tags":{"a":"1","a":"2"}}' }, '400 InvalidRequestContent', { sent: '{"kty":"EC-HSM","tags":{"a":"1","A":"2"}}' }],
    ['kty in __proto__', { sent: '{"__proto__":{"kty":"EC-HSM"}}' }, '400 InvalidRequestContent', { sent: '{"__proto__":{"kty":"oct"},"kty":"EC-HSM"}' }],
    [
      '__proto__ as a tag that is no text',
      { sent: '{"kty":"EC-HSM","tags":{"__proto__":{"a":"b"}}}' },
      '400 InvalidRequestContent',
      { sent: '{"kty":"EC-HSM","tags":{"__proto__":"b"}}' },
    ],
    ['33 levels', { sent: `{"kty":"EC-HSM","unknown":${deep(32)}}` }, '400 InvalidRequestContent', { sent: `{"kty":"EC-HSM","unknown":${deep(31)}}` }],
    ['100,000 levels', { sent: `{"kty":"EC-HSM","unknown":${deep(100_000)}}` }, '400 InvalidRequestContent', { sent: `{"kty":"EC-HSM","unknown":${deep(31)}}` }],
    [
      'another media type',
      { sent: ec, headers: { 'content-type': 'text/plain' } },
      '415 UnsupportedMediaType',
      { sent: ec, headers: { 'content-type': 'application/json; charset=utf-8' } },
    ],
    ['a body over a mebibyte', length(1_048_577), '413 RequestContentTooLarge', length(1_048_576)],
  ])('%s', (_, refused, error, twin) => expectRefused(refused, error, twin));

  // A policy is JSON inside base64url; policies are not built, so the depth inside is never met.
  test('deep JSON inside base64url', () =>
    expectRefused(create({ ...ec, release_policy: { data: Buffer.from(deep(100_000)).toString('base64url') } }), '400 NotSupported', create(ec)));
});

describe('update', () => {
  const patch = (sent: Sent, path = '/keys/ec/'): Asked => ({ method: 'PATCH', path, sent });
  test.each<[string, Asked, string, Asked]>([
    ['operations of another type', patch({ key_ops: ['wrapKey'] }), '400 BadParameter', patch({ key_ops: ['wrapKey'] }, '/keys/oct/')],
    ['exp before the nbf that it has', patch({ attributes: { exp: 1798847999 } }), '400 BadParameter', patch({ attributes: { exp: 1798848001 } })],
    ['nbf after the exp that it has', patch({ attributes: { nbf: 1830297600 } }, '/keys/oct/'), '400 BadParameter', patch({ attributes: { nbf: 1830297599 } }, '/keys/oct/')],
    ['16 tags', patch({ tags: many(16) }), '400 BadParameter', patch({ tags: many(15) })],
    ['a release policy', patch({ release_policy: {} }), '400 NotSupported', patch({ release_policy: null })],
    ['enabled as a number', patch({ attributes: { enabled: 1 } }), '400 InvalidRequestContent', patch({ attributes: { enabled: false } })],
    ['no body', patch(undefined), '400 InvalidRequestContent', patch({})],
    ['a key that is not there', patch({}, '/keys/none/'), '404 KeyNotFound', patch({}, '/keys/rsa/')],
    ['a key that is deleted', patch({}, '/keys/gone/'), '404 KeyNotFound', patch({}, '/keys/rsa/')],
  ])('%s', (_, refused, error, twin) => expectRefused(refused, error, twin));
});

test('a null in a path is refused by the host itself', async () => {
  expect((await owner.send('GET', '/keys/ec%00')).status).toBe(400);
  expect((await owner.send('GET', '/keys/ec')).status).toBe(200);
});

test('__proto__ and constructor are tags like any other', async () => {
  const sent = '{"kty":"EC-HSM","tags":{"__proto__":"a","constructor":"b","toString":"c"}}';
  expect((await owner.send('POST', '/keys/proto/create', sent)).text).toContain('"tags":{"__proto__":"a","constructor":"b","toString":"c"}');
  expect((await owner.send('GET', '/keys/proto')).text).toContain('"tags":{"__proto__":"a","constructor":"b","toString":"c"}');
});
