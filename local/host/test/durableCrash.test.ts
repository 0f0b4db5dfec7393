/** What survives: kill -9 before and after each stored step, files that are not the engine's own, and a stop while work is in flight. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { transformFileSync } from '@swc/core';
import { createDurable } from '../durable/engine';
import { testClock, testCore } from './durableKit';
import { registerSample } from './durableSample';

jest.mock('@azure/functions-core', () => (globalThis as { durableTestCore?: ReturnType<typeof testCore> }).durableTestCore?.module, { virtual: true });
const core = testCore();
Object.assign(globalThis, { durableTestCore: core });
const acted: unknown[] = [];
let act = (input: unknown): unknown => acted.push(input);
let scratch = '';

beforeAll(() => {
  registerSample(require('durable-functions'), (input) => act(input));
  scratch = mkdtempSync(join(tmpdir(), 'durable-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
beforeEach(() => {
  acted.splice(0);
  act = (input) => acted.push(input);
});

const NOON = Date.parse('2027-01-01T12:00:00Z');
const folder = () => mkdtempSync(join(scratch, 'case-'));

async function engineOn(stateDir: string, now = NOON, hubName = 'Tests') {
  const clock = testClock(now);
  const engine = await createDurable({ clock, core, stateDir, hubName, log: () => {}, http: false });
  return { clock, engine };
}

/** The engine and the child's script as JavaScript, in a folder of their own. */
function compiled(): string {
  const out = join(scratch, 'compiled');
  for (const part of ['durable', 'test']) {
    mkdirSync(join(out, part), { recursive: true });
    for (const name of readdirSync(join(__dirname, '..', part)).filter((file) => /^(?!.*\.test\.ts$).*\.ts$/.test(file) && (part === 'durable' || file.startsWith('durable')))) {
      const { code } = transformFileSync(join(__dirname, '..', part, name), {
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'commonjs' },
        swcrc: false,
      });
      writeFileSync(join(out, part, name.replace('.ts', '.js')), code);
    }
  }
  return join(out, 'test', 'durableChild.js');
}

const reportOf = (dir: string) => readFileSync(join(dir, 'report.txt'), { encoding: 'utf8', flag: 'a+' }).split('\n').filter(Boolean);

test('killed before or after any stored step, it ends as if it had not been', async () => {
  const script = compiled();
  const run = (dir: string, at: number, when: string) => spawnSync(process.execPath, [script, dir, String(at), when, require.resolve('durable-functions')], { encoding: 'utf8' });
  const outcomes: string[] = [];
  for (let at = 1, isKilled = true; isKilled; at += 1) {
    for (const when of ['before', 'after']) {
      const dir = folder();
      const child = run(dir, at, when);
      isKilled = child.signal === 'SIGKILL';
      if (!isKilled) expect({ ...child, report: reportOf(dir) }).toMatchObject({ status: 0, stderr: '', report: ['acknowledged', 'raised', 'acted x', 'Completed'] });

      const { clock, engine } = await engineOn(join(dir, 'state'), NOON + 30_000);
      await engine.start();
      const report = reportOf(dir);
      const wasStored = engine.get('x') !== undefined;
      if (report.includes('acknowledged')) expect(wasStored).toBe(true);
      await clock.advance(60_000);
      if (wasStored) {
        expect(engine.get('x')?.runtimeStatus).toBe('Completed');
        expect(acted.length + report.filter((line) => line === 'acted x').length).toBeGreaterThanOrEqual(1);
        const events = (await engine.history('x')).map((event) => event.EventType);
        for (const once of [0, 1, 4, 5, 10, 11]) expect(events.filter((type) => type === once)).toHaveLength(1);
        if (report.includes('raised')) expect(events).toContain(15);
      }
      outcomes.push(`${at} ${when}: ${wasStored ? 'stored' : 'nothing'}, acted ${acted.length + report.filter((line) => line === 'acted x').length}`);
      await engine.stop();
      acted.splice(0);
    }
  }
  // Marker, start, event, three episodes, activity, history: fewer kills than that would mean steps that are not stored.
  expect(outcomes.length).toBeGreaterThan(14);
  expect(outcomes.filter((line) => line.endsWith('acted 2'))).not.toEqual([]);
}, 120_000);

test('an activity whose result was not stored runs again, and its instance goes on', async () => {
  const dir = folder();
  let isStarted: () => void = () => {};
  const started = new Promise<void>((resolve) => (isStarted = resolve));
  act = (input) => {
    acted.push(input);
    isStarted();
    return new Promise(() => {});
  };
  const first = await engineOn(dir);
  await first.engine.start();
  await first.engine.startNew('sleepThenAct', 'x', '{"ms":0}');
  await started;

  act = (input) => acted.push(input);
  const second = await engineOn(dir, NOON + 1000);
  await second.engine.start();
  await second.clock.settle();
  expect([second.engine.get('x')?.runtimeStatus, acted]).toEqual(['Completed', [{ id: 'x' }, { id: 'x' }]]);
});

test('a stop waits for the activity in flight and stores its result; the rest is done after the restart', async () => {
  const dir = folder();
  let finish: () => void = () => {};
  let isStarted: () => void = () => {};
  const started = new Promise<void>((resolve) => (isStarted = resolve));
  act = () => {
    isStarted();
    return new Promise<void>((resolve) => (finish = resolve));
  };
  const first = await engineOn(dir);
  await first.engine.start();
  await first.engine.startNew('sleepThenAct', 'x', '{"ms":0}');
  await started;
  const stopped = first.engine.stop();
  finish();
  await stopped;

  act = (input) => acted.push(input);
  const second = await engineOn(dir, NOON + 1000);
  await second.engine.start();
  await second.clock.settle();
  expect([second.engine.get('x')?.runtimeStatus, acted]).toEqual(['Completed', []]);
});

test('a new execution begun by continueAsNew is taken up where it was', async () => {
  const dir = folder();
  const clock = testClock(NOON);
  let episodes = 0;
  let isStuck: () => void = () => {};
  const stuck = new Promise<void>((resolve) => (isStuck = resolve));
  const pace = async () => {
    episodes += 1;
    if (episodes < 3) return;
    isStuck();
    await new Promise(() => {});
  };
  const first = await createDurable({ clock, core, stateDir: dir, hubName: 'Tests', log: () => {}, http: false, pace });
  await first.start();
  await first.startNew('hopsAsNew', 'x', '{}');
  await clock.settle();
  void clock.advance(5000);
  await stuck;

  const second = await engineOn(dir, NOON + 6000);
  await second.engine.start();
  await second.clock.settle();
  expect((await second.engine.history('x')).map((event) => event.EventType)).toEqual([12, 0, 13, 10, 13]);
  await second.clock.advance(5000);
  expect(second.engine.get('x')).toMatchObject({ runtimeStatus: 'Running', input: { n: 1 } });
  expect((await second.engine.history('x')).map((event) => event.EventType)).toEqual([12, 0, 13, 10, 13, 12, 11, 13]);
});

test('finished instances and their histories are there after a restart; purged ones leave no file', async () => {
  const dir = folder();
  const first = await engineOn(dir);
  await first.engine.start();
  for (const id of ['x', 'X', 'a/b']) await first.engine.startNew('sleepThenAct', id, '{"ms":0}');
  await first.clock.settle();
  await first.engine.stop();

  const second = await engineOn(dir);
  expect(
    second.engine
      .instances()
      .map(({ instanceId, runtimeStatus }) => [instanceId, runtimeStatus])
      .sort(),
  ).toEqual([
    ['X', 'Completed'],
    ['a/b', 'Completed'],
    ['x', 'Completed'],
  ]);
  expect(await second.engine.history('x')).toHaveLength(12);
  await second.engine.purgeBy({});
  expect(readdirSync(dir)).toEqual(['hub.json']);
});

test('thousands of instances do not run at start, only what is due', async () => {
  const dir = folder();
  const first = await engineOn(dir);
  await first.engine.start();
  await Promise.all(Array.from({ length: 1000 }, (_, n) => first.engine.startNew('sleepThenAct', `i${n}`, '{"ms":60000}')));
  await first.clock.settle();
  await first.engine.stop();

  const second = await engineOn(dir, NOON + 1000);
  await second.engine.start();
  expect([second.clock.waiting().length, acted.length]).toEqual([1000, 0]);
  await second.engine.stop();
});

describe('files that are not the engine’s own are refused at start', () => {
  const used = async () => {
    const dir = folder();
    const { clock, engine } = await engineOn(dir);
    await engine.start();
    await engine.startNew('waits', 'x', null);
    await clock.settle();
    await engine.stop();
    const instance = readdirSync(dir).find((name) => name !== 'hub.json') ?? '';
    return { dir, instance: join(dir, instance) };
  };

  test('the control: an untouched folder, and one with the rest of an interrupted write', async () => {
    const { dir, instance } = await used();
    writeFileSync(`${instance}.tmp`, '{"instanceId"');
    const { engine } = await engineOn(dir);
    expect(engine.get('x')).toMatchObject({ runtimeStatus: 'Running' });
    expect(readdirSync(dir)).toHaveLength(2);
  });

  test('cut off', async () => {
    const { dir, instance } = await used();
    writeFileSync(instance, readFileSync(instance, 'utf8').slice(0, -10));
    await expect(engineOn(dir)).rejects.toThrow(`The Durable instance file ${instance} is corrupted`);
  });

  test('JSON of another kind, and an instance under another’s name', async () => {
    const { dir, instance } = await used();
    const text = readFileSync(instance, 'utf8');
    writeFileSync(instance, '{"hello":1}');
    await expect(engineOn(dir)).rejects.toThrow('is no Durable instance file of this host');
    writeFileSync(instance, text.replaceAll('"instanceId":"x"', '"instanceId":"y"'));
    await expect(engineOn(dir)).rejects.toThrow('is no Durable instance file of this host');
  });

  test('another hub’s folder', async () => {
    const { dir } = await used();
    await expect(engineOn(dir, NOON, 'Others')).rejects.toThrow("is not that of the task hub 'Others'");
  });

  test('somebody else’s folder', async () => {
    const dir = folder();
    writeFileSync(join(dir, 'holiday.jpg'), '');
    await expect(engineOn(dir)).rejects.toThrow('it has no hub.json but holiday.jpg');
  });
});
