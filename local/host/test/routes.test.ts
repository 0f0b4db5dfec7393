/** Route templates, their constraints, and whose function takes a request. */
import { findRoute, inRouteOrder, matchRoute, parseRoute } from '../routes';

const match = (template: string, path: string) => matchRoute(parseRoute(template), path);

test.each([
  ['keys', '/keys', {}],
  ['keys', '/KEYS/', {}],
  ['keys/{name}', '/keys/K1', { name: 'K1' }],
  ['keys/{name}.{kind}', '/keys/a.b.json', { name: 'a.b', kind: 'json' }],
  ['keys/{name?}', '/keys', {}],
  ['keys/{name=first}', '/keys', { name: 'first' }],
  ['{*rest}', '/', {}],
  ['{*rest}', '/a//b/', { rest: 'a//b/' }],
  ['keys/{**rest}', '/keys/a//b', { rest: 'a//b' }],
  ['{v:regex(^[0-9a-f]{{4}}$)}', '/0AbF', { v: '0AbF' }],
  ['{v:regex(^(a|b)/?$)}/x', '/b/x', { v: 'b' }],
])('%s takes %s', (template, path, parameters) => expect(match(template, path)).toEqual(parameters));

test.each([
  ['keys', '/'],
  ['keys', '/keys//'],
  ['keys/{name}', '/keys'],
  ['keys/{name}', '/keys/a/b'],
  ['{*rest}', '//a'],
  ['keys/{*rest}', '/keys//a'],
])('%s does not take %s', (template, path) => expect(match(template, path)).toBeUndefined());

test.each([
  ['int', '-2147483648', '2147483648'],
  ['long', '9223372036854775807', '9223372036854775808'],
  ['bool', 'TRUE', 'yes'],
  ['decimal', '1.5', 'x'],
  ['double', '1e3', '1f'],
  ['float', '.5', '.'],
  ['guid', 'd3b07384-d9a0-4c9b-8b1f-6a3b5a7b5c11', 'd3b07384-d9a0'],
  ['datetime', '2027-01-01T00:00:00Z', 'soon'],
  ['alpha', 'abC', 'ab1'],
  ['minlength(2)', 'ab', 'a'],
  ['maxlength(2)', 'ab', 'abc'],
  ['length(2)', 'ab', 'abc'],
  ['length(1,2)', 'a', 'abc'],
  ['min(5)', '5', '4'],
  ['max(5)', '5', '6'],
  ['range(1,5)', '5', '6'],
  ['regex(^a+$)', 'aaA', 'ab'],
  ['int:min(3)', '3', '2'],
])('the constraint %s takes %s and not %s', (constraint, good, bad) => {
  expect(match(`{v:${constraint}}`, `/${good}`)).toEqual({ v: good });
  expect(match(`{v:${constraint}}`, `/${bad}`)).toBeUndefined();
});

test.each(['{v:odd}', '{v:length(x)}', '{a', '{*rest}/more', '{a}/{A}', 'a//b'])('the template %s is refused', (template) => expect(() => parseRoute(template)).toThrow(template));

const route = (name: string, template: string, methods = ['GET']) => ({ name, methods, template: parseRoute(template) });

test('the name decides, without regard to case, not the route', () => {
  const ordered = inRouteOrder([route('bLiteral', 'order/literal'), route('Any', 'order/{any}'), route('zRest', '{*rest}')]);
  expect(ordered.map(({ name }) => name)).toEqual(['Any', 'bLiteral', 'zRest']);
  expect(findRoute(ordered, 'GET', '/order/literal')?.route.name).toBe('Any');
});

test('a function whose method or constraint does not match is skipped', () => {
  const ordered = inRouteOrder([route('a', 'x/{n:int}'), route('b', 'x/{n}', ['POST']), route('c', '{*rest}', ['GET', 'POST'])]);
  expect(findRoute(ordered, 'get', '/x/1')?.route.name).toBe('a');
  expect(findRoute(ordered, 'GET', '/x/y')?.route.name).toBe('c');
  expect(findRoute(ordered, 'POST', '/x/1')?.route.name).toBe('b');
  expect(findRoute(ordered, 'PUT', '/x/1')).toBeUndefined();
});
