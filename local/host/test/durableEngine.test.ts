/** What the engine does with instances that no recording shows: starts, ends, batches, clocks, and what it refuses. */
import { createDurable } from '../durable/engine';
import type { Work } from '../durable/ports';
import { countedIds, testClock, testCore, turn } from './durableKit';
import { registerSample } from './durableSample';

jest.mock('@azure/functions-core', () => (globalThis as { durableTestCore?: ReturnType<typeof testCore> }).durableTestCore?.module, { virtual: true });
const core = testCore();
Object.assign(globalThis, { durableTestCore: core });
const acted: unknown[] = [];
const act = (input: unknown) => {
  acted.push(input);
  return input;
};
beforeAll(() => registerSample(require('durable-functions'), act));
beforeEach(() => acted.splice(0));

const DAY_MS = 86_400_000;
const NOON = Date.parse('2027-01-01T12:00:00Z');

async function given(options: { timersEarly?: boolean; pace?: (work: Work) => Promise<void>; core?: Pick<typeof core, 'functions' | 'invoke'> } = {}) {
  const clock = testClock(NOON);
  const lines: string[] = [];
  const engine = await createDurable({
    ...{ clock, core, stateDir: undefined, hubName: 'Tests', log: (line: string) => lines.push(line), http: false, newId: countedIds() },
    ...options,
  });
  await engine.start();
  const start = async (name: string, id: string, input: unknown = {}) => {
    const started = await engine.startNew(name, id, JSON.stringify(input));
    if (!options.pace) await clock.settle();
    return started;
  };
  return { clock, engine, start, lines, state: (id: string) => engine.get(id)?.runtimeStatus };
}

test('90 days of hops run within one advance, and not a moment before the deadline', async () => {
  const { clock, start, state } = await given();
  await start('hops', 'ninety', { days: 90, hopDays: 4 });
  await clock.advance(90 * DAY_MS);
  expect([state('ninety'), acted]).toEqual(['Running', []]);
  await clock.advance(1000);
  expect([state('ninety'), acted]).toEqual(['Completed', ['done']]);
});

test('one timer of 90 days is walked in segments of 3 days', async () => {
  const { clock, engine, start, state } = await given();
  await start('sleepThenAct', 'long', { ms: 90 * DAY_MS });
  await clock.advance(90 * DAY_MS);
  expect(state('long')).toBe('Completed');
  expect((await engine.history('long')).filter((event) => event.EventType === 10)).toHaveLength(30);
});

test('timers are early by less than a second where that is switched on', async () => {
  const { clock, start, state } = await given({ timersEarly: true });
  await start('sleepThenAct', 'early', { ms: 10_000 });
  await clock.advance(9000);
  expect(state('early')).toBe('Running');
  await clock.advance(999);
  expect(state('early')).toBe('Completed');
});

test('a timer of the past fires without the clock being moved', async () => {
  const { start, state } = await given();
  await start('sleepThenAct', 'past', { ms: -5000 });
  expect(state('past')).toBe('Completed');
});

test('an id in use is refused; a finished one begins a new life with the next generation', async () => {
  const { clock, engine, start } = await given();
  await start('sleepThenAct', 'one', { ms: 1000 });
  expect(await start('sleepThenAct', 'one')).toEqual({ kind: 'exists', status: 'Running' });
  await engine.terminate('one', 'enough');
  await clock.settle();
  expect(engine.get('one')).toMatchObject({ runtimeStatus: 'Terminated', output: 'enough' });
  expect(await start('sleepThenAct', 'one', { ms: 2000 })).toEqual({ kind: 'started', instanceId: 'one' });
  expect((await engine.history('one')).find((event) => event.EventType === 0)).toMatchObject({ Generation: 1 });
  await clock.advance(1000);
  expect(engine.get('one')?.runtimeStatus).toBe('Running');
  await clock.advance(1000);
  expect([engine.get('one')?.runtimeStatus, acted]).toEqual(['Completed', [{ id: 'one' }]]);
});

test('of two starts with one id at the same time one wins', async () => {
  const { clock, engine } = await given();
  const both = await Promise.all([engine.startNew('waits', 'twin', null), engine.startNew('waits', 'twin', null)]);
  await clock.settle();
  expect(both.map(({ kind }) => kind)).toEqual(['started', 'exists']);
});

describe.each(['timer first', 'termination first'])('a firing and a termination in one batch, %s', (order) => {
  const held: (() => void)[] = [];
  const batch = async (name: string) => {
    held.splice(0);
    const { clock, engine, start, state } = await given({ pace: () => new Promise((resolve) => held.push(resolve)) });
    const release = async () => {
      held.shift()?.();
      await turn();
    };
    await start(name, 'x');
    await release();
    clock.jump(NOON + 5001);
    if (order === 'timer first') clock.ring();
    expect(await engine.terminate('x', 'lost?')).toBe('accepted');
    if (order !== 'timer first') clock.ring();
    await turn();
    await release();
    return state('x');
  };
  test('with continueAsNew the termination is silently lost', async () => {
    expect(await batch('hopsAsNew')).toBe('Running');
  });
  test('without it the instance is terminated', async () => {
    expect(await batch('hopsOnce')).toBe('Terminated');
  });
});

test('an activity that is not there hangs the instance, and the log says so; a retry interval over the longest timer hangs it too', async () => {
  const { clock, start, state, lines } = await given();
  await start('misspelt', 'a');
  await start('retriesTooSlowly', 'b');
  await clock.advance(100 * DAY_MS);
  expect([state('a'), state('b')]).toEqual(['Running', 'Running']);
  expect(lines).toEqual(["Durable instance a calls the activity 'acct', which does not exist: it hangs, as on Azure."]);
});

test('an orchestrator that is not there, or an id of an entity, is accepted and then fails', async () => {
  const { engine, start } = await given();
  await start('nobody', 'a');
  await start('waits', '@b');
  expect(engine.get('a')).toMatchObject({ runtimeStatus: 'Failed', output: expect.stringContaining("'nobody' doesn't exist") });
  expect(engine.get('@b')).toMatchObject({ runtimeStatus: 'Failed' });
});

test.each([
  ['callsSub', 'callSubOrchestrator'],
  ['callsHttp', 'callHttp'],
  ['callsEntity', 'callEntity'],
])('%s fails with a text that names what is not supported', async (name, call) => {
  const { engine, start } = await given();
  await start(name, 'x');
  expect(engine.get('x')).toMatchObject({ runtimeStatus: 'Failed', output: `Orchestrator function '${name}' failed: the embedded Durable engine does not support ${call}` });
});

test('what fires for an execution that continueAsNew is ending does not touch the next one; an event of its last batch is carried over', async () => {
  let midway = () => {};
  const invoke: typeof core.invoke = async (...given) => {
    const result = await core.invoke(...given);
    midway();
    return result;
  };
  const { clock, engine, start } = await given({ core: { functions: core.functions, invoke } });
  await start('cancelsAndBegins', 'x', { n: 0 });
  midway = () => {
    midway = () => {};
    clock.jump(NOON + 5001);
    clock.ring(); // the cancelled timer 0
  };
  await engine.raiseEvent('x', 'Go', null);
  await clock.settle();
  expect((await engine.history('x')).map((event) => event.EventType)).toEqual([12, 0, 15, 13, 10, 13]);
});

test('a suspended instance keeps what happens meanwhile and goes on with it when resumed', async () => {
  const { clock, engine, start, state } = await given();
  await start('sleepThenAct', 'x', { ms: 1000 });
  await engine.suspend('x', 'wait');
  await clock.advance(2000);
  expect([state('x'), acted]).toEqual(['Suspended', []]);
  await engine.resume('x', 'go on');
  await clock.settle();
  expect([state('x'), acted]).toEqual(['Completed', [{ id: 'x' }]]);
});

test('events, custom status, Task.all', async () => {
  const { clock, engine, start } = await given();
  await start('waits', 'x');
  expect(engine.get('x')).toMatchObject({ runtimeStatus: 'Running', customStatus: { waiting: true } });
  expect(await engine.raiseEvent('x', 'Go', '{"n":1}')).toBe('accepted');
  await clock.settle();
  expect(engine.get('x')).toMatchObject({ runtimeStatus: 'Completed', output: { n: 1 } });
  await start('all', 'y');
  expect([engine.get('y')?.output, acted]).toEqual([
    [1, 2],
    [1, 2],
  ]);
});

test('messages to finished and unknown instances', async () => {
  const { engine, start } = await given();
  await start('all', 'over');
  for (const send of [engine.terminate, engine.suspend, engine.resume]) {
    expect([await send('over', 'r'), await send('never', 'r')]).toEqual(['gone', 'unknown']);
  }
  expect([await engine.raiseEvent('over', 'Go', null), await engine.raiseEvent('never', 'Go', null)]).toEqual(['gone', 'unknown']);
});

test('purge by filter removes running instances too, unless it names the states', async () => {
  const { engine, start } = await given();
  const both = async () => {
    await start('waits', 'running');
    await start('all', 'over');
  };
  await both();
  expect(await engine.purgeBy({ states: ['Completed', 'Terminated', 'Failed', 'Canceled'] })).toBe(1);
  expect(engine.instances().map(({ instanceId }) => instanceId)).toEqual(['running']);
  await both();
  expect(await engine.purgeBy({ states: ['Running'] })).toBe(1);
  await both();
  expect(await engine.purgeBy({ createdFrom: NOON + 1 })).toBe(0);
  expect(await engine.purgeBy({ createdFrom: NOON })).toBe(2);
  expect(engine.instances()).toEqual([]);
});

test('an instance purged while its timer waits never comes back, and its id is free', async () => {
  const { clock, engine, start } = await given();
  await start('sleepThenAct', 'x', { ms: 1000 });
  expect(await engine.purge('x')).toBe('running');
  await engine.purgeBy({});
  await start('waits', 'x');
  await clock.advance(5000);
  expect([engine.get('x')?.runtimeStatus, acted]).toEqual(['Running', []]);
});

test('the same calls give the same history, to the last digit', async () => {
  const run = async () => {
    const { clock, engine, start } = await given({ timersEarly: true });
    await start('hops', 'x', { days: 7, hopDays: 2 });
    await clock.advance(8 * DAY_MS);
    return engine.history('x');
  };
  const [first, second] = [await run(), await run()];
  expect(first.length).toBeGreaterThan(15);
  expect(second).toEqual(first);
});
