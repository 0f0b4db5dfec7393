// `npm start` from the outside: what it says when it cannot start, that nothing is left running then, and that a stop loses nothing.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

jest.setTimeout(120_000); // a slow machine is no failure

const START = resolve(__dirname, '../../dist/local/start.js');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'managed-hsm-start-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Runs it to its end; told to stop, by a signal, as soon as it is ready. */
function run(flags: readonly string[], signal: NodeJS.Signals = 'SIGTERM', before: readonly string[] = []): Promise<Ended> {
  const child = spawn(process.execPath, [...before, START, ...flags], { cwd: resolve(__dirname, '../..') });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    const wasReady = stdout.includes('is ready');
    stdout += chunk.toString();
    if (!wasReady && stdout.includes('is ready')) child.kill(signal);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  return new Promise((settle) => child.once('close', (code) => settle({ code, stdout, stderr })));
}

const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '' && !line.includes('Warning'));

test('a port in use is one clear line and exit 1; with a free one it starts', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => taken.once('listening', listening));
  const port = (taken.address() as { port: number }).port;
  const refused = await run(['--data', join(folder, 'a'), '--port', String(port)]);
  expect([refused.code, lines(refused.stderr)]).toEqual([1, ['The port is in use. Give another one with --port, or stop what listens there.']]);
  taken.close();
  expect(await run(['--data', join(folder, 'a'), '--port', '0'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Managed HSM is ready') });
});

test('a folder with files of others is one clear line and exit 1; an empty one is taken', async () => {
  writeFileSync(join(folder, 'theirs.txt'), 'x');
  const refused = await run(['--data', folder, '--port', '0']);
  expect([refused.code, lines(refused.stderr)]).toEqual([1, [`${folder} holds files that are not ours. Give an empty folder with --data.`]]);
  expect(readFileSync(join(folder, 'theirs.txt'), 'utf8')).toBe('x');
  rmSync(join(folder, 'theirs.txt'));
  expect((await run(['--data', folder, '--port', '0'])).code).toBe(0);
});

test.each<[string, readonly string[], RegExp]>([
  ['a port that is none', ['--port', '70000'], /--port must be a number from 0 to 65535, not "70000"/],
  ['an instant that is none', ['--clock', 'tomorrow'], /--clock must be an instant such as 2027-01-01T00:00:00Z, not "tomorrow"/],
  ['an unknown flag', ['--ports', '1'], /--ports/],
])('%s: exit 1 before anything starts', async (_, flags, line) => {
  const { code, stdout, stderr } = await run(['--data', folder, ...flags]);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(line);
});

test('a Node that is not supported is one clear line and exit 1', async () => {
  const other = join(folder, 'other.cjs');
  writeFileSync(other, "Object.defineProperty(process.versions, 'node', { value: '18.20.0' });");
  const { code, stderr } = await run(['--data', join(folder, 'a'), '--port', '0'], 'SIGTERM', ['--require', other]);
  expect([code, lines(stderr)]).toEqual([1, ['Node 18.20.0 is not supported. Take 20.20 or later, up to 24.']]);
});

test.each<NodeJS.Signals>(['SIGINT', 'SIGTERM'])('%s stops everything and loses nothing: the clock goes on where it stood', async (signal) => {
  const began = await run(['--data', folder, '--port', '0', '--clock', '2031-01-01T00:00:00Z'], signal);
  expect(began).toMatchObject({ code: 0, stdout: expect.stringContaining('Stopping; nothing is lost.') });
  const back = await run(['--data', folder, '--port', '0', '--clock', '2030-01-01T00:00:00Z']);
  expect([back.code, lines(back.stderr)[0]]).toEqual([1, expect.stringMatching(/^The clock already stands at 2031-01-01T00:0\d:\d\d\.\d+Z and only moves forward\.$/)]);
});
