// `npm run reset` as a user runs it: what it removes, and what it leaves alone. Each refusal stands beside the reset that differs in one thing and is done.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type RunningInstance, runInstance } from '../kit/instance';

const ROOT = resolve(__dirname, '..', '..');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "reset it's "));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** @param typed what a user types; input then ends */
async function reset(words: readonly string[], typed = ''): Promise<{ readonly exit: number | null; readonly printed: string }> {
  const child: ChildProcess = spawn(process.execPath, [join(ROOT, 'dist/local/reset.js'), ...words], { stdio: ['pipe', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  child.stdin?.end(typed);
  const exit = await new Promise<number | null>((settle) => child.once('close', settle));
  return { exit, printed };
}

const mark = (): void => writeFileSync(join(folder, 'managed-hsm.json'), '{"format":1}\n');

test.each([
  ['y\n', true],
  ['Yes\n', true],
  ['n\n', false],
  ['\n', false],
  ['', false],
])('it asks, and %j removes the folder: %s', async (typed, removes) => {
  mark();
  const { exit, printed } = await reset(['--data', folder], typed);
  expect([exit, existsSync(folder)]).toEqual(removes ? [0, false] : [1, true]);
  expect(printed).toContain(`Remove ${folder} with every HSM in it?`);
  expect(printed).toContain(removes ? `${folder} is removed.` : 'Nothing was removed.');
});

test('with --yes it does not ask', async () => {
  mark();
  expect(await reset(['--data', folder, '--yes'])).toEqual({ exit: 0, printed: `${folder} is removed.\n` });
  expect(existsSync(folder)).toBe(false);
});

test('a folder that no instance made is left alone, whatever is answered', async () => {
  writeFileSync(join(folder, 'thesis.txt'), 'words');
  expect(await reset(['--data', folder, '--yes'], 'y\n')).toMatchObject({ exit: 1, printed: expect.stringContaining('is no data folder of an instance') });
  expect(readdirSync(folder)).toEqual(['thesis.txt']);
});

test('a folder that is not there needs no reset', async () => {
  expect(await reset(['--data', join(folder, 'none')])).toMatchObject({ exit: 0, printed: expect.stringContaining('nothing to remove') });
});

test('an unknown word prints the usage', async () => {
  expect(await reset(['--date', folder])).toMatchObject({ exit: 1, printed: expect.stringContaining('npm run reset -- [--data DIR] [--yes]') });
});

test('the folder of a running instance is left alone, and removed when it has stopped', async () => {
  const instance: RunningInstance = await runInstance({ dataDir: folder });
  try {
    expect(await reset(['--data', folder, '--yes'])).toMatchObject({ exit: 1, printed: expect.stringContaining('An instance runs on') });
    expect(existsSync(join(folder, 'env.sh'))).toBe(true);
  } finally {
    await instance.stop();
  }
  expect(await reset(['--data', folder, '--yes'])).toMatchObject({ exit: 0 });
  expect(existsSync(folder)).toBe(false);
}, 60_000);
