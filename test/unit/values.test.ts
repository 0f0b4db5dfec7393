// Rules that hold for every value, tried on values that nobody thought of.
import fc from 'fast-check';
import { fromColumns, toColumns } from '../../shared/adapters/tableLayout';
import { groupKey, guid, hsmKey, keyKey, keyVersion } from '../../shared/domain/names';
import { toText } from '../../shared/domain/time';
import { parseJson } from '../../shared/http/json';
import { requestHost } from '../../shared/http/requestHost';
import { matchRoute } from '../../shared/http/routes';

const member = fc.stringMatching(/^[a-z][A-Za-z0-9]{0,20}$/).filter((name) => !['partitionkey', 'rowkey', 'timestamp', 'etag'].includes(name.toLowerCase()));

test('what is laid out in columns is read back as JSON has it', () => {
  fc.assert(
    fc.property(fc.dictionary(member, fc.jsonValue(), { noNullPrototype: true }), (value) => {
      expect(fromColumns(toColumns(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test('a long JSON text comes back whole, wherever its columns are cut', () => {
  fc.assert(
    fc.property(fc.nat(40), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }), (shift, unit) => {
      const value = { list: ['x'.repeat(shift) + unit.repeat(Math.ceil(70_000 / unit.length))] };
      expect(fromColumns(toColumns(value))).toEqual(value);
    }),
    { numRuns: 30 },
  );
});

test('a name that is taken is a safe row key in lower case, and is itself a name', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.stringMatching(/^[a-zA-Z0-9-]{1,40}$/)), (text) => {
      for (const nameOf of [hsmKey, guid, keyKey, keyVersion]) {
        const name = nameOf(text);
        if (name === undefined) continue;
        expect(name).toMatch(/^[a-z0-9-]+$/);
        expect(nameOf(name)).toBe(name);
      }
      expect(groupKey(text) ?? '').not.toMatch(/[/\\#?!]/);
    }),
  );
});

test('the host of every HSM name is that HSM, with any port and in any case', () => {
  const names = { controlHost: 'management.azure.com', hsmSuffix: 'managedhsm.azure.net' };
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z][a-z0-9]{2,23}$/), fc.nat(65_535), (name, port) => {
      expect(requestHost(`${name.toUpperCase()}.managedhsm.azure.net:${port}`, names)).toEqual({ kind: 'hsm', hsm: name });
    }),
  );
});

test('JSON that JSON.parse takes is taken alike, unless a member is twice there or it is too deep', () => {
  fc.assert(fc.property(fc.json({ maxDepth: 8 }), (text) => expect(parseJson(text)).toEqual(JSON.parse(text))));
});

test('instants in row keys sort as they follow each other', () => {
  fc.assert(fc.property(fc.nat(4_000_000_000), fc.nat(4_000_000_000), (a, b) => expect(toText(a) < toText(b)).toBe(a < b)));
});

test('a route matches the path that is made from it, and gives its parts back', () => {
  const part = fc.stringMatching(/^[^/]{1,12}$/);
  fc.assert(fc.property(part, part, (a, b) => expect(matchRoute('keys/{one}/x/{two}', ['KEYS', a, 'X', b])).toEqual({ one: a, two: b })));
});
