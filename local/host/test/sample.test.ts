/** The sample app on the host, with Azurite: queue, timer and Durable functions on one clock, hooks, time-outs, failures, restarts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { QueueServiceClient } from '@azure/storage-queue';
import { type Child, startChild } from './child';

jest.setTimeout(30_000); // each test starts processes

const KEY = Buffer.from('a key of these tests only').toString('base64');

let azurite: ChildProcess;
let storage: string;
let folder: string;
const children: Child[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'functions-host-'));
  const script = require.resolve('azurite/dist/src/queue/main.js');
  const flags = ['--inMemoryPersistence', '--skipApiVersionCheck', '--disableTelemetry', '--queueHost', '127.0.0.1', '--queuePort', '0'];
  azurite = spawn(process.execPath, [script, ...flags], { env: { ...process.env, AZURITE_ACCOUNTS: `sample:${KEY}` } });
  const address = await new Promise<string>((resolve) => {
    azurite.stdout?.on('data', (chunk) => {
      const found = /listen\w* (?:on|at) (http:\/\/127\.0\.0\.1:\d+)/.exec(String(chunk));
      if (found?.[1]) resolve(found[1]);
    });
  });
  storage = `DefaultEndpointsProtocol=http;AccountName=sample;AccountKey=${KEY};QueueEndpoint=${address}/sample;`;
}, 30_000);

afterEach(async () => {
  for (const child of children.splice(0)) if (child.process.exitCode === null && child.process.signalCode === null) await child.stop();
});
afterAll(() => {
  azurite?.kill();
  rmSync(folder, { recursive: true, force: true });
});

let queues = 0;
const start = async (options: Readonly<Record<string, unknown>> = {}, queue?: string): Promise<Child> => {
  queues += 1;
  const settings = { AzureWebJobsStorage: storage, ORDERS_QUEUE: queue ?? `orders${queues}` };
  const child = await startChild(
    { appRoot: join(__dirname, '../sample'), offsetVariable: 'SAMPLE_CLOCK_OFFSET_MS', clockAt: Date.parse('2027-01-01T00:30:00Z'), ...options },
    settings,
  );
  children.push(child);
  return child;
};

const url = (child: Child, path: string) => `http://127.0.0.1:${child.port}/${path}`;
const post = (child: Child, path: string, body: unknown = {}) => fetch(url(child, path), { method: 'POST', body: JSON.stringify(body) });

async function clock(child: Child, command: object): Promise<{ readonly now: string; readonly offsetMs: number }> {
  const answer = await fetch(child.clockUrl, { method: 'POST', body: JSON.stringify(command), headers: { 'content-type': 'application/json', 'x-clock-token': child.clockToken } });
  expect(answer.status).toBe(200);
  return (await answer.json()) as { now: string; offsetMs: number };
}

type Entry = { readonly kind: string; readonly detail: unknown; readonly at: string };
const journal = async (child: Child, kind: string) => ((await (await fetch(url(child, 'journal'))).json()) as Entry[]).filter((entry) => entry.kind === kind);

test('an order put on a queue by an output is worked off before the clock answers', async () => {
  const child = await start();
  expect((await post(child, 'orders', { number: 1 })).status).toBe(202);
  await clock(child, { advance: 'PT0S' });
  expect(await journal(child, 'order')).toMatchObject([{ detail: { order: { number: 1 }, dequeueCount: 1 } }]);
});

test('an array on a queue output is one message for each member', async () => {
  const child = await start();
  await post(child, 'orders', [{ number: 1 }, { number: 2 }]);
  await clock(child, { advance: 'PT0S' });
  expect((await journal(child, 'order')).map(({ detail }) => (detail as { order: unknown }).order)).toEqual(expect.arrayContaining([{ number: 1 }, { number: 2 }]));
});

test('a message that fails maxDequeueCount times goes to the poison queue, and so does one that is not base64', async () => {
  const queue = QueueServiceClient.fromConnectionString(storage);
  const child = await start({}, 'failing-orders');
  await post(child, 'orders', { number: 1, fails: true });
  await clock(child, { advance: 'PT0S' });
  expect((await journal(child, 'order')).map(({ detail }) => (detail as { dequeueCount: number }).dequeueCount)).toEqual([1, 2, 3]);
  await queue.getQueueClient('failing-orders').sendMessage('not base64!');
  await clock(child, { advance: 'PT0S' });
  const { receivedMessageItems } = await queue.getQueueClient('failing-orders-poison').receiveMessages({ numberOfMessages: 10 });
  expect(receivedMessageItems.map(({ messageText }) => messageText)).toEqual([Buffer.from('{"number":1,"fails":true}').toString('base64'), 'not base64!']);
  expect((await queue.getQueueClient('failing-orders').getProperties()).approximateMessagesCount).toBe(0);
});

test('a timer trigger fires once within an advance, at the last of its instants, past due', async () => {
  const child = await start();
  await clock(child, { set: '2027-01-01T05:10:00Z' });
  const reports = await journal(child, 'report');
  expect(reports).toMatchObject([{ detail: { isPastDue: true, scheduleStatus: { next: '2027-01-01T01:00:00.000+00:00' } } }]);
  expect(reports[0]?.at).toMatch(/^2027-01-01T05:00:0/);
});

test('a timer trigger makes good what passed while the host was away', async () => {
  const stateDir = join(folder, 'away');
  await (await start({ stateDir })).stop();
  const later = await start({ stateDir, clockAt: Date.parse('2027-01-02T00:00:00Z') });
  await clock(later, { advance: 'PT0S' });
  expect(await journal(later, 'report')).toMatchObject([{ detail: { isPastDue: true } }]);
});

test('a Durable timer waits on the clock of the host, and survives kill -9', async () => {
  const stateDir = join(folder, 'killed');
  const first = await start({ stateDir });
  expect((await post(first, 'reminders/r1', { text: 'tea', at: '2027-01-05T00:00:00Z' })).status).toBe(202);
  await clock(first, { set: '2027-01-04T00:00:00Z' });
  expect(await journal(first, 'reminder')).toEqual([]);
  first.process.kill('SIGKILL');
  const second = await start({ stateDir, clockAt: undefined });
  expect(Date.parse((await clock(second, { show: true })).now)).toBeGreaterThanOrEqual(Date.parse('2027-01-04T00:00:00Z'));
  await clock(second, { advance: 'P2D' });
  expect(await journal(second, 'reminder')).toMatchObject([{ detail: 'tea' }]);
  expect(await (await fetch(url(second, 'reminders/r1'))).json()).toMatchObject({ runtimeStatus: 'Completed' });
});

test('hooks run around invocations, and a log hook changes what the app says', async () => {
  const child = await start();
  expect(await (await fetch(url(child, 'slow/1'))).text()).toBe('done');
  expect((await journal(child, 'hook')).map(({ detail }) => detail)).toEqual(['appStart', { before: true, failed: false }]);
  await child.stop();
  expect(child.output()).toContain('appTerminate ran');
});

test('a function over its time-out answers 500 and is listed as one that cannot be killed', async () => {
  const child = await start({ functionTimeoutSeconds: 0.2 });
  expect((await fetch(url(child, 'slow/100000000'))).status).toBe(500);
  expect((await fetch(url(child, 'slow/1'))).status).toBe(200);
  expect(child.output()).toContain('exceeded by function slow');
});

test('stopping lets a request in flight finish', async () => {
  const child = await start();
  const answer = fetch(url(child, 'slow/400'));
  await fetch(url(child, 'journal'));
  await child.stop();
  expect(await (await answer).text()).toBe('done');
});

test('the third unhandled rejection stops the host, the second does not', async () => {
  const child = await start();
  await post(child, 'forget');
  await post(child, 'forget');
  expect((await fetch(url(child, 'journal'))).status).toBe(200);
  await post(child, 'forget');
  expect(await child.stoppedItself).toContain('3 unhandled failures');
  await expect(fetch(url(child, 'journal'))).rejects.toThrow();
});

test('a function that is switched off has no route', async () => {
  const child = await start({ disabledFunctions: ['slow'] });
  expect((await fetch(url(child, 'slow/1'))).status).toBe(404);
  expect((await fetch(url(child, 'journal'))).status).toBe(200);
});
