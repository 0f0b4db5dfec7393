// Commands over the real stack with the host killed at every storage request that they make, answers lost, requests reset. Nothing acknowledged is lost, a repeat ends as design.md says, and the tables never contradict themselves.
import { create, deleted, given, groupOf, live, purge, purgedBy, recover, remove, removeGroup, type Send, type Subject, told, update } from '../kit/hsmCommands';
import { contradictions, type HsmState, stateOf } from '../kit/hsmState';
import { allStand, isCommitted, type KillPoint, killPoints, nameOf, type Standing, standAt } from '../kit/killPoints';
import { type ObservedService, startObservedService } from '../kit/observedService';
import { groupPath, hsmPath, newHsm } from '../kit/resources';
import { SUBSCRIPTION_ID } from '../kit/service';
import type { Fate, StorageRequest } from '../kit/storageProxy';
import { type Kind, kindOf, mentions, stopNth } from '../kit/turnstile';

type Command = {
  readonly name: string;
  readonly given: readonly Send[];
  readonly send: Send;
  /** The storage requests that it takes, in their order. */
  readonly requests: readonly Kind[];
  readonly before: Partial<HsmState>;
  readonly after: Partial<HsmState>;
  /** What its repeat is told after it has taken place: there is no command id on the wire. */
  readonly repeated: string;
};

const ACCEPTED = '202';
const UNKNOWN = '503 ServiceUnavailable';
const NO_ANSWER = 'no answer';

const commands: readonly Command[] = [
  { name: 'create', given: [], send: create, requests: ['read', 'read', 'write'], before: { record: 'none', debts: [] }, after: live, repeated: ACCEPTED },
  {
    name: 'update',
    given: [create],
    send: update({ tags: { by: 'update' } }),
    requests: ['read', 'read', 'write'],
    before: live,
    after: { ...live, by: 'update' },
    repeated: ACCEPTED,
  },
  { name: 'delete', given: [create], send: remove, requests: ['read', 'read', 'write'], before: live, after: deleted, repeated: '204' },
  { name: 'recover', given: [create, remove], send: recover, requests: ['read', 'read', 'write'], before: deleted, after: live, repeated: ACCEPTED },
  { name: 'purge', given: [create, remove], send: purge, requests: ['read', 'write', 'send'], before: deleted, after: purgedBy('caller'), repeated: '404 ResourceNotFound' },
];

let world: ObservedService;
/** Subscriptions whose only group is the one to be deleted: the scan of a group's HSMs names nothing else. */
const subscriptions = Array.from({ length: 20 }, (_, n) => `55555555-5555-4555-8555-${String(n).padStart(12, '0')}`);

// Without clean-up and sweeper, so that a command's requests are its own.
beforeAll(async () => {
  const SUBSCRIPTIONS = [SUBSCRIPTION_ID, ...subscriptions].map((id) => `${id}=Test`).join(';');
  world = await startObservedService({ disabled: ['cleanup', 'sweep'], env: { SUBSCRIPTIONS } });
}, 60_000);
afterEach(() => expect(world.faults()).toEqual([]));
afterAll(() => world.stop(), 60_000);

const rows = () => world.storage.rows('hsms');
const subjectOf = (name: string, subscription?: string): Subject => ({ name, client: world.service.as('owner'), ...(subscription !== undefined && { subscription }) });

/** What tells a subject's requests from all others: rows have a subscription without its path. */
const textsOf = (subscription: string | undefined, name: string) => (subscription === undefined ? [name] : [name, subscription.replace('/subscriptions/', '')]);

/** Sends a command for each subject, up to its point, and kills the host. Starts it again. */
async function killAtEach(subjects: readonly Subject[], points: readonly KillPoint[], { send, requests }: Pick<Command, 'send' | 'requests'>): Promise<readonly Standing[]> {
  const standings = subjects.map(({ name, subscription }, at) => standAt(world.proxy, points[at] as KillPoint, textsOf(subscription, name)));
  const answers = subjects.map((subject) => send(subject).then(told, () => NO_ANSWER));
  await allStand(points, standings, requests);
  await Promise.all(answers.filter((_, at) => points[at]?.fate === 'never sent'));
  await world.service.kill();
  for (const standing of standings) await standing.afterKill();
  expect(await Promise.all(answers)).toEqual(points.map(({ fate }) => (fate === 'never sent' ? ACCEPTED : NO_ANSWER)));
  await world.service.start();
  return standings;
}

test.each(commands)(
  'I12 $name, the host killed at each of its storage requests: done or not done, a repeat ends alike, and what stalled changes nothing',
  async (command) => {
    const points = killPoints(command.requests);
    const subjects = points.map((point) => subjectOf(nameOf(command.name, point)));
    await given(subjects, command.given);
    const standings = await killAtEach(subjects, points, command);

    const hasHappened = points.map((point) => isCommitted(point, command.requests));
    const left = await rows();
    expect(subjects.map(({ name }) => stateOf(left, name))).toEqual(hasHappened.map((is) => expect.objectContaining(is ? command.after : command.before)));
    expect(contradictions(left)).toEqual([]);

    const again = await Promise.all(subjects.map(command.send));
    expect(again.map(told)).toEqual(hasHappened.map((is) => (is ? command.repeated : ACCEPTED)));
    for (const standing of standings) await standing.land();
    const end = await rows();
    expect(subjects.map(({ name }) => stateOf(end, name))).toEqual(subjects.map(() => expect.objectContaining(command.after)));
    expect(contradictions(end)).toEqual([]);
  },
  60_000,
);

test('I12 the deletion of a group, the host killed at each of its storage requests: a repeat resumes', async () => {
  const requests = ['read', 'write', 'read', 'read', 'write', 'read', 'write'] as const;
  const points = killPoints(requests);
  const pairs = points.map((point, at) => {
    const name = nameOf('group', point);
    return { subject: subjectOf(name, `/subscriptions/${subscriptions[at]}`), names: [`${name}-a`, `${name}-b`] };
  });
  const groups = pairs.map(({ subject }) => subject);
  await given(groups, []);
  for (const { subject, names } of pairs)
    for (const name of names) expect(told(await subject.client.send('PUT', hsmPath(name, groupOf(subject.name), subject.subscription), newHsm()))).toBe(ACCEPTED);
  const standings = await killAtEach(groups, points, { send: removeGroup, requests });
  const left = await rows();
  const isThere = (n: number, { n: at, fate }: KillPoint) => at < n || (at === n && fate !== 'stored');
  expect(pairs.map(({ names }) => names.map((name) => stateOf(left, name).record))).toEqual(points.map((point) => [5, 7].map((n) => (isThere(n, point) ? 'live' : 'deleted'))));
  expect(contradictions(left)).toEqual([]);

  const again = await Promise.all(groups.map(removeGroup));
  expect(again.map(told)).toEqual(pairs.map(() => ACCEPTED));
  for (const standing of standings) await standing.land();
  const end = await rows();
  expect(pairs.flatMap(({ names }) => names.map((name) => stateOf(end, name)))).toEqual(pairs.flatMap(() => [expect.objectContaining(deleted), expect.objectContaining(deleted)]));
  expect(contradictions(end)).toEqual([]);
  for (const { client, name, subscription } of groups) expect(told(await client.send('GET', groupPath(groupOf(name), subscription)))).toBe('404 ResourceGroupNotFound');
}, 60_000);

type Fault = { readonly name: string; fate(n: number, kind: Kind, hasWritten: boolean): Fate; answer(command: Command): string; hasHappened: boolean };

/** A creation is never sent again: what it made may have been purged meanwhile. All else is, under the ETag that was decided on. */
const sentAgain = (command: Command) => (command.name === 'create' ? UNKNOWN : ACCEPTED);

const faultsOf = ({ requests }: Command): readonly Fault[] => [
  ...requests.flatMap((kind, index): Fault[] => {
    const at = `the ${kind} at ${index + 1}`;
    return [
      { name: `${at} answered, the answer lost`, fate: (n) => (n === index + 1 ? 'loseAnswer' : 'forward'), answer: () => ACCEPTED, hasHappened: true },
      { name: `${at} reset`, fate: (n) => (n === index + 1 ? 'reset' : 'forward'), answer: kind === 'write' ? sentAgain : () => ACCEPTED, hasHappened: kind !== 'write' },
    ];
  }),
  { name: 'every write reset', fate: (_, kind) => (kind === 'write' ? 'reset' : 'forward'), answer: () => UNKNOWN, hasHappened: false },
  {
    name: 'the write stored, its answer lost, and no read answered after that',
    fate: (_, kind, hasWritten) => (kind === 'write' ? 'loseAnswer' : hasWritten && kind === 'read' ? 'reset' : 'forward'),
    answer: () => UNKNOWN,
    hasHappened: true,
  },
];

test.each(commands)(
  '$name with answers lost and requests reset: acknowledged only if stored, and nothing happens twice',
  async (command) => {
    const faults = faultsOf(command);
    const subjects = faults.map((_, at) => subjectOf(`fault-${command.name}-${String(at).padStart(2, '0')}`));
    await given(subjects, command.given);
    const cancels = faults.map(({ fate }, at) => {
      let hasWritten = false;
      return world.proxy.rule(mentions((subjects[at] as Subject).name), (request, nth) => {
        const kind = kindOf(request) as Kind;
        const decided = fate(nth, kind, hasWritten);
        hasWritten ||= kind === 'write';
        return decided;
      });
    });
    const replies = await Promise.all(subjects.map(command.send));
    for (const cancel of cancels) cancel();
    const named = <T>(values: readonly T[]) => values.map((value, at) => [faults[at]?.name, value]);
    expect(named(replies.map(told))).toEqual(named(faults.map((fault) => fault.answer(command))));
    expect(replies.filter(({ status }) => status === 503).map(({ headers }) => headers['retry-after'])).toEqual(replies.flatMap(({ status }) => (status === 503 ? ['5'] : [])));

    const left = await rows();
    const hasHappened = faults.map((fault) => fault.hasHappened || fault.answer(command) === ACCEPTED);
    expect(named(subjects.map(({ name }) => stateOf(left, name)))).toEqual(named(hasHappened.map((is) => expect.objectContaining(is ? command.after : command.before))));
    expect(contradictions(left)).toEqual([]);

    const again = await Promise.all(subjects.map(command.send));
    expect(named(again.map(told))).toEqual(named(hasHappened.map((is) => (is ? command.repeated : ACCEPTED))));
    const end = await rows();
    expect(named(subjects.map(({ name }) => stateOf(end, name)))).toEqual(named(faults.map(() => expect.objectContaining(command.after))));
    expect(contradictions(end)).toEqual([]);
  },
  60_000,
);

test('story 4: a delete whose answer is lost never undoes the recovery that came before it was read back', async () => {
  const subject = subjectOf('story-four');
  await given([subject], [create]);
  const its = (kind: Kind) => (request: StorageRequest) => mentions(subject.name)(request) && kindOf(request) === kind;
  const cancel = world.proxy.loseAnswers(its('write'));
  // Group and record are read before the write; the third read is the one that looks back.
  const { reached } = stopNth(world.proxy, 3, its('read'));
  const deletion = remove(subject);
  const held = await reached;
  cancel();
  expect(told(await recover(subject))).toBe(ACCEPTED);
  held.go();
  expect(told(await deletion)).toBe(UNKNOWN);
  expect(stateOf(await rows(), subject.name)).toMatchObject(live);
}, 60_000);
