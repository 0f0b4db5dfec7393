// Two commands on one HSM, over the real stack: a proxy between host and Azurite lets neither write before both have read, then one after the other. Exactly one outcome, the other a clean answer, and the tables agree.
import { HSM_ROW } from '../../shared/domain/rows';
import { create, createWith, deleted, given, live, purge, purgedBy, recover, remove, removeGroup, type Send, type Subject, told, update } from '../kit/hsmCommands';
import { contradictions, type HsmState, stateOf, unerased } from '../kit/hsmState';
import { type ObservedService, startObservedService } from '../kit/observedService';
import { groupPath } from '../kit/resources';
import { isTableWrite } from '../kit/storageProxy';
import { mentions, stopNext } from '../kit/turnstile';

const TIMES = 50;
const AT_ONCE = 10;

type Side = 'one' | 'other';
/** Its first request is the one that races, held where it decides: at its write, or at the answer to its read if it writes nothing. The others follow once that one is answered. */
type Command = { readonly sends: readonly Send[]; readonly heldAt?: 'read' };
/** Answers in the order of the command's requests: status, and the error's code if it is one. */
type End = { readonly one: readonly string[]; readonly other: readonly string[]; readonly stored: Partial<HsmState> };
type Race = {
  readonly name: string;
  readonly given: readonly Send[];
  readonly one: Command;
  readonly other: Command;
  /** The end when this side was let go first. */
  readonly first: Readonly<Record<Side, End>>;
  /** Why both orders end alike, where they do. */
  readonly oneEndBecause?: string;
};

const protect = update({ properties: { enablePurgeProtection: true } });
const otherGroup = (name: string) => `other-${name}`;
const createOtherGroup: Send = ({ name, client }) => client.send('PUT', groupPath(otherGroup(name)), { location: 'westus' });

const purged = purgedBy('caller');
const HELD = '409 ConflictError';
const FIXED = '400 400';
const NOT_THERE = '404 ResourceNotFound';
const NOT_RECOVERABLE = '404 SoftDeletedVaultDoesNotExist';
const PROTECTED = '405 MethodNotAllowed';

const races: readonly Race[] = [
  {
    name: 'two creates that agree on what is fixed: one creates, the other updates',
    given: [],
    one: { sends: [createWith({ by: 'one' })] },
    other: { sends: [createWith({ by: 'other' })] },
    first: { one: { one: ['202'], other: ['202'], stored: { ...live, by: 'other' } }, other: { one: ['202'], other: ['202'], stored: { ...live, by: 'one' } } },
  },
  {
    name: 'two creates that differ in what is fixed: the second is refused',
    given: [],
    one: { sends: [createWith({ properties: { softDeleteRetentionInDays: 10 } })] },
    other: { sends: [createWith({ properties: { softDeleteRetentionInDays: 20 } })] },
    first: { one: { one: ['202'], other: [FIXED], stored: { ...live, retentionDays: 10 } }, other: { one: [FIXED], other: ['202'], stored: { ...live, retentionDays: 20 } } },
  },
  {
    name: 'two creates of one name in two groups: the name is taken',
    given: [createOtherGroup],
    one: { sends: [createWith({ by: 'one' })] },
    other: { sends: [createWith({ by: 'other', group: otherGroup })] },
    first: { one: { one: ['202'], other: [HELD], stored: { ...live, by: 'one' } }, other: { one: [HELD], other: ['202'], stored: { ...live, by: 'other' } } },
  },
  {
    name: 'two updates of different members: neither is lost',
    given: [create],
    one: { sends: [update({ tags: { by: 'one' } })] },
    other: { sends: [update({ properties: { publicNetworkAccess: 'Disabled' } })] },
    first: {
      one: { one: ['202'], other: ['202'], stored: { ...live, by: 'one', isOpen: false } },
      other: { one: ['202'], other: ['202'], stored: { ...live, by: 'one', isOpen: false } },
    },
    oneEndBecause: 'each changes what the other leaves',
  },
  {
    name: 'two deletes: one deletes, the other finds nothing to delete',
    given: [create],
    one: { sends: [remove] },
    other: { sends: [remove] },
    first: { one: { one: ['202'], other: ['204'], stored: deleted }, other: { one: ['204'], other: ['202'], stored: deleted } },
  },
  {
    name: 'update against delete: nothing changes what is deleted',
    given: [create],
    one: { sends: [update({ tags: { by: 'one' } })] },
    other: { sends: [remove] },
    first: { one: { one: ['202'], other: ['202'], stored: { ...deleted, by: 'one' } }, other: { one: [NOT_THERE], other: ['202'], stored: deleted } },
  },
  {
    name: 'delete against recover, both having found the HSM live: recover leaves a live HSM as it is',
    given: [create],
    one: { sends: [remove] },
    other: { sends: [recover], heldAt: 'read' },
    first: { one: { one: ['202'], other: ['202'], stored: deleted }, other: { one: ['202'], other: ['202'], stored: deleted } },
    oneEndBecause: 'recover writes nothing, and takes place at its read, which came before the deletion',
  },
  {
    name: 'delete against recover, both having found the HSM deleted: there is nothing to delete',
    given: [create, remove],
    one: { sends: [remove], heldAt: 'read' },
    other: { sends: [recover] },
    first: { one: { one: ['204'], other: ['202'], stored: live }, other: { one: ['204'], other: ['202'], stored: live } },
    oneEndBecause: 'the delete writes nothing, and takes place at its read, which came before the recovery',
  },
  {
    name: 'delete against delete and recover: a deletion decided before the recovery is decided again',
    given: [create],
    one: { sends: [remove] },
    other: { sends: [remove, recover] },
    first: { one: { one: ['202'], other: ['204', '202'], stored: live }, other: { one: ['202'], other: ['202', '202'], stored: deleted } },
  },
  {
    name: 'recover against recover and delete: a recovery decided before the new deletion is decided again',
    given: [create, remove],
    one: { sends: [recover] },
    other: { sends: [recover, remove] },
    first: { one: { one: ['202'], other: ['202', '202'], stored: deleted }, other: { one: ['202'], other: ['202', '202'], stored: live } },
  },
  {
    name: 'I8 recover against purge: one or the other',
    given: [create, remove],
    one: { sends: [recover] },
    other: { sends: [purge] },
    first: { one: { one: ['202'], other: [NOT_THERE], stored: live }, other: { one: [NOT_RECOVERABLE], other: ['202'], stored: purged } },
  },
  {
    name: 'I4 recover and protect against purge: once protection is acknowledged the purge that read before fails',
    given: [create, remove],
    one: { sends: [recover, protect] },
    other: { sends: [purge] },
    first: {
      one: { one: ['202', '202'], other: [NOT_THERE], stored: { ...live, isProtected: true } },
      other: { one: [NOT_RECOVERABLE, NOT_THERE], other: ['202'], stored: purged },
    },
  },
  {
    name: 'I4 recover, protect and delete again against purge: the purge of the first deletion is refused for the second',
    given: [create, remove],
    one: { sends: [recover, protect, remove] },
    other: { sends: [purge] },
    first: {
      one: { one: ['202', '202', '202'], other: [PROTECTED], stored: { ...deleted, isProtected: true } },
      other: { one: [NOT_RECOVERABLE, NOT_THERE, '204'], other: ['202'], stored: purged },
    },
  },
  {
    name: 'two purges: one purges, the other finds nothing, and there is one debt',
    given: [create, remove],
    one: { sends: [purge] },
    other: { sends: [purge] },
    first: { one: { one: ['202'], other: [NOT_THERE], stored: purged }, other: { one: [NOT_THERE], other: ['202'], stored: purged } },
  },
  {
    name: 'story 17: create against the deletion of its group: what lands late is left to the sweeper',
    given: [],
    one: { sends: [create] },
    other: { sends: [removeGroup] },
    first: { one: { one: ['202'], other: ['202'], stored: deleted }, other: { one: ['202'], other: ['202'], stored: live } },
  },
];

let world: ObservedService;
// Clean-up and sweeper begin their work in the last test: until then rows stay as commands have left them.
beforeAll(async () => {
  world = await startObservedService({ disabled: ['cleanup', 'sweep'] });
}, 60_000);
afterAll(() => world.stop(), 60_000);

/** Puts a command into the race, up to where it is held. @returns what lets it go and answers with all that it was told */
async function begin({ sends: [racing, ...rest], heldAt }: Command, target: Subject): Promise<() => Promise<readonly string[]>> {
  const writes = mentions(target.name);
  const held =
    heldAt === 'read'
      ? stopNext(world.proxy, mentions(`(PartitionKey='${target.name}',RowKey='${HSM_ROW}')`), 'after')
      : stopNext(world.proxy, (request) => isTableWrite(request) && writes(request));
  const answer = (racing as Send)(target);
  const tooEarly = answer.then((reply) => Promise.reject(new Error(`${target.name} was answered ${told(reply)} before it was held`)));
  const stopped = await Promise.race([held, tooEarly]);
  tooEarly.catch(() => undefined);
  return async () => {
    stopped.go();
    const replies = [await answer];
    for (const send of rest) replies.push(await send(target));
    return replies.map(told);
  };
}

async function run(race: Race, name: string, first: Side): Promise<Pick<End, Side>> {
  const target = { name, client: world.service.as('owner') };
  await given([target], race.given);
  const commands = { one: await begin(race.one, target), other: await begin(race.other, target) };
  if (first === 'one') return { one: await commands.one(), other: await commands.other() };
  const other = await commands.other();
  return { one: await commands.one(), other };
}

test.each(races.map((race, number) => ({ ...race, number })))(
  '$name',
  async (race) => {
    const runs = Array.from({ length: TIMES }, (_, n) => ({
      name: `race-${race.number}-${String(n).padStart(2, '0')}`,
      first: n % 2 === 0 ? ('one' as const) : ('other' as const),
    }));
    const answers: Pick<End, Side>[] = [];
    for (let from = 0; from < TIMES; from += AT_ONCE) answers.push(...(await Promise.all(runs.slice(from, from + AT_ONCE).map(({ name, first }) => run(race, name, first)))));

    const rows = await world.storage.rows('hsms');
    const found = runs.map(({ name, first }, n) => ({ name, first, ...answers[n], stored: stateOf(rows, name) }));
    expect(found).toEqual(runs.map(({ name, first }) => ({ name, first, ...race.first[first], stored: expect.objectContaining(race.first[first].stored) })));
    expect(contradictions(rows)).toEqual([]);
    const ends = new Set(found.map(({ one, other, stored }) => JSON.stringify([one, other, stored])));
    expect(ends.size).toBe(race.oneEndBecause ? 1 : 2);
  },
  120_000,
);

test('what the races have left is worked off: debts are erased, the late HSM of a deleted group goes too, what lives stays', async () => {
  const before = await world.storage.rows('hsms');
  const names = [...new Set(before.map(({ partitionKey }) => partitionKey))];
  const of = (record: HsmState['record'], rows = before) => names.filter((name) => stateOf(rows, name).record === record);
  const late = races.findIndex(({ name }) => name.startsWith('story 17'));
  const isLate = (name: string) => name.startsWith(`race-${late}-`);
  expect(unerased(before).length).toBeGreaterThan(TIMES);
  expect(of('live').filter(isLate)).toHaveLength(TIMES / 2);

  await world.restart({ disabled: [] });
  await world.service.clock({ advance: 'PT15M' });
  const swept = await world.storage.rows('hsms');
  expect(unerased(swept)).toEqual([]);
  expect(contradictions(swept)).toEqual([]);
  expect(of('live', swept)).toEqual(of('live').filter((name) => !isLate(name)));
  expect(world.faults()).toEqual([]);
}, 120_000);
