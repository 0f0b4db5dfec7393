// Requests for keys and their answers as text: the order of members, names and paths, links to next pages, what an update may leave.
import { at, contoso, INCARNATION } from './support/contoso';
import { F0, F1, F2, FIRST, firstKey, keyDeletion, keyVersion } from './support/first';
import { given, missing, type Sent, v } from './support/hsmHost';

const host = 'https://contoso.managedhsm.azure.net';
const attributes = (created: number, updated = created): string =>
  `"attributes":{"created":${created},"enabled":true,"exportable":false,"recoverableDays":7,"recoveryLevel":"CustomizedRecoverable+Purgeable","updated":${updated}}`;
const FIRST_DAY = 1_798_761_600;
const FIFTH_DAY = 1_799_107_200;
const NEW = '00000000000040008000000000000002';
const bundle = (version = F1, updated = FIRST_DAY): string =>
  `${attributes(FIRST_DAY, updated)},"key":{"crv":"P-256","key_ops":["sign","verify"],"kid":"${host}/keys/First/${version}","kty":"EC-HSM","x":"x1","y":"y1"}`;
const tags = '"tags":{"dept":"hsm"}';
const dates = '"deletedDate":1798848000';
const recovery = `"recoveryId":"${host}/deletedkeys/First","scheduledPurgeDate":1799452800`;
const item = `{${attributes(FIRST_DAY)},"kid":"${host}/keys/First",${tags}}`;

describe('bodies, as text: members stand in the order of their names', () => {
  test.each([
    ['{"kty":"EC","crv":"P-384"}', `"key":{"crv":"P-384","key_ops":["verify","deriveKey","sign"],"kid":"${host}/keys/New/${NEW}","kty":"EC-HSM","x":"x","y":"y"}`],
    ['{"kty":"RSA"}', `"key":{"e":"AQAB","key_ops":["wrapKey","decrypt","encrypt","unwrapKey","sign","verify"],"kid":"${host}/keys/New/${NEW}","kty":"RSA-HSM","n":"n"}`],
    ['{"kty":"oct","key_ops":["encrypt"]}', `"key":{"key_ops":["encrypt"],"kid":"${host}/keys/New/${NEW}","kty":"oct-HSM"}`],
    [
      '{"tags":{"z":"1","a":"2","__proto__":"3"},"kty":"oct","key_ops":["encrypt"]}',
      `"key":{"key_ops":["encrypt"],"kid":"${host}/keys/New/${NEW}","kty":"oct-HSM"},"tags":{"__proto__":"3","a":"2","z":"1"}`,
    ],
  ])('create %s', async (body, rest) => {
    const { send } = given();
    const { status, text } = await send('POST', `keys/New/create?${v}`, { body });
    expect([status, text]).toEqual([200, `{${attributes(FIFTH_DAY)},${rest}}`]);
  });

  test.each<[string, string, string, boolean, string | undefined]>([
    ['get', 'GET', 'keys/first', false, `{${bundle()},${tags}}`],
    ['get by version', 'GET', `keys/first/${F1}`, false, `{${bundle()},${tags}}`],
    ['list', 'GET', 'keys', false, `{"value":[${item}]}`],
    ['list of versions', 'GET', 'keys/first/versions', false, `{"value":[{${attributes(FIRST_DAY)},"kid":"${host}/keys/First/${F1}",${tags}}]}`],
    ['update', 'PATCH', 'keys/first', false, `{${bundle(F1, FIFTH_DAY)},${tags}}`],
    ['update by version', 'PATCH', `keys/first/${F1}`, false, `{${bundle(F1, FIFTH_DAY)},${tags}}`],
    [
      'delete',
      'DELETE',
      'keys/first',
      false,
      `{${bundle().replace('"key":', '"deletedDate":1799107200,"key":')},"recoveryId":"${host}/deletedkeys/First","scheduledPurgeDate":1799712000,${tags}}`,
    ],
    ['get deleted', 'GET', 'deletedkeys/first', true, `{${bundle().replace('"key":', `${dates},"key":`)},${recovery},${tags}}`],
    ['list deleted', 'GET', 'deletedkeys', true, `{"value":[{${attributes(FIRST_DAY)},${dates},"kid":"${host}/keys/First",${recovery},${tags}}]}`],
    ['recover', 'POST', 'deletedkeys/first/recover', true, `{${bundle()},${tags}}`],
    ['purge', 'DELETE', 'deletedkeys/first', true, undefined],
    ['an empty list', 'GET', 'deletedkeys', false, '{"value":[]}'],
    ['K4 versions of a key that is not there', 'GET', 'keys/second/versions', false, '{"value":[]}'],
  ])('%s', async (_, method, path, isDeleted, text) => {
    const { send, putKey } = given();
    putKey(firstKey(isDeleted ? { deletion: keyDeletion } : {}));
    const answer = await send(method, `${path}?${v}`, method === 'PATCH' ? { body: '{}' } : {});
    expect([answer.status, answer.text]).toEqual([text === undefined ? 204 : 200, text]);
  });

  test.each<[string, string, string, boolean, number, string]>([
    ['K1 get', 'GET', 'keys/Second', false, 404, missing('keys/Second')],
    ['K1 get of a version', 'GET', `keys/First/${F2}`, false, 404, missing(`keys/First/${F2}`)],
    ['K1 get of a deleted key', 'GET', 'keys/first', true, 404, missing('keys/first')],
    ['K1 delete of a deleted key', 'DELETE', 'keys/first', true, 404, missing('keys/first')],
    ['K1 update of a deleted key', 'PATCH', 'keys/first', true, 404, missing('keys/first')],
    ['K2 get deleted of a live key', 'GET', 'deletedkeys/First', false, 404, missing('deletedkeys/First')],
    ['K2 recover of a live key', 'POST', 'deletedkeys/First/recover', false, 404, missing('deletedkeys/First')],
    ['K2 purge of a live key', 'DELETE', 'deletedkeys/First', false, 404, missing('deletedkeys/First')],
    [
      'K5 create over a deleted key',
      'POST',
      'keys/FIRST/create',
      true,
      409,
      '{"error":{"code":"Conflict","innererror":{"code":"ObjectIsDeletedButRecoverable"},"message":"Key FIRST is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged. (Activity ID: request-1)"}}',
    ],
    [
      'K14 a version that is no hex',
      'GET',
      'keys/first/nohex',
      false,
      400,
      '{"error":{"code":"Invalidkeyidentifier","message":"Invalid key identifier (Activity ID: request-1)"}}',
    ],
  ])('%s', async (_, method, path, isDeleted, status, text) => {
    const { send, putKey } = given();
    putKey(firstKey(isDeleted ? { deletion: keyDeletion } : {}));
    const body = method === 'PATCH' ? '{}' : '{"kty":"EC"}';
    const answer = await send(method, `${path}?${v}`, ['PATCH', 'POST'].includes(method) ? { body } : {});
    expect([answer.status, answer.text]).toEqual([status, text]);
  });

  test('K20 purge under protection', async () => {
    const { send, putKey } = given({ hsm: contoso({ settings: { purgeProtection: true } }) });
    putKey(firstKey({ deletion: keyDeletion }));
    const { status, text } = await send('DELETE', `deletedkeys/first?${v}`);
    expect([status, text]).toEqual([
      403,
      '{"error":{"code":"Forbidden","innererror":{"code":"ForbiddenByPolicy"},"message":"Operation purge is not allowed on key First: purge protection is on, and the key goes at its scheduled purge date. (Activity ID: request-1)"}}',
    ]);
  });
});

describe('names and paths', () => {
  test('names match without regard to case, and keep that of their creation', async () => {
    const { send } = given();
    const kid = async (method: string, path: string, sent: Sent = {}): Promise<string> => {
      const { key } = (await send(method, `${path}?${v}`, sent)).json as unknown as { key: { kid: string } };
      return key.kid.replace(/[0-9a-f]{32}$/, '');
    };
    expect(await kid('POST', 'keys/My-Key/create', { body: '{"kty":"EC"}' })).toBe(`${host}/keys/My-Key/`);
    expect(await kid('GET', 'keys/MY-KEY')).toBe(`${host}/keys/My-Key/`);
    expect(await kid('POST', 'keys/my-key/create', { body: '{"kty":"EC"}' })).toBe(`${host}/keys/My-Key/`);
    expect(await kid('DELETE', 'keys/my-KEY')).toBe(`${host}/keys/My-Key/`);
    expect(await kid('POST', 'deletedkeys/MY-key/recover')).toBe(`${host}/keys/My-Key/`);
  });

  test.each([
    ['an encoded query name, as JavaScript clients send it', `keys/first?api%2Dversion=2025-07-01`, 200],
    ['a slash at the end, as SDKs send it', `keys/first/?${v}`, 200],
    ['slashes twice', `keys//first?${v}`, 200],
    ['a path in capitals', `KEYS/first?${v}`, 200],
    ['a version in capitals', `keys/first/${F1.toUpperCase()}?${v}`, 200],
    ['a query name in capitals', 'keys/first?API-VERSION=7.4', 200],
    ['a host in capitals, with a port', `keys/first?${v}`, 200, 'CONTOSO.managedhsm.azure.net:8443'],
    ['the host of another HSM', `keys/first?${v}`, 400, 'fabrikam.managedhsm.azure.net'],
    ['two labels', `keys/first?${v}`, 400, 'a.contoso.managedhsm.azure.net'],
  ])('%s', async (_, target, status, at_ = 'contoso.managedhsm.azure.net') => {
    const { send, putKey } = given();
    putKey();
    expect((await send('GET', target, { host: at_ })).status).toBe(status);
  });

  test.each<[string, number]>([
    ['7.0', 200],
    ['7.4', 200],
    ['7.5-preview.1', 200],
    ['7.4-preview', 200],
    ['2025-07-01', 200],
    ['2026-03-01-preview', 200],
    ['7', 400],
    ['7.10', 400],
    ['8.0', 400],
    ['1999-01-01', 400],
    ['7.4x', 400],
    ['', 400],
  ])('api-version %j: %i', async (version, status) => {
    const { send } = given();
    expect((await send('GET', `keys?api-version=${version}`)).status).toBe(status);
  });

  test.each([
    ['an operation on keys at the control host', 'management.azure.com', 404, 'authenticate control'],
    ['a host of neither plane', 'contoso.vault.azure.net', 400, undefined],
  ])('%s finds nothing', async (_, at_, status, event) => {
    const { shelf, send } = given();
    expect([(await send('GET', `keys?${v}`, { host: at_ })).status, shelf.happened()]).toEqual([status, event === undefined ? [] : [event]]);
  });
});

describe('lists', () => {
  const filled = () => {
    const world = given();
    for (let count = 100; count < 160; count++) world.putKey(firstKey({ name: `Key-${count}`, ...(count >= 130 && { deletion: keyDeletion }) }), `k!key-${count}`);
    return world;
  };
  type Page = { value: { kid: string }[]; nextLink?: string };

  test.each([
    ['keys', 'keys', 'Key-100', 'Key-129', 'key-124'],
    ['deleted keys', 'deletedkeys', 'Key-130', 'Key-159', 'key-154'],
  ])('come in pages of 25; the link is followed as it is, without an api-version: %s', async (_, collection, from, to, token) => {
    const { send } = filled();
    const first = (await send('GET', `${collection}?${v}`)).json as unknown as Page;
    expect([first.value.length, first.value[0]?.kid, first.nextLink]).toEqual([25, `${host}/keys/${from}`, `${host}/${collection}?maxresults=25&$skiptoken=${token}`]);
    const { status, json } = await send('GET', String(first.nextLink).slice(host.length + 1));
    const second = json as unknown as Page;
    expect([status, second.value.length, second.value.at(-1)?.kid, second.nextLink]).toEqual([200, 5, `${host}/keys/${to}`, undefined]);
  });

  test('of versions carry the key’s path in their link', async () => {
    const { shelf, send, putKey } = given();
    putKey(firstKey({ versions: 2 }));
    shelf.put('keys', INCARNATION, `v!${FIRST}!${F0}`, { ...keyVersion({ version: F0, created: at('2026-12-01T00:00:00Z') }), keyIncarnation: FIRST });
    const first = (await send('GET', `keys/FIRST/versions?${v}&maxresults=1`)).json as unknown as Page;
    expect([first.value.map(({ kid }) => kid), first.nextLink]).toEqual([[`${host}/keys/First/${F0}`], `${host}/keys/FIRST/versions?maxresults=1&$skiptoken=${F0}`]);
    const second = (await send('GET', String(first.nextLink).slice(host.length + 1))).json as unknown as Page;
    expect([second.value.map(({ kid }) => kid), second.nextLink]).toEqual([[`${host}/keys/First/${F1}`], undefined]);
  });

  test.each([
    [`${v}&maxresults=1`, 200],
    [`${v}&maxresults=25`, 200],
    [`${v}&maxresults=0`, 400],
    [`${v}&maxresults=26`, 400],
    [`${v}&maxresults=-1`, 400],
    [`${v}&maxresults=1.5`, 400],
    [`${v}&maxresults=`, 400],
    [`${v}&maxresults=1&maxresults=2`, 400],
    [`${v}&$skiptoken=key-100`, 200],
    ['$skiptoken=key-100', 200],
    ['', 400],
    [`${v}&$skiptoken=a!b`, 400],
    [`${v}&$skiptoken=`, 400],
    ['api-version=8.0&$skiptoken=key-100', 400],
  ])('asked for by %j: %i', async (query, status) => {
    const { send } = filled();
    expect((await send('GET', `keys?${query}`)).status).toBe(status);
  });

  test.each([
    [F0, 200],
    ['key-100', 400],
  ])('of versions, after %s: %i', async (token, status) => {
    const { send } = filled();
    expect((await send('GET', `keys/first/versions?${v}&$skiptoken=${token}`)).status).toBe(status);
  });
});

describe('an update', () => {
  test.each([
    ['{"attributes":{"exp":200}}', 200],
    ['{"attributes":{"exp":100}}', 400],
    ['{"attributes":{"nbf":50}}', 200],
    ['{"attributes":{"nbf":300,"exp":400}}', 200],
    ['{"attributes":{"nbf":300,"exp":300}}', 400],
    ['{"key_ops":["verify"]}', 200],
    ['{"key_ops":["wrapKey"]}', 400],
    ['{}', 200],
  ])('of a key that is valid from 100 on, by %s: %i', async (body, status) => {
    const { send, putKey } = given();
    putKey(firstKey({ current: keyVersion({ attributes: { enabled: true, exportable: false, nbf: 100 } }) }));
    expect((await send('PATCH', `keys/first?${v}`, { body })).status).toBe(status);
  });
});
