/** What starts and what does not: each refusal is one clear error, and each has a twin that starts. Apps are written for the moment. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { globPattern } from '../appFiles';
import { parseTimeSpan, readHostJson } from '../settings';
import { type Child, startChild } from './child';

jest.setTimeout(30_000); // each test starts processes

let folder: string;
const children: Child[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'functions-host-start-'));
  symlinkSync(join(__dirname, '../../../node_modules'), join(folder, 'node_modules'));
});
afterEach(async () => {
  for (const child of children.splice(0)) await child.stop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let apps = 0;
function app(code: string, files: Readonly<Record<string, string>> = {}): string {
  apps += 1;
  const root = join(folder, `app${apps}`);
  const all = {
    'package.json': '{"main":"app.js"}',
    'host.json': '{"version":"2.0","extensions":{"http":{"routePrefix":""}}}',
    'app.js': `const { app, input, output } = require('@azure/functions');\n${code}`,
    ...files,
  };
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

async function start(appRoot: string, options: object = {}, environment: Readonly<Record<string, string>> = {}): Promise<Child> {
  const child = await startChild({ appRoot, ...options }, environment);
  children.push(child);
  return child;
}

const HELLO = `app.http('hello', { handler: async () => ({ body: 'hello' }) });`;
const get = async (child: Child, path: string) => {
  const answer = await fetch(`http://127.0.0.1:${child.port}/${path}`);
  return `${answer.status} ${await answer.text()}`;
};

const refused: readonly (readonly [name: string, code: string, message: RegExp])[] = [
  ['a blob trigger', `app.storageBlob('b', { path: 'x/{n}', connection: 'S', handler: async () => {} });`, /function "b".*blobTrigger.*not supported/],
  ['a service bus trigger', `app.serviceBusQueue('s', { queueName: 'q', connection: 'S', handler: async () => {} });`, /function "s".*serviceBusTrigger.*not supported/],
  ['an entity', `require('durable-functions').app.entity('e', () => {});`, /function "e".*entityTrigger.*not supported/],
  [
    'a blob input',
    `app.http('h', { extraInputs: [input.storageBlob({ path: 'a/b', connection: 'S' })], handler: async () => ({}) });`,
    /function "h".*blob.*\(in\).*not supported/,
  ],
  [
    'a table output',
    `app.http('h', { extraOutputs: [output.table({ tableName: 't', connection: 'S' })], handler: async () => ({}) });`,
    /function "h".*table.*\(out\).*not supported/,
  ],
  [
    'a retry policy',
    `app.timer('t', { schedule: '0 0 * * * *', retry: { strategy: 'fixedDelay', maxRetryCount: 1, delayInterval: 5 }, handler: async () => {} });`,
    /function "t".*retry/,
  ],
  ['a schedule that is none', `app.timer('t', { schedule: 'hourly', handler: async () => {} });`, /function "t".*"hourly"/],
  ['a setting that is missing', `app.timer('t', { schedule: '%MISSING%', handler: async () => {} });`, /function "t".*MISSING/],
  ['a queue without a connection', `app.storageQueue('q', { queueName: 'queue', connection: 'MISSING_STORAGE', handler: async () => {} });`, /function "q".*MISSING_STORAGE/],
  ['HTTP streams', `app.setup({ enableHttpStream: true });`, /enableHttpStream/],
  ['two functions of one name', `app.http('HELLO', { handler: async () => ({}) });`, /"HELLO" is already registered/],
  ['an entry point that throws', `throw new Error('out of order');`, /app\.js.*out of order/],
  ['an appStart hook that throws', `app.hook.appStart(() => { throw new Error('not ready'); });`, /not ready/],
];

test.each(refused)('%s is refused by name', async (_, code, message) => {
  await expect(start(app(`${HELLO}\n${code}`))).rejects.toThrow(message);
});

test('their twin without any of these starts', async () => {
  const child = await start(app(HELLO));
  expect(child.functions).toEqual(['hello']);
  expect(await get(child, 'hello')).toBe('200 hello');
});

test('a port in use is said so, and the same app starts on another', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  const root = app(HELLO);
  await expect(start(root, { port })).rejects.toThrow(`Port ${port} of 127.0.0.1 is in use.`);
  await new Promise((resolve) => void other.close(resolve));
  expect((await start(root, { port })).port).toBe(port);
});

test('an app that is not built, and a folder that is none, are said so', async () => {
  await expect(start(app(HELLO, { 'package.json': '{"main":"dist/*.js"}' }))).rejects.toThrow(/dist\/\*\.js.*no such file/);
  await expect(start(join(folder, 'nowhere'))).rejects.toThrow(/host\.json/);
});

test('routes that the real host refuses are left out, by name', async () => {
  const route = (name: string, path: string) => `app.http('${name}', { route: '${path}', handler: async () => ({ body: '${name}' }) });`;
  const child = await start(app([route('b', 'same'), route('a', 'same'), route('c', 'admin/x'), route('d', 'x/{y:odd}')].join('\n')));
  expect(child.functions).toEqual(['a']);
  expect(child.refused.map(({ name }) => name)).toEqual(['b', 'c', 'd']);
  expect(await get(child, 'same')).toBe('200 a');
});

test('main may be a glob, local.settings.json fills the environment without overwriting it, the prefix is api by default', async () => {
  const show = `require('@azure/functions').app.http('show', { handler: async () => ({ body: process.env.GIVEN + process.env.FILLED }) });`;
  const files = {
    'package.json': '{"main":"dist/{more,functions/*}.js"}',
    'dist/functions/show.js': show,
    'host.json': '{"version":"2.0"}',
    'local.settings.json': '{"IsEncrypted":false,"Values":{"GIVEN":"file","FILLED":"file"}}',
  };
  const child = await start(app('', files), {}, { GIVEN: 'outside ' });
  expect(await get(child, 'api/show')).toBe('200 outside file');
});

test('over maxConcurrentRequests and maxOutstandingRequests: 429, empty', async () => {
  const code = `app.http('wait', { handler: () => new Promise((resolve) => setTimeout(() => resolve({ body: 'done' }), 300)) });`;
  const child = await start(app(code, { 'host.json': '{"version":"2.0","extensions":{"http":{"routePrefix":"","maxConcurrentRequests":1,"maxOutstandingRequests":1}}}' }));
  expect((await Promise.all([get(child, 'wait'), get(child, 'wait'), get(child, 'wait')])).sort()).toEqual(['200 done', '200 done', '429 ']);
});

test('the clock never goes back behind what was kept', async () => {
  const root = app(HELLO);
  const stateDir = join(folder, 'clock');
  await (await start(root, { stateDir, clockAt: Date.parse('2030-01-02T00:00:00Z') })).stop();
  await expect(start(root, { stateDir, clockAt: Date.parse('2030-01-01T00:00:00Z') })).rejects.toThrow(/only moves forward/);
  expect((await start(root, { stateDir, clockAt: Date.parse('2030-01-03T00:00:00Z') })).functions).toEqual(['hello']);
});

test('host.json is overridden by the environment, and what is wrong in it is named', async () => {
  const root = app('', { 'host.json': '{"version":"2.0","extensions":{"queues":{"batchSize":4}}}' });
  const read = (environment: NodeJS.ProcessEnv) => readHostJson(root, environment);
  expect(await read({ AzureFunctionsJobHost__extensions__http__RoutePrefix: 'v1/' })).toMatchObject({
    http: { routePrefix: 'v1' },
    queues: { batchSize: 4, newBatchThreshold: 2 },
  });
  await expect(read({ AzureFunctionsJobHost__functionTimeout: 'soon' })).rejects.toThrow(/functionTimeout/);
  await expect(read({ AzureFunctionsJobHost__extensions__queues__batchSize: 'many' })).rejects.toThrow(/batchSize/);
});

test.each([
  ['00:00:02', 2000],
  ['1.02:03:04', 93_784_000],
  ['00:00:00.25', 250],
  ['-1', -1000],
])('the time span %s', (text, ms) => expect(parseTimeSpan(text, 'here')).toBe(ms));

test.each([
  ['dist/functions/*.js', 'dist/functions/a.js', true],
  ['dist/functions/*.js', 'dist/functions/b/a.js', false],
  ['dist/**/*.js', 'dist/a.js', true],
  ['dist/{index.js,functions/*.js}', 'dist/functions/a.js', true],
  ['./dist/*.js', 'dist/a.js', true],
  ['dist/*.js', 'dist/aXjs', false],
])('%s against %s: %s', (glob, path, matches) => expect(globPattern(glob).test(path)).toBe(matches));
