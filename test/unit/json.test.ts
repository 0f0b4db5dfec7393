// JSON bodies: what is refused before, while and after parsing, each beside the nearest document that is accepted.
import { parseJson } from '../../shared/http/json';
import { type Ending, endingOf, messageOf } from './support/refusals';

const nested = (open: string, close: string, depth: number): string => open.repeat(depth) + close.repeat(depth);

test.each<[string, string, Ending]>([
  ['an object', '{"a":1}', 'accepted'],
  ['surrounding white space', ' \r\n\t{"a":1} ', 'accepted'],
  ['nothing', '', 'InvalidRequestContent'],
  ['white space alone', '  ', 'InvalidRequestContent'],
  ['a byte order mark', '\ufeff{"a":1}', 'InvalidRequestContent'],
  ['two values', '{} {}', 'InvalidRequestContent'],
  ['a comment', '{"a":1 /* b */}', 'InvalidRequestContent'],
  ['a trailing comma', '{"a":1,}', 'InvalidRequestContent'],
  ['single quotes', "{'a':1}", 'InvalidRequestContent'],
  ['an open end', '{"a":', 'InvalidRequestContent'],
  ['a member twice', '{"a":1,"a":2}', 'InvalidRequestContent'],
  ['a member twice with the same value', '{"a":1,"a":1}', 'InvalidRequestContent'],
  ['a member twice, three levels down', '{"a":[{"b":{"c":1,"c":2}}]}', 'InvalidRequestContent'],
  ['a member twice around an object', '{"a":1,"b":{"c":1},"a":2}', 'InvalidRequestContent'],
  ['a member twice, once escaped', '{"a":1,"\\u0061":2}', 'InvalidRequestContent'],
  ['a member twice, once escaped by a slash', '{"a/b":1,"a\\/b":2}', 'InvalidRequestContent'],
  ['__proto__ twice', '{"__proto__":1,"__proto__":2}', 'InvalidRequestContent'],
  ['the empty name twice', '{"":1,"":2}', 'InvalidRequestContent'],
  ['one name in two objects', '{"a":{"c":1},"b":{"c":1},"c":1}', 'accepted'],
  ['one name in an object and in one inside it', '{"a":{"a":{"a":1}}}', 'accepted'],
  ['one name in the objects of a list', '[{"a":1},{"a":1}]', 'accepted'],
  ['names that only look alike', '{"a":1,"\\\\u0061":2,"a ":3}', 'accepted'],
  ['the same text as value', '{"a":"b","c":"b"}', 'accepted'],
  ['32 lists', nested('[', ']', 32), 'accepted'],
  ['33 lists', nested('[', ']', 33), 'InvalidRequestContent'],
  ['32 objects', `${'{"a":'.repeat(31)}{}${'}'.repeat(31)}`, 'accepted'],
  ['33 objects', `${'{"a":'.repeat(32)}{}${'}'.repeat(32)}`, 'InvalidRequestContent'],
  ['33 levels of both kinds', `${nested('[', ']', 32).slice(0, 32)}{}${']'.repeat(32)}`, 'InvalidRequestContent'],
  ['33 lists side by side', `[${Array.from({ length: 33 }, () => '[]').join()}]`, 'accepted'],
  ['brackets in a text', `{"a":"${'[{'.repeat(100)}"}`, 'accepted'],
  ['brackets in a text after an escaped quote', `{"a":"\\"${'['.repeat(100)}"}`, 'accepted'],
  ['brackets in a name', `{"${'['.repeat(100)}":1}`, 'accepted'],
  ['33 lists after a text that ends in an escaped backslash', `{"a":"\\\\","b":${nested('[', ']', 32)}}`, 'InvalidRequestContent'],
  ['32 levels after such a text', `{"a":"\\\\","b":${nested('[', ']', 31)}}`, 'accepted'],
])('%s: %#', (_, text, ending) => {
  expect(endingOf(() => parseJson(text))).toBe(ending);
});

test.each([
  ['opening brackets', '['],
  ['opening braces', '{'],
  ['members in members', '{"a":'],
  ['closing brackets', ']'],
  ['quotes', '"'],
  ['backslashes', '\\'],
])('1 MiB of %s is refused, and overflows nothing', (_, part) => {
  expect(endingOf(() => parseJson(part.repeat(Math.floor(1_048_576 / part.length))))).toBe('InvalidRequestContent');
});

test('a refusal tells the fault by kind, and quotes nothing but the name that came twice, shortened', () => {
  expect(messageOf(() => parseJson('{"password": hunter2}'))).toBe("The request content was invalid and could not be deserialized: 'the body is not valid JSON'.");
  expect(messageOf(() => parseJson(nested('[', ']', 33)))).toContain('the JSON is nested deeper than 32 levels');
  expect(messageOf(() => parseJson('{"tags":{"a":1,"a":1}}'))).toContain("the member 'a' is given more than once");
  expect(messageOf(() => parseJson(`{"${'x'.repeat(100)}":1,"${'x'.repeat(100)}":1}`))).toContain(`'${'x'.repeat(64)}'`);
});

test('what is accepted is the value, its __proto__ a member like any other', () => {
  expect(parseJson('[1,"a",null,true,{"b":[]}]')).toEqual([1, 'a', null, true, { b: [] }]);
  const value = parseJson('{"__proto__":{"a":1}}') as object;
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  expect(Object.keys(value)).toEqual(['__proto__']);
});
