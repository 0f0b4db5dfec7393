// The typed readers: what each takes, what stands for left out, and where a refusal says the fault is; then the query.
import { bodyOf, booleanOf, listOf, listPageOf, type Members, numberOf, objectItem, objectOf, queryOf, required, textItem, textOf, textsOf } from '../../shared/http/read';
import { type Ending, endingOf, messageOf } from './support/refusals';

const values: Readonly<Record<string, unknown>> = { nothing: undefined, null: null, text: 'x', number: 1, zero: 0, true: true, false: false, list: [], object: {} };

test.each<[string, (of: Members) => unknown, readonly string[]]>([
  ['a text', (of) => textOf(of, 'm'), ['nothing', 'text']],
  ['a boolean', (of) => booleanOf(of, 'm'), ['nothing', 'true', 'false']],
  ['a number', (of) => numberOf(of, 'm'), ['nothing', 'number', 'zero']],
  ['an object', (of) => objectOf(of, 'm'), ['nothing', 'null', 'object']],
  ['texts by name', (of) => textsOf(of, 'm'), ['nothing', 'null', 'object']],
  ['a list', (of) => listOf(of, 'm', textItem), ['nothing', 'null', 'list']],
  ['a text in a list', (of) => listOf({ at: '', members: { m: [of.members.m] } }, 'm', textItem), ['text']],
  ['an object in a list', (of) => listOf({ at: '', members: { m: [of.members.m] } }, 'm', objectItem), ['object']],
  ['a text among texts', (of) => textsOf({ at: '', members: { m: { tag: of.members.m } } }, 'm'), ['text']],
])('%s', (_, read, taken) => {
  const accepted = Object.keys(values).filter((kind) => endingOf(() => read({ at: '', members: values[kind] === undefined ? {} : { m: values[kind] } })) === 'accepted');
  const withUndefined = endingOf(() => read({ at: '', members: { m: undefined } })) === 'accepted';
  expect(accepted.filter((kind) => kind !== 'nothing' || withUndefined)).toEqual(taken);
});

test.each<[string, unknown, Ending]>([
  ['an object', {}, 'accepted'],
  ['a list', [], 'InvalidRequestContent'],
  ['null', null, 'InvalidRequestContent'],
  ['a text', '{}', 'InvalidRequestContent'],
])('a body is an object: %s', (_, value, ending) => {
  expect(endingOf(() => bodyOf(value))).toBe(ending);
});

test.each<[number, Ending]>([
  [1024, 'accepted'],
  [1025, 'InvalidRequestContent'],
])('a text has at most 1,024 characters wherever it stands: %i', (length, ending) => {
  const text = 'x'.repeat(length);
  expect(endingOf(() => textOf(bodyOf({ m: text }), 'm'))).toBe(ending);
  expect(endingOf(() => textItem(text, 'm[0]'))).toBe(ending);
  expect(endingOf(() => textsOf(bodyOf({ tags: { a: text } }), 'tags'))).toBe(ending);
});

test.each([
  ['softDeleteRetentionInDays', 7],
  ['SOFTDELETERETENTIONINDAYS', 7],
  ['softdeleteretentionindays', 7],
  ['softDeleteRetentionInDay', undefined],
])('names of members are found without regard to case: %s', (name, found) => {
  expect(numberOf(bodyOf({ [name]: 7 }), 'softDeleteRetentionInDays')).toBe(found);
});

test('of two names that differ in case the exact one counts', () => {
  expect(textOf(bodyOf({ LOCATION: 'a', location: 'b' }), 'location')).toBe('b');
});

test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('%s is no member unless the document has it', (name) => {
  expect(objectOf(bodyOf({}), name)).toBeUndefined();
  expect(textOf(bodyOf(JSON.parse(`{"${name}":"x"}`)), name)).toBe('x');
});

test('texts named constructor and __proto__ are data', () => {
  const read = textsOf(bodyOf(JSON.parse('{"tags":{"constructor":"c","__proto__":"p"}}')), 'tags');
  expect(JSON.stringify(read)).toBe('{"constructor":"c","__proto__":"p"}');
  expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
});

test.each<[string, () => unknown, string]>([
  ['at the top', () => textOf(bodyOf({ location: 1 }), 'location'), "the member 'location' must be a text of at most 1024 characters"],
  [
    'inside',
    () => booleanOf({ at: 'properties', members: { enablePurgeProtection: 'true' } }, 'enablePurgeProtection'),
    "the member 'properties.enablePurgeProtection' must be true or false",
  ],
  ['in a list', () => listOf(bodyOf({ ids: ['a', 1] }), 'ids', textItem), "the member 'ids[1]' must be a text of at most 1024 characters"],
  [
    'in an object of a list',
    () => listOf(bodyOf({ regions: [{ name: 1 }] }), 'regions', (entry, at) => textOf(objectItem(entry, at), 'name')),
    "the member 'regions[0].name' must be a text of at most 1024 characters",
  ],
  ['a number', () => numberOf(bodyOf({ days: 'seven' }), 'days'), "the member 'days' must be a number"],
  ['an object', () => objectOf(bodyOf({ sku: [] }), 'sku'), "the member 'sku' must be an object"],
  ['a list', () => listOf(bodyOf({ ids: {} }), 'ids', textItem), "the member 'ids' must be a list"],
  ['a tag', () => textsOf(bodyOf({ tags: { a: null } }), 'tags'), "the member 'tags.a' must be a text of at most 1024 characters"],
  ['one that must be there', () => required(undefined, 'sku.name'), "the member 'sku.name' is missing"],
])('a refusal says where and what: %s', (_, read, reason) => {
  expect(messageOf(read)).toBe(`The request content was invalid and could not be deserialized: '${reason}'.`);
});

test.each<[string, number | Ending]>([
  ['7', 7],
  ['-7', -7],
  ['007', 7],
  ['123456789', 123_456_789],
  ['1234567890', 'InvalidRequestContent'],
  ['7.5', 'InvalidRequestContent'],
  ['7 ', 'InvalidRequestContent'],
  ['1e1', 'InvalidRequestContent'],
  ['0x7', 'InvalidRequestContent'],
  ['', 'InvalidRequestContent'],
])('a whole number may come as a text, as az sends one: %j', (text, expected) => {
  const read = (): number | undefined => numberOf(bodyOf({ days: text }), 'days');
  const ending = endingOf(read);
  expect(ending === 'accepted' ? read() : ending).toBe(expected);
});

test('what must be there and is, is returned', () => {
  expect(required('', 'name')).toBe('');
});

describe('the query', () => {
  test.each<[string, readonly (readonly [string, string])[]]>([
    ['https://h/p', []],
    ['https://h/p?', []],
    ['https://h/p?api-version=2023-07-01', [['api-version', '2023-07-01']]],
    ['https://h/p?api%2Dversion=2023-07-01', [['api-version', '2023-07-01']]],
    [
      'https://h/p?API-Version=2023-07-01&$top=5',
      [
        ['api-version', '2023-07-01'],
        ['$top', '5'],
      ],
    ],
    ['https://h/p?a=b?c=d', [['a', 'b?c=d']]],
    ['https://h/p?a=x%26y%3Dz', [['a', 'x&y=z']]],
    [
      'https://h/p?__proto__=1&constructor=2',
      [
        ['__proto__', '1'],
        ['constructor', '2'],
      ],
    ],
  ])('of %s', (url, entries) => {
    expect([...queryOf(url)]).toEqual(entries);
  });

  test.each<[string, Ending]>([
    ['a=1&b=1', 'accepted'],
    ['a=1&a=2', 'DuplicateQueryName'],
    ['a=1&a=1', 'DuplicateQueryName'],
    ['a=1&A=2', 'DuplicateQueryName'],
    ['a=1&%61=2', 'DuplicateQueryName'],
    ['a=1,2', 'accepted'],
    ['a&a', 'DuplicateQueryName'],
  ])('names nothing twice: %s', (query, ending) => {
    expect(endingOf(() => queryOf(`https://h/p?${query}`))).toBe(ending);
  });

  test.each<[string, object | Ending]>([
    ['', {}],
    ['$top=1', { limit: 1 }],
    ['$top=9999', { limit: 9999 }],
    ['$TOP=25&$skipToken=Contoso', { limit: 25, after: 'contoso' }],
    ['$top=0', 'InvalidParameter'],
    ['$top=10000', 'InvalidParameter'],
    ['$top=-1', 'InvalidParameter'],
    ['$top=1.5', 'InvalidParameter'],
    ['$top=1e3', 'InvalidParameter'],
    ['$top=', 'InvalidParameter'],
    ['$top=%201', 'InvalidParameter'],
    ['$skiptoken=contoso', { after: 'contoso' }],
    ['$skiptoken=', 'InvalidParameter'],
    ['$skiptoken=!hsm', 'InvalidParameter'],
    ['$skiptoken=a--b', 'InvalidParameter'],
  ])('pages by %j', (query, expected) => {
    const read = (): object => listPageOf(queryOf(`https://h/p?${query}`));
    const ending = endingOf(read);
    expect(ending === 'accepted' ? read() : ending).toEqual(expected);
  });
});
