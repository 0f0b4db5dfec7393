// What runs without a caller, with the host killed in the midst of it: the timer's activity, the clean-up, the sweep, an advance of the clock. Started again, the work is done, once, and the tables never contradict themselves.
import { TableClient } from '@azure/data-tables';
import { create, deleted, given, live, purge, purgedBy, remove, removeGroup, type Subject, told } from '../kit/hsmCommands';
import { contradictions, partitionOf, stateOf, unerased } from '../kit/hsmState';
import { allStand, isCommitted, type KillPoint, killPoints, nameOf, type Standing, standAt } from '../kit/killPoints';
import { type ObservedService, startObservedService } from '../kit/observedService';
import type { StoredRow } from '../kit/storage';
import type { StorageRequest } from '../kit/storageProxy';
import { kindOf, mentions, stopNext } from '../kit/turnstile';

const ACCEPTED = '202';
const NO_ANSWER = 'no answer';
const SWEEP_EVERY_MS = 900_000;
/** So that every subject's message can stand at the same time. */
const ALL_AT_ONCE = { AzureFunctionsJobHost__extensions__queues__batchSize: '32', AzureFunctionsJobHost__extensions__queues__newBatchThreshold: '100' };

let world: ObservedService;
/** Its clock stands just behind a sweep, so that the next one comes when a test wants it. */
const begin = async (disabled: readonly string[]): Promise<void> => {
  world = await startObservedService({ disabled });
  const now = Date.parse(await world.service.clock({ show: true }));
  await world.service.clock({ set: new Date((Math.floor(now / SWEEP_EVERY_MS) + 1) * SWEEP_EVERY_MS + 1000).toISOString() });
};
const end = () => world.stop();

const rows = () => world.storage.rows('hsms');
const subjectOf = (name: string): Subject => ({ name, client: world.service.as('owner') });

const killed = async (standings: readonly Standing[]): Promise<void> => {
  await world.service.kill();
  for (const standing of standings) await standing.afterKill();
};

/** Starts the host anew with everything on, and lets it sweep and erase until there is nothing to do. */
async function sweepOnce(): Promise<void> {
  await world.restart({ disabled: [] });
  await world.service.clock({ advance: 'PT15M' });
}

/** The next point begins on an empty table: debts are sent for at each sweep. */
async function removeAll(left: readonly StoredRow[]): Promise<void> {
  const table = TableClient.fromConnectionString(world.service.connectionString, 'hsms', { allowInsecureConnection: true });
  for (const { partitionKey, rowKey } of left) await table.deleteEntity(partitionKey, rowKey);
}

/** Two messages that erase a page each, and one that finds nothing and leaves a debt that is too young to close. */
const erasing = ['read', 'read', 'write', 'send', 'read', 'read', 'read', 'write', 'send', 'read', 'read', 'read', 'read'] as const;
const closing = ['read', 'read', 'read', 'read', 'write'] as const;

/** Groups and HSMs are read; one is overdue; one landed late in a group being deleted, and its keys are looked through; two debts are sent for, the second that of the overdue one. */
const sweeping = ['read', 'read', 'read', 'write', 'send', 'read', 'write', 'read', 'read', 'read', 'send', 'send'] as const;

// A world for each test: one's debts would send messages into the other's.
describe('the deadline and the clean-up', () => {
  beforeEach(() => begin(['cleanup', 'sweep']), 60_000);
  afterEach(end, 60_000);

  test('a host killed between delete and deadline, started again: purged at the deadline, not before', async () => {
    const subject = subjectOf('between');
    await given([subject], [create, remove]);
    await world.restart();
    await world.service.clock({ advance: 'P6DT23H' });
    expect(stateOf(await rows(), subject.name)).toMatchObject(deleted);
    await world.service.clock({ advance: 'PT2H' });
    expect(stateOf(await rows(), subject.name)).toEqual(purgedBy('timer'));
  }, 60_000);

  test('killed while the clock advances, then at each storage request of the purge at the deadline: started again, all is purged, once', async () => {
    const requests = ['read', 'read', 'write', 'send'] as const;
    const points = killPoints(requests);
    const subjects = points.map((point) => subjectOf(nameOf('deadline', point)));
    await given(subjects, [create, remove]);
    const first = stopNext(world.proxy, mentions('deadline-'));
    const advance = world.service.clock({ advance: 'P8D' }).catch(() => NO_ANSWER);
    const stopped = await first;
    await world.service.kill();
    stopped.go('reset');
    expect(await advance).toBe(NO_ANSWER);
    const due = await rows();
    expect(subjects.map(({ name }) => stateOf(due, name).record)).toEqual(subjects.map(() => 'deleted'));

    // What was aimed at is on disk: the next host finds every deletion due.
    const standings = subjects.map(({ name }, at) => standAt(world.proxy, points[at] as KillPoint, [name]));
    await world.service.start();
    await allStand(points, standings, requests);
    await killed(standings);
    const left = await rows();
    expect(subjects.map(({ name }) => stateOf(left, name).record)).toEqual(points.map((point) => (isCommitted(point, requests) ? 'none' : 'deleted')));
    expect(contradictions(left)).toEqual([]);

    await world.service.start();
    await world.service.clock({ advance: 'PT1S' });
    for (const standing of standings) await standing.land();
    const ended = await rows();
    expect(subjects.map(({ name }) => stateOf(ended, name))).toEqual(subjects.map(() => expect.objectContaining(purgedBy('timer'))));
    expect(contradictions(ended)).toEqual([]);
    const instances = (await world.instances.all()).filter(({ input }) => input?.includes('deadline-'));
    expect(instances.map(({ status }) => status)).toEqual(subjects.map(() => 'Completed'));
  }, 60_000);

  test('killed between the commit of a purge and its message: nothing is erased before the sweep, all of it after', async () => {
    const subject = subjectOf('no-message');
    await given([subject], [create, remove]);
    const message = stopNext(world.proxy, (request) => mentions(subject.name)(request) && kindOf(request) === 'send');
    const answer = purge(subject).then(told, () => NO_ANSWER);
    const stopped = await message;
    await world.service.kill();
    stopped.go('reset');
    expect(await answer).toBe(NO_ANSWER);
    await world.service.start({ disabled: ['sweep'] });
    await world.service.clock({ advance: 'PT1S' });
    expect(unerased(await rows())).toContain(subject.name);
    await world.restart({ disabled: [] });
    await world.service.clock({ advance: 'PT15M' });
    const ended = await rows();
    expect(stateOf(ended, subject.name)).toMatchObject(purgedBy('caller'));
    expect(unerased(ended)).toEqual([]);
    expect(contradictions(ended)).toEqual([]);
  }, 60_000);

  test('two messages of one debt at once, both having read the same page: one erases it, the other goes on, and neither fails', async () => {
    const subject = subjectOf('twice');
    await given([subject], [create, remove, purge]);
    await world.restart({ disabled: ['cleanup'] });
    await world.service.clock({ advance: 'PT15M' });
    await world.service.kill();
    const isErasing = (request: StorageRequest) => mentions(subject.name)(request) && kindOf(request) === 'write';
    const both = [stopNext(world.proxy, isErasing), stopNext(world.proxy, isErasing)];
    await world.service.start({ disabled: ['sweep'] });
    for (const { go } of await Promise.all(both)) go();
    await world.service.clock({ advance: 'PT1S' });
    expect(unerased(await rows())).toEqual([]);
    expect(contradictions(await rows())).toEqual([]);
    expect(world.faults()).toEqual([]);
  }, 60_000);

  test('I2 the clean-up, the host killed at each of its storage requests: the next sweep has everything erased, and every debt closed in the end', async () => {
    const points = killPoints(erasing);
    const names = points.map((point) => nameOf('erase', point));
    await given(names.map(subjectOf), [create]);
    const before = await rows();
    const incarnations = names.map((name) => partitionOf(before, name).record?.incarnation as string);
    for (const incarnation of incarnations) await world.storage.insert('keys', incarnation, ['k!first']);
    const subjects = names.map(subjectOf);
    for (const send of [remove, purge]) expect((await Promise.all(subjects.map(send))).map(told)).toEqual(names.map(() => ACCEPTED));

    const stand = (at: number, point: KillPoint) => standAt(world.proxy, point, [names[at] as string, incarnations[at] as string]);
    await world.service.kill();
    const standings = points.map((point, at) => stand(at, point));
    await world.service.start({ disabled: ['sweep'], env: ALL_AT_ONCE });
    await allStand(points, standings, erasing);
    await killed(standings);
    expect(contradictions(await rows())).toEqual([]);
    await sweepOnce();
    for (const standing of standings) await standing.land();
    await sweepOnce();
    const erased = await rows();
    expect(unerased(erased)).toEqual([]);
    expect(await world.storage.rows('keys')).toEqual([]);
    expect(names.map((name) => stateOf(erased, name).debts)).toEqual(names.map(() => ['caller']));

    // Old enough by the storage's clock, which the host sees through the proxy. The sweep's messages wait for the next host.
    world.proxy.setDate(new Date(Date.now() + 3_600_000));
    await world.restart({ disabled: ['cleanup'] });
    await world.service.clock({ advance: 'PT15M' });
    await world.service.kill();
    const lastPoints = killPoints(closing);
    const lastStandings = lastPoints.map((point, at) => stand(at, point));
    await world.service.start({ disabled: ['sweep'] });
    await allStand(lastPoints, lastStandings, closing);
    await killed(lastStandings);
    await sweepOnce();
    for (const standing of lastStandings) await standing.land();
    expect(await rows()).toEqual([]);
  }, 60_000);
});

// One world for all points, without clean-up, and with the sweeper alone at deadlines.
describe('the sweep', () => {
  beforeAll(() => begin(['cleanup', 'purgeAtDeadline']), 60_000);
  afterAll(end, 60_000);

  test.each(killPoints(sweeping))(
    'the sweep, the host killed at its storage request $n, $fate: started again, it makes good what it missed',
    async (point) => {
      const [owed, due, late] = ['a', 'b', 'c'].map((order) => subjectOf(nameOf(`sweep-${order}`, point))) as [Subject, Subject, Subject];
      await given([owed, due], [create, remove]);
      expect(told(await purge(owed))).toBe(ACCEPTED);
      await given([late], []);
      const landing = stopNext(world.proxy, (request) => mentions(late.name)(request) && kindOf(request) === 'write');
      const created = create(late);
      const stopped = await landing;
      expect(told(await removeGroup(late))).toBe(ACCEPTED);
      stopped.go();
      expect(told(await created)).toBe(ACCEPTED);
      expect(stateOf(await rows(), late.name)).toMatchObject(live);

      const standing = standAt(world.proxy, point, ['']);
      const sweep = world.service.clock({ advance: 'P8D' }).catch(() => NO_ANSWER);
      await allStand([point], [standing], sweeping);
      if (point.fate === 'never sent') await sweep;
      await killed([standing]);
      expect(contradictions(await rows())).toEqual([]);
      await world.service.start();
      await world.service.clock({ advance: 'PT15M' });
      await standing.land();
      const left = await rows();
      expect([owed, due, late].map(({ name }) => stateOf(left, name))).toEqual([purgedBy('caller'), purgedBy('sweeper'), expect.objectContaining(deleted)]);
      expect(contradictions(left)).toEqual([]);
      expect(world.faults()).toEqual([]);
      await removeAll(left);
    },
    60_000,
  );
});
