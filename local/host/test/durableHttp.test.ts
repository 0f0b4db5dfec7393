/** The management API as the unmodified client of durable-functions sees it, and who is not let in. */
import { createDurable } from '../durable/engine';
import { testClock, testCore } from './durableKit';
import { registerSample } from './durableSample';

jest.mock('@azure/functions-core', () => (globalThis as { durableTestCore?: ReturnType<typeof testCore> }).durableTestCore?.module, { virtual: true });
const core = testCore();
Object.assign(globalThis, { durableTestCore: core });

type Client = {
  startNew(name: string, options?: { instanceId?: string; input?: unknown }): Promise<string>;
  getStatus(id: string, options?: object): Promise<{ runtimeStatus: string; output: unknown; input: unknown; createdTime: Date }>;
  getStatusAll(): Promise<{ instanceId: string }[]>;
  getStatusBy(filter: object): Promise<{ instanceId: string }[]>;
  terminate(id: string, reason: string): Promise<void>;
  suspend(id: string, reason: string): Promise<void>;
  resume(id: string, reason: string): Promise<void>;
  rewind(id: string, reason: string): Promise<void>;
  raiseEvent(id: string, name: string, data?: unknown): Promise<void>;
  purgeInstanceHistory(id: string): Promise<{ instancesDeleted: number }>;
  purgeInstanceHistoryBy(filter: object): Promise<{ instancesDeleted: number }>;
  readEntityState(id: object): Promise<unknown>;
};

const clock = testClock(Date.parse('2027-01-01T12:00:00Z'));
let engine: Awaited<ReturnType<typeof createDurable>>;
let client: Client;
let base = '';

beforeAll(async () => {
  registerSample(require('durable-functions'), (input) => input);
  engine = await createDurable({ clock, core, stateDir: undefined, hubName: 'Tests', log: () => {} });
  await engine.start();
  const { DurableClient } = require('durable-functions/lib/src/durableClient/DurableClient') as { DurableClient: new (data: unknown) => Client };
  const binding = JSON.parse(engine.clientBinding()) as { rpcBaseUrl: string };
  client = new DurableClient(binding);
  base = binding.rpcBaseUrl;
});
afterAll(() => engine.stop());
beforeEach(() => engine.purgeBy({}));

const started = async (name: string, instanceId: string, input?: unknown) => {
  const id = await client.startNew(name, { instanceId, input });
  await clock.settle();
  return id;
};

test('an instance from start to purge', async () => {
  expect(await started('waits', 'x', { a: 1 })).toBe('x');
  expect(await client.getStatus('x')).toMatchObject({ runtimeStatus: 'Running', input: { a: 1 }, createdTime: new Date('2027-01-01T12:00:00Z') });
  await client.raiseEvent('x', 'Go', ['data']);
  await clock.settle();
  expect(await client.getStatus('x')).toMatchObject({ runtimeStatus: 'Completed', output: ['data'] });
  expect(await client.purgeInstanceHistory('x')).toEqual({ instancesDeleted: 1 });
  await expect(client.getStatus('x')).rejects.toThrow('404');
});

test('an id of the engine’s making', async () => {
  expect(await client.startNew('waits')).toMatch(/^[0-9a-f]{32}$/);
});

test('409 for an id in use, 202 for a finished one', async () => {
  await started('waits', 'x');
  await expect(client.startNew('waits', { instanceId: 'x' })).rejects.toThrow('unexpected status code: 409');
  await client.terminate('x', 'a reason');
  await clock.settle();
  expect(await client.startNew('waits', { instanceId: 'x' })).toBe('x');
});

test('410, which the client swallows, for messages to a finished instance; 404 for an unknown one', async () => {
  await started('all', 'over');
  for (const path of ['terminate?reason=r', 'suspend?reason=r', 'resume?reason=r', 'raiseEvent/Go']) {
    const statuses = await Promise.all(['over', 'never'].map(async (id) => (await fetch(`${base}instances/${id}/${path}`, { method: 'POST' })).status));
    expect(statuses).toEqual([410, 404]);
  }
  await expect(client.terminate('over', 'r')).resolves.toBeUndefined();
  await expect(client.terminate('never', 'r')).rejects.toThrow("No instance with ID 'never' found");
});

test('202 while it goes on, with Retry-After; 200 when it is over', async () => {
  await started('waits', 'x');
  await started('all', 'over');
  const [running, over] = await Promise.all([fetch(`${base}instances/x`), fetch(`${base}instances/over?showHistory=true&showHistoryOutput=true`)]);
  expect([running.status, running.headers.get('retry-after'), running.headers.get('location'), over.status]).toEqual([202, '5', `${base}instances/x`, 200]);
  expect(((await over.json()) as { historyEvents: unknown[] }).historyEvents).toContainEqual(
    expect.objectContaining({ EventType: 'TaskCompleted', FunctionName: 'act', Result: 1 }),
  );
});

test('412 for purging what runs; nothing deleted for what is unknown', async () => {
  await started('waits', 'x');
  await expect(client.purgeInstanceHistory('x')).rejects.toThrow('412');
  expect(await client.purgeInstanceHistory('never')).toMatchObject({ instancesDeleted: 0 });
});

test('purge by filter: four terminal states spare the running one, a date alone does not', async () => {
  await started('waits', 'x');
  await started('all', 'over');
  const createdTimeFrom = new Date(0);
  expect(await client.purgeInstanceHistoryBy({ createdTimeFrom, runtimeStatus: ['Completed', 'Terminated', 'Failed', 'Canceled'] })).toEqual({ instancesDeleted: 1 });
  expect(await client.purgeInstanceHistoryBy({ createdTimeFrom })).toEqual({ instancesDeleted: 1 });
  expect(await client.purgeInstanceHistoryBy({ createdTimeFrom })).toMatchObject({ instancesDeleted: 0 });
});

test('lists come in pages that the client puts together', async () => {
  for (let n = 0; n < 205; n += 1) await engine.startNew('waits', `i${n}`, null);
  await started('all', 'over');
  expect(await client.getStatusAll()).toHaveLength(206);
  expect(await client.getStatusBy({ runtimeStatus: ['Completed'] })).toMatchObject([{ instanceId: 'over' }]);
});

test('suspend and resume', async () => {
  await started('waits', 'x');
  await client.suspend('x', 'r');
  await clock.settle();
  expect(await client.getStatus('x')).toMatchObject({ runtimeStatus: 'Suspended' });
  await client.resume('x', 'r');
  await clock.settle();
  expect(await client.getStatus('x')).toMatchObject({ runtimeStatus: 'Running' });
});

test('what is not built says so', async () => {
  await started('all', 'over');
  await expect(client.rewind('over', 'r')).rejects.toThrow('does not support rewind');
  await expect(client.readEntityState({ name: 'counter', key: 'one' })).rejects.toThrow('does not support entities');
});

test('a body or a date that cannot be read is 400', async () => {
  expect((await fetch(`${base}orchestrators/waits/x`, { method: 'POST', body: '{' })).status).toBe(400);
  expect((await fetch(`${base}instances/?createdTimeFrom=soon`, { method: 'DELETE' })).status).toBe(400);
  expect(engine.instances()).toEqual([]);
});

test('a request that a browser sent is refused; without the secret path nothing is there', async () => {
  const list = `${base}instances/`;
  expect((await fetch(list)).status).toBe(200);
  expect((await fetch(list, { headers: { origin: 'http://127.0.0.1' } })).status).toBe(403);
  expect((await fetch(list, { headers: { 'sec-fetch-site': 'same-origin' } })).status).toBe(403);
  const { origin } = new URL(base);
  expect((await fetch(`${origin}/durabletask/instances/`)).status).toBe(404);
  expect((await fetch(`${origin}/${'x'.repeat(32)}/durabletask/instances/`)).status).toBe(404);
});
