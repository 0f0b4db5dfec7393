// `npm run demo` as a user runs it: every step is shown and held against what it should bring.
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';

const DEMO = resolve(__dirname, '..', '..', 'dist/local/demo.js');

const STEPS = [
  'create',
  'delete: it is gone',
  'and is listed as deleted',
  'its name cannot be taken',
  'recover: it is back, as it was',
  'and no longer among the deleted',
  'delete it again',
  'it has 7 days from now',
];

type Shown = { readonly exit: number; readonly out: string; readonly err: string };

const demo = (words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Shown> =>
  new Promise((settle) => {
    execFile(process.execPath, [DEMO, ...words], { env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined, ...env } }, (error, out, err) => {
      settle({ exit: error === null ? 0 : Number(error.code), out, err });
    });
  });

/** `✓ title`, without what the step showed. */
const stepsOf = (out: string): readonly string[] =>
  out
    .split('\n')
    .filter((line) => /^[✓✗]/.test(line))
    .map((line) => line.split(/ {3,}/)[0]?.slice(0, 36).trim() ?? '');

jest.setTimeout(60_000);

test('an HSM is created, deleted, recovered, deleted again, and purged by its timer when the clock has advanced', async () => {
  const { exit, out, err } = await demo([]);
  expect([exit, err]).toEqual([0, '']);
  expect(stepsOf(out)).toEqual([...STEPS, 'advance the clock by P7DT2S', 'nothing is left to recover', 'its name is free', 'purged by its timer'].map((title) => `✓ ${title}`));
  const [, deletedAt = '', purgeAt = ''] = /deleted (\S+), purge scheduled (\S+)\n/.exec(out) ?? [];
  expect(Date.parse(purgeAt) - Date.parse(deletedAt)).toBe(7 * 86_400_000);
});

test('a step that shows something else fails the demo: a day too few, and the HSM is still there to recover', async () => {
  const { exit, out } = await demo(['--advance', 'P6D']);
  expect(exit).toBe(1);
  expect(stepsOf(out)).toEqual([...STEPS.map((title) => `✓ ${title}`), '✓ advance the clock by P6D', '✗ nothing is left to recover']);
  expect(out).toContain('it showed  ContosoMHSM:7\n    it should  nothing');
});

test('what the clock refuses fails the demo', async () => {
  expect(await demo(['--advance', 'a week'])).toMatchObject({ exit: 1, err: expect.stringContaining('is no duration like P7D') });
});

test('it is coloured where the terminal can, and only there', async () => {
  const [coloured, plain] = await Promise.all([demo([], { NO_COLOR: undefined, FORCE_COLOR: '1' }), demo([])]);
  expect(coloured.out).toContain('\u001b[32m✓');
  expect(plain.out).not.toContain('\u001b[');
});
