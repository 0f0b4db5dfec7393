// Names, regions and row keys: what is a name, what form it is compared in, and that each range of rows holds exactly its own kind.
import { groupKey, guid, hsmKey, isRegion, keyKey, keyVersion, locationKey, REGIONS } from '../../shared/domain/names';
import { assignmentRow, debtRow, dueRow, GUARD_ROW, groupRow, HSM_ROW, keyAssignmentRow, keyRow, OPEN_ROW, ranges, versionRow } from '../../shared/domain/rows';
import { at } from './support/contoso';

test.each([
  ['abc', 'abc'],
  ['Contoso', 'contoso'],
  ['a-b', 'a-b'],
  ['a1-b2-c3', 'a1-b2-c3'],
  ['a23456789012345678901234', 'a23456789012345678901234'],
  ['a234567890123456789012345', undefined],
  ['ab', undefined],
  ['', undefined],
  ['1bc', undefined],
  ['-bc', undefined],
  ['ab-', undefined],
  ['a--b', undefined],
  ['a-b--c', undefined],
  ['a_b', undefined],
  ['a.b', undefined],
  ['abc ', undefined],
  ['abc\n', undefined],
  ['a/b', undefined],
  ['äbc', undefined],
])('as the name of an HSM %j is %j', (text, key) => {
  expect(hsmKey(text)).toBe(key);
});

test('a letter that only becomes ASCII in lower case is no letter of an HSM name: the Kelvin sign is not k', () => {
  expect(hsmKey('\u212aeyhsm')).toBeUndefined();
  expect(hsmKey('Keyhsm')).toBe('keyhsm');
});

test.each([
  ['Team', 'team'],
  ['-', '-'],
  ['a', 'a'],
  ['a.b_c(d)-e', 'a.b_c(d)-e'],
  ['Größe', 'größe'],
  ['x'.repeat(90), 'x'.repeat(90)],
  ['x'.repeat(91), undefined],
  ['team.', undefined],
  ['', undefined],
  ['a b', undefined],
  ['a/b', undefined],
  ['a!b', undefined],
  ['a%b', undefined],
  ['team\n', undefined],
])('as the name of a resource group %j is %j', (text, key) => {
  expect(groupKey(text)).toBe(key);
});

test.each([
  ['ABCDEF01-2345-6789-ABCD-EF0123456789', 'abcdef01-2345-6789-abcd-ef0123456789'],
  ['abcdef01-2345-6789-abcd-ef0123456789', 'abcdef01-2345-6789-abcd-ef0123456789'],
  ['abcdef01-2345-6789-abcd-ef012345678', undefined],
  ['gbcdef01-2345-6789-abcd-ef0123456789', undefined],
  ['{abcdef01-2345-6789-abcd-ef0123456789}', undefined],
  ['abcdef0123456789abcdef0123456789', undefined],
  ['', undefined],
])('as a GUID %j is %j', (text, key) => {
  expect(guid(text)).toBe(key);
});

test.each([
  ['first', 'first'],
  ['First-Key-1', 'first-key-1'],
  ['1', '1'],
  ['-', '-'],
  ['--', '--'],
  ['x'.repeat(127), 'x'.repeat(127)],
  ['x'.repeat(128), undefined],
  ['', undefined],
  ['a_b', undefined],
  ['a.b', undefined],
  ['a b', undefined],
  ['a/b', undefined],
  ['a!b', undefined],
  ['a%2Fb', undefined],
  ['first\n', undefined],
  ['äpfel', undefined],
  ['\u212aey', undefined],
])('as the name of a key %j is %j', (text, key) => {
  expect(keyKey(text)).toBe(key);
});

test.each([
  ['0123456789abcdef0123456789ABCDEF', '0123456789abcdef0123456789abcdef'],
  ['0123456789abcdef0123456789abcde', undefined],
  ['0123456789abcdef0123456789abcdef0', undefined],
  ['0123456789abcdeg0123456789abcdef', undefined],
  ['0123456789abcdef0123456789abcdef\n', undefined],
  ['', undefined],
])('as a version %j is %j', (text, version) => {
  expect(keyVersion(text)).toBe(version);
});

test('the regions are the 37 that the provider lists', () => {
  expect(REGIONS.join(', ')).toBe(
    'Central US, Central US EUAP, East US 2, East US 2 EUAP, South Central US, North Europe, West Europe, Canada Central, Switzerland North, South Africa North, UK South, SouthEast Asia, East Asia, Korea Central, Australia Central, West US, East US, North Central US, West Central US, West US 2, West US 3, Canada East, Japan East, UAE North, Australia East, France Central, Switzerland West, Central India, Brazil South, Sweden Central, Qatar Central, South India, Poland Central, Japan West, Norway East, Norway West, Germany West Central',
  );
  expect(REGIONS).toHaveLength(37);
});

test.each([
  ['West US', 'westus', true],
  ['westus', 'westus', true],
  ['WESTUS', 'westus', true],
  ['west us 2', 'westus2', true],
  ['Southeast Asia', 'southeastasia', true],
  ['West USA', 'westusa', false],
  ['Atlantis', 'atlantis', false],
  ['', '', false],
])('the location %j is compared as %j; offered: %j', (text, key, known) => {
  expect(locationKey(text)).toBe(key);
  expect(isRegion(text)).toBe(known);
});

test('the row keys are those of the table of rows', () => {
  expect([HSM_ROW, debtRow('i'), assignmentRow('g'), groupRow('team')]).toEqual(['!hsm', 'gone!i', 'a!g', 'g!team']);
  expect([keyRow('first'), versionRow('i', 'f0'), keyAssignmentRow('first', 'g'), GUARD_ROW, OPEN_ROW]).toEqual(['k!first', 'v!i!f0', 's!first!g', 'guard', 'open']);
  expect(dueRow(at('2027-01-09T00:00:00Z'), 'd')).toBe('due!2027-01-09T00:00:00Z!d');
});

type Fixed = { [K in keyof typeof ranges]: (typeof ranges)[K] extends { readonly from: string } ? K : never }[keyof typeof ranges];

const within = ({ from, to }: { readonly from: string; readonly to: string }, row: string): boolean => row >= from && row < to;

test.each<[Fixed, readonly string[]]>([
  ['hsms', ['!hsm']],
  ['debts', ['gone!00000000-0000-4000-8000-000000000000', 'gone!ffffffff-ffff-4fff-8fff-ffffffffffff']],
  ['assignmentsAndDefinitions', ['a!00000000', 'a!ffffffff', 'd!00000000', 'd!ffffffff']],
  ['recordAndRights', ['!hsm', 'a!00000000', 'a!ffffffff', 'd!00000000', 'd!ffffffff']],
  ['keyAssignments', ['s!first!00000000', 's!zz!ffffffff']],
])('in the partition of an HSM the range %s holds its own rows and no other', (range, own) => {
  const partition = [
    '!hsm',
    'a!00000000',
    'a!ffffffff',
    'd!00000000',
    'd!ffffffff',
    'gone!00000000-0000-4000-8000-000000000000',
    'gone!ffffffff-ffff-4fff-8fff-ffffffffffff',
    's!first!00000000',
    's!zz!ffffffff',
  ];
  expect(partition.filter((row) => within(ranges[range], row))).toEqual(own);
});

test.each<[Fixed, readonly string[]]>([
  ['armRoles', ['a!ffffffff', 'd!ffffffff']],
  ['groups', ['g!-', 'g!größe', 'g!team', 'g!zz']],
])('in the partition of a subscription the range %s holds its own rows and no other', (range, own) => {
  expect(['a!ffffffff', 'd!ffffffff', 'g!-', 'g!größe', 'g!team', 'g!zz'].filter((row) => within(ranges[range], row))).toEqual(own);
});

const keyPartition = [
  'due!2027-01-08T23:59:59Z!ffffffff',
  'due!2027-01-09T00:00:00Z!ffffffff',
  'due!2027-01-09T00:00:01Z!00000000',
  'gone!00000000',
  'gone!ffffffff',
  'guard',
  'k!-',
  'k!first',
  'k!zz',
  'open',
  'v!a!f0',
  'v!a!f1',
  'v!ab!f0',
];

test.each<[string, { readonly from: string; readonly to: string }, readonly string[]]>([
  ['keys', ranges.keys, ['k!-', 'k!first', 'k!zz']],
  ['the versions of one key', ranges.versions('a'), ['v!a!f0', 'v!a!f1']],
  ['what is due by an instant, that instant included', ranges.dueBy(at('2027-01-09T00:00:00Z')), ['due!2027-01-08T23:59:59Z!ffffffff', 'due!2027-01-09T00:00:00Z!ffffffff']],
  ['debts and the guard', ranges.debtsAndGuard, ['gone!00000000', 'gone!ffffffff', 'guard']],
  ['everything', ranges.everything, keyPartition],
])('in the partition of keys a range holds %s and no other row', (_, range, own) => {
  expect(keyPartition.filter((row) => within(range, row))).toEqual(own);
});

test('assignments at a key are those at that key alone: not at one whose name begins alike', () => {
  const rows = ['s!a!00000000', 's!a!ffffffff', 's!a-!00000000', 's!a-b!00000000', 's!a0!00000000', 's!ab!00000000', 's!b!00000000'];
  expect(rows.filter((row) => within(ranges.assignmentsAtKey('a'), row))).toEqual(['s!a!00000000', 's!a!ffffffff']);
  expect(rows.filter((row) => within(ranges.assignmentsAtKey('a-'), row))).toEqual(['s!a-!00000000']);
});

test('the range of everything holds every row of a partition of keys', () => {
  expect(['due!2027-01-01T00:00:00Z!k', 'gone!i', 'guard', 'k!zz', 'open', 'v!i!f'].every((row) => within(ranges.everything, row))).toBe(true);
});
