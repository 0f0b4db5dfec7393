// Keys <-> the REST JSON of the data plane (contract.md §4.2, §4.3, §4.6, typed by hand). The order of members is the affair of dataPlane.test.
import type { KeyAttributes } from '../../shared/domain/key';
import type { PublicParts } from '../../shared/domain/keySpec';
import { parseJson } from '../../shared/http/json';
import { checkValidity, deletedKeyBundle, deletedKeyItem, keyBundle, keyChangeOf, keyCreateOf, keyItem, recoveryLevel, versionItem } from '../../shared/http/keyWire';
import { bodyOf } from '../../shared/http/read';
import { at, contoso } from './support/contoso';
import { F0, F1, firstKey, HOST, keyDeletion, keyVersion } from './support/first';
import { type Ending, endingOf, messageOf } from './support/refusals';

const create = (text: string) => keyCreateOf(bodyOf(parseJson(text)));
const change = (text: string, kty: PublicParts['kty'] = 'EC-HSM') => keyChangeOf(bodyOf(parseJson(text)), kty);
const hsm = { record: contoso(), name: 'contoso', host: HOST };

const rsaOps = ['wrapKey', 'decrypt', 'encrypt', 'unwrapKey', 'sign', 'verify'];
const ecOps = ['verify', 'deriveKey', 'sign'];
const octOps = ['sign', 'verify', 'wrapKey', 'unwrapKey', 'encrypt', 'decrypt', 'deriveKey'];

test.each<[string, object, readonly string[]]>([
  ['{"kty":"RSA"}', { kty: 'RSA-HSM', bits: 2048, publicExponent: 65_537 }, rsaOps],
  ['{"kty":"RSA-HSM"}', { kty: 'RSA-HSM', bits: 2048, publicExponent: 65_537 }, rsaOps],
  ['{"kty":"RSA","key_size":3072}', { kty: 'RSA-HSM', bits: 3072, publicExponent: 65_537 }, rsaOps],
  ['{"kty":"RSA-HSM","key_size":4096,"public_exponent":3}', { kty: 'RSA-HSM', bits: 4096, publicExponent: 3 }, rsaOps],
  ['{"kty":"EC"}', { kty: 'EC-HSM', crv: 'P-256' }, ecOps],
  ['{"kty":"EC-HSM","crv":"P-256K"}', { kty: 'EC-HSM', crv: 'P-256K' }, ecOps],
  ['{"kty":"EC-HSM","crv":"P-384","key_ops":[]}', { kty: 'EC-HSM', crv: 'P-384' }, ecOps],
  ['{"kty":"EC-HSM","crv":"P-521","key_ops":["sign"]}', { kty: 'EC-HSM', crv: 'P-521' }, ['sign']],
  ['{"kty":"oct"}', { kty: 'oct-HSM', bits: 256 }, octOps],
  ['{"kty":"oct-HSM","key_size":128}', { kty: 'oct-HSM', bits: 128 }, octOps],
  ['{"kty":"RSA","key_ops":["import"]}', { kty: 'RSA-HSM', bits: 2048, publicExponent: 65_537 }, ['import']],
])('%s asks for an HSM key, whatever name its type goes by, with every default filled in', (text, spec, keyOps) => {
  expect(create(text)).toEqual({ spec, keyOps, attributes: { enabled: true, exportable: false }, tags: {} });
});

test.each<[string, object]>([
  ['{}', { enabled: true, exportable: false }],
  ['{"enabled":false}', { enabled: false, exportable: false }],
  ['{"nbf":0}', { enabled: true, exportable: false, nbf: 0 }],
  ['{"exp":253402300799}', { enabled: true, exportable: false, exp: 253_402_300_799 }],
  ['{"nbf":1,"exp":2,"exportable":false}', { enabled: true, exportable: false, nbf: 1, exp: 2 }],
  ['{"created":5,"recoveryLevel":"Purgeable"}', { enabled: true, exportable: false }],
])('of a creation, attributes %s are %j', (attributes, expected) => {
  expect(create(`{"kty":"EC","attributes":${attributes}}`).attributes).toEqual(expected);
});

const tags = (count: number): string => JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, index) => [`name${index}`, 'value'])));
const long = 'x'.repeat(256);

test.each<[what: string, members: string, ending: Ending]>([
  ['nothing more', '', 'accepted'],
  ['a type nobody knows', '"kty":"DSA"', 'BadParameter'],
  ['a type in other case', '"kty":"rsa"', 'BadParameter'],
  ['a type that is no text', '"kty":5', 'InvalidRequestContent'],
  ['key_size 2048', '"kty":"RSA","key_size":2048', 'accepted'],
  ['key_size 1024', '"kty":"RSA","key_size":1024', 'BadParameter'],
  ['key_size 2049', '"kty":"RSA","key_size":2049', 'BadParameter'],
  ['a huge key_size', '"kty":"RSA","key_size":1e400', 'BadParameter'],
  ['key_size as an object', '"kty":"RSA","key_size":{}', 'InvalidRequestContent'],
  ['crv with RSA', '"kty":"RSA","crv":"P-256"', 'BadParameter'],
  ['crv with EC', '"kty":"EC","crv":"P-256"', 'accepted'],
  ['an unknown crv', '"kty":"EC","crv":"P-224"', 'BadParameter'],
  ['key_size with EC', '"kty":"EC","key_size":256', 'BadParameter'],
  ['public_exponent 17', '"kty":"RSA","public_exponent":17', 'accepted'],
  ['an even public_exponent', '"kty":"RSA","public_exponent":18', 'BadParameter'],
  ['public_exponent with oct', '"kty":"oct","public_exponent":17', 'BadParameter'],
  ['key_ops of another type', '"key_ops":["wrapKey"]', 'BadParameter'],
  ['key_ops of its type', '"key_ops":["sign"]', 'accepted'],
  ['key_ops nonsense', '"key_ops":["dance"]', 'BadParameter'],
  ['key_ops in other case', '"key_ops":["Sign"]', 'BadParameter'],
  ['key_ops as a text', '"key_ops":"sign"', 'InvalidRequestContent'],
  ['key_ops of numbers', '"key_ops":[1]', 'InvalidRequestContent'],
  ['key_ops null, as some clients send it', '"key_ops":null', 'accepted'],
  ['attributes null, as some clients send them', '"attributes":null', 'accepted'],
  ['attributes as a list', '"attributes":[]', 'InvalidRequestContent'],
  ['enabled as a text', '"attributes":{"enabled":"true"}', 'InvalidRequestContent'],
  ['exp a second after nbf', '"attributes":{"nbf":100,"exp":101}', 'accepted'],
  ['exp at nbf', '"attributes":{"nbf":100,"exp":100}', 'BadParameter'],
  ['exp before nbf', '"attributes":{"nbf":101,"exp":100}', 'BadParameter'],
  ['nbf at the end of the year 9999', '"attributes":{"nbf":253402300799}', 'accepted'],
  ['nbf beyond it', '"attributes":{"nbf":253402300800}', 'BadParameter'],
  ['exp before 1970', '"attributes":{"exp":-1}', 'BadParameter'],
  ['exp in parts of a second', '"attributes":{"exp":1.5}', 'BadParameter'],
  ['a huge exp', '"attributes":{"exp":1e400}', 'BadParameter'],
  ['exp as a date', '"attributes":{"exp":"2027-01-01"}', 'InvalidRequestContent'],
  ['an exportable key: it would need a release policy', '"attributes":{"exportable":true}', 'BadParameter'],
  ['a key said not to be exportable', '"attributes":{"exportable":false}', 'accepted'],
  ['a release policy', '"release_policy":{"data":"e30"}', 'NotSupported'],
  ['no release policy', '"release_policy":null', 'accepted'],
  ['15 tags', `"tags":${tags(15)}`, 'accepted'],
  ['16 tags', `"tags":${tags(16)}`, 'BadParameter'],
  ['a tag name of 256 characters', `"tags":{"${long}":"v"}`, 'accepted'],
  ['a tag name of 257 characters', `"tags":{"${long}x":"v"}`, 'BadParameter'],
  ['a tag without a name', '"tags":{"":"v"}', 'BadParameter'],
  ['a tag value of 256 characters', `"tags":{"n":"${long}"}`, 'accepted'],
  ['a tag value of 257 characters', `"tags":{"n":"${long}x"}`, 'BadParameter'],
  ['an empty tag value', '"tags":{"n":""}', 'accepted'],
  ['a tag value that is no text', '"tags":{"n":1}', 'InvalidRequestContent'],
  ['tags as a list', '"tags":["n"]', 'InvalidRequestContent'],
  ['a member given twice', '"tags":{"n":"1","n":"2"}', 'InvalidRequestContent'],
])('a creation with %s', (_, members, ending) => {
  const kty = members.includes('"kty"') ? '' : `"kty":"EC"${members === '' ? '' : ','}`;
  expect(endingOf(() => create(`{${kty}${members}}`))).toBe(ending);
});

test('a creation without a type is refused', () => {
  expect(endingOf(() => create('{}'))).toBe('InvalidRequestContent');
  expect(messageOf(() => create('{}'))).toContain("'kty' is missing");
});

test('a tag named __proto__ is a tag like any other', () => {
  const { tags: read } = create('{"kty":"EC","tags":{"__proto__":"a","constructor":"b"}}');
  expect(Object.entries(read)).toEqual([
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ]);
  expect(JSON.stringify(read)).toBe('{"__proto__":"a","constructor":"b"}');
});

describe('an update', () => {
  test.each<[string, object]>([
    ['{}', { attributes: {} }],
    ['{"attributes":{}}', { attributes: {} }],
    ['{"attributes":{"enabled":false}}', { attributes: { enabled: false } }],
    ['{"attributes":{"nbf":1,"exp":2}}', { attributes: { nbf: 1, exp: 2 } }],
    ['{"key_ops":["sign"]}', { attributes: {}, keyOps: ['sign'] }],
    ['{"key_ops":[]}', { attributes: {}, keyOps: ['verify', 'deriveKey', 'sign'] }],
    ['{"tags":{}}', { attributes: {}, tags: {} }],
    ['{"tags":{"a":"b"}}', { attributes: {}, tags: { a: 'b' } }],
    ['{"attributes":{"exportable":true}}', { attributes: {} }],
  ])('%s changes what it names, and never whether a key is exportable', (text, expected) => {
    expect(change(text)).toStrictEqual(expected);
  });

  test.each<[string, Ending]>([
    ['{"key_ops":["verify"]}', 'accepted'],
    ['{"key_ops":["wrapKey"]}', 'BadParameter'],
    ['{"key_ops":["dance"]}', 'BadParameter'],
    ['{"attributes":{"nbf":2,"exp":2}}', 'BadParameter'],
    ['{"attributes":{"nbf":2,"exp":3}}', 'accepted'],
    [`{"tags":${tags(16)}}`, 'BadParameter'],
    [`{"tags":${tags(15)}}`, 'accepted'],
    ['{"release_policy":{}}', 'NotSupported'],
    ['{"release_policy":null}', 'accepted'],
  ])('%s', (text, ending) => {
    expect(endingOf(() => change(text))).toBe(ending);
  });

  test('may name the operations of the key’s own type', () => {
    expect(endingOf(() => change('{"key_ops":["wrapKey"]}', 'RSA-HSM'))).toBe('accepted');
    expect(endingOf(() => change('{"key_ops":["deriveKey"]}', 'RSA-HSM'))).toBe('BadParameter');
  });

  test.each<[Partial<KeyAttributes>, Ending]>([
    [{}, 'accepted'],
    [{ nbf: 5 }, 'accepted'],
    [{ exp: 5 }, 'accepted'],
    [{ nbf: 5, exp: 6 }, 'accepted'],
    [{ nbf: 5, exp: 5 }, 'BadParameter'],
    [{ nbf: 0, exp: 0 }, 'BadParameter'],
  ])('may leave a key with %j: %s', (attributes, ending) => {
    expect(endingOf(() => checkValidity(attributes))).toBe(ending);
  });
});

test.each([
  [90, false, 'Recoverable+Purgeable'],
  [7, false, 'CustomizedRecoverable+Purgeable'],
  [89, false, 'CustomizedRecoverable+Purgeable'],
  [90, true, 'Recoverable'],
  [7, true, 'CustomizedRecoverable'],
  [89, true, 'CustomizedRecoverable'],
])('kept %i days, purge protection %j: %s', (retentionDays, purgeProtection, level) => {
  expect(recoveryLevel(contoso({ settings: { retentionDays, purgeProtection } }))).toBe(level);
});

const attributes = { created: 1_798_761_600, enabled: true, exportable: false, recoverableDays: 7, recoveryLevel: 'CustomizedRecoverable+Purgeable', updated: 1_798_761_600 };

describe('a KeyBundle', () => {
  test('has attributes, the public key with its versioned id, and tags; nothing of what is secret or internal', () => {
    expect(keyBundle(hsm, firstKey(), keyVersion())).toStrictEqual({
      attributes,
      key: { kty: 'EC-HSM', crv: 'P-256', x: 'x1', y: 'y1', key_ops: ['sign', 'verify'], kid: `https://contoso.managedhsm.azure.net/keys/First/${F1}` },
      tags: { dept: 'hsm' },
    });
  });

  test.each<[PublicParts, object]>([
    [
      { kty: 'RSA-HSM', n: 'n', e: 'AQAB' },
      { kty: 'RSA-HSM', n: 'n', e: 'AQAB' },
    ],
    [{ kty: 'oct-HSM' }, { kty: 'oct-HSM' }],
  ])('shows the public parts of a type, an oct key none: %j', (publicParts, parts) => {
    expect(keyBundle(hsm, firstKey(), keyVersion({ publicParts })).key).toStrictEqual({
      ...parts,
      key_ops: ['sign', 'verify'],
      kid: `https://contoso.managedhsm.azure.net/keys/First/${F1}`,
    });
  });

  test('has no tags where there are none, and nbf and exp only where they are set', () => {
    expect(keyBundle(hsm, firstKey(), keyVersion({ tags: {} }))).not.toHaveProperty('tags');
    const bundle = keyBundle(hsm, firstKey(), keyVersion({ attributes: { enabled: false, exportable: false, nbf: 5, exp: 6 } }));
    expect(bundle.attributes).toStrictEqual({ ...attributes, enabled: false, nbf: 5, exp: 6 });
  });

  test('tells the recovery level that its HSM has now', () => {
    const now = { ...hsm, record: contoso({ settings: { retentionDays: 90, purgeProtection: true } }) };
    expect(keyBundle(now, firstKey(), keyVersion()).attributes).toStrictEqual({ ...attributes, recoverableDays: 90, recoveryLevel: 'Recoverable' });
  });

  test('keeps a port of the host in its ids', () => {
    const local = { ...hsm, host: 'contoso.managedhsm.local:8443' };
    expect(keyBundle(local, firstKey(), keyVersion()).key.kid).toBe(`https://contoso.managedhsm.local:8443/keys/First/${F1}`);
    expect(deletedKeyBundle(local, firstKey({ deletion: keyDeletion }))).toMatchObject({ recoveryId: 'https://contoso.managedhsm.local:8443/deletedkeys/First' });
  });
});

const deleted = firstKey({ deletion: keyDeletion });
const dates = { deletedDate: 1_798_848_000, recoveryId: 'https://contoso.managedhsm.azure.net/deletedkeys/First', scheduledPurgeDate: 1_799_452_800 };

test('a DeletedKeyBundle is the bundle of the latest version, its kid versioned, with the three facts of the deletion', () => {
  expect([at('2027-01-02T00:00:00Z'), at('2027-01-09T00:00:00Z')]).toEqual([dates.deletedDate, dates.scheduledPurgeDate]);
  expect(deletedKeyBundle(hsm, deleted)).toStrictEqual({ ...keyBundle(hsm, firstKey(), keyVersion()), ...dates });
});

test('items have an id without version in lists of keys, and one with version in lists of versions', () => {
  const kid = 'https://contoso.managedhsm.azure.net/keys/First';
  expect(keyItem(hsm)(firstKey())).toStrictEqual({ attributes, kid, tags: { dept: 'hsm' } });
  expect(deletedKeyItem(hsm)(deleted)).toStrictEqual({ attributes, kid, tags: { dept: 'hsm' }, ...dates });
  expect(versionItem(hsm, firstKey())(keyVersion({ version: F0, tags: {} }))).toStrictEqual({ attributes, kid: `${kid}/${F0}` });
});
