// The lifecycle's table, typed again from the paper (design §2), its clock's edges, and the windows in front of it.
import { admit, type Command, isInWindow, purgeDate, type State, type Subject, stateAt, type Window } from '../../shared/domain/lifecycle';
import { toMillisecondText, toText } from '../../shared/domain/time';
import { at, deletion, INCARNATION } from './support/contoso';
import { endingOf } from './support/refusals';

const live: Subject = { incarnation: INCARNATION };
const deleted: Subject = { ...live, deletion };
const before = at('2027-01-08T23:59:59Z');
const due = at('2027-01-09T00:00:00Z');

const given: Readonly<Record<State, readonly [Subject | undefined, number]>> = {
  absent: [undefined, before],
  active: [live, before],
  deleted: [deleted, before],
  overdue: [deleted, due],
};

test.each<[State, Command, string]>([
  ['absent', 'create', 'activate'],
  ['absent', 'delete', 'notFound'],
  ['absent', 'recover', 'notFound'],
  ['absent', 'purge', 'notFound'],
  ['absent', 'expire', 'nothing'],
  ['active', 'create', 'update'],
  ['active', 'delete', 'delete'],
  ['active', 'recover', 'notDeleted'],
  ['active', 'purge', 'notFound'],
  ['active', 'expire', 'nothing'],
  ['deleted', 'create', 'nameHeld'],
  ['deleted', 'delete', 'notFound'],
  ['deleted', 'recover', 'recover'],
  ['deleted', 'purge', 'purge'],
  ['deleted', 'expire', 'lookAgain'],
  ['overdue', 'create', 'expireFirst'],
  ['overdue', 'delete', 'notFound'],
  ['overdue', 'recover', 'notFound'],
  ['overdue', 'purge', 'notFound'],
  ['overdue', 'expire', 'expire'],
])('%s, told to %s: %s', (state, command, outcome) => {
  const [subject, now] = given[state];
  expect(stateAt(subject, now)).toBe(state);
  expect(admit(subject, command, now)).toBe(outcome);
});

test.each([
  ['2027-01-02T00:00:00Z', 'deleted'],
  ['2027-01-08T23:59:59Z', 'deleted'],
  ['2027-01-09T00:00:00Z', 'overdue'],
  ['2027-01-09T00:00:01Z', 'overdue'],
])('a subject that is due on 2027-01-09T00:00:00Z is at %s %s', (now, state) => {
  expect(stateAt(deleted, at(now))).toBe(state);
});

describe('a window that is open until 00:10', () => {
  const window: Window = { operation: 'update', startedAt: at('2027-01-03T00:00:00Z'), readyAt: at('2027-01-03T00:10:00Z') };
  const during = at('2027-01-03T00:09:59Z');
  const after = at('2027-01-03T00:10:00Z');

  test.each<[State, Command, string]>([
    ['active', 'create', 'OperationInProgress'],
    ['active', 'delete', 'OperationInProgress'],
    ['active', 'recover', 'OperationInProgress'],
    ['active', 'purge', 'accepted'],
    ['active', 'expire', 'accepted'],
    ['deleted', 'create', 'OperationInProgress'],
    ['deleted', 'delete', 'OperationInProgress'],
    ['deleted', 'recover', 'OperationInProgress'],
    ['deleted', 'purge', 'accepted'],
    ['deleted', 'expire', 'accepted'],
  ])('%s, told to %s a second before its end: %s; at its end nothing is refused', (state, command, ending) => {
    const subject: Subject = { ...(state === 'active' ? live : deleted), window };
    expect(endingOf(() => admit(subject, command, during))).toBe(ending);
    expect(endingOf(() => admit(subject, command, after))).toBe('accepted');
  });

  test.each<Command>(['create', 'delete', 'recover', 'purge', 'expire'])('does not show on an overdue subject, told to %s: nobody sees it', (command) => {
    const subject: Subject = { ...deleted, window: { operation: 'delete', startedAt: deletion.deletedAt, readyAt: at('2027-02-01T00:00:00Z') } };
    expect(endingOf(() => admit(subject, command, at('2027-01-09T00:00:00Z')))).toBe('accepted');
    expect(isInWindow(subject, at('2027-01-09T00:00:00Z'))).toBe(true);
  });

  test('is no window for a subject without one', () => {
    expect(isInWindow(live, during)).toBe(false);
    expect(isInWindow({ ...live, window }, during)).toBe(true);
    expect(isInWindow({ ...live, window }, after)).toBe(false);
  });
});

test.each([
  ['2027-01-01T00:00:00Z', 7, '2027-01-08T00:00:00Z'],
  ['2027-01-01T12:34:56Z', 90, '2027-04-01T12:34:56Z'],
  ['2028-02-27T00:00:00Z', 7, '2028-03-05T00:00:00Z'],
  ['2027-03-27T12:00:00Z', 7, '2027-04-03T12:00:00Z'],
])('I9 what is deleted at %s and kept %i days is due at %s, to the second', (deletedAt, days, purgeAt) => {
  expect(toText(purgeDate(at(deletedAt), days, 86_400))).toBe(purgeAt);
});

test('a development day of one second makes seven days seven seconds', () => {
  expect(toText(purgeDate(at('2027-01-01T00:00:00Z'), 7, 1))).toBe('2027-01-01T00:00:07Z');
});

test('an instant is printed to the second in row keys and to the millisecond in systemData', () => {
  expect(toText(1_698_816_485)).toBe('2023-11-01T05:28:05Z');
  expect(toMillisecondText(1_698_816_485)).toBe('2023-11-01T05:28:05.000Z');
});
