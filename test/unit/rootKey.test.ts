// The development root key: made once for an empty store, refused in every doubtful case, and bound to what it wraps.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileRootKey } from '../../shared/adapters/rootKey';

const folder = mkdtempSync(join(tmpdir(), 'root-key-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const empty = { isStoreEmpty: async () => true };
const withRows = { isStoreEmpty: async () => false };
const aad = Buffer.from('facts');
const secret = Buffer.from('0123456789abcdef0123456789abcdef');

let count = 0;
const newPath = (): string => join(folder, `${++count}.key`);
const madeFile = async (): Promise<string> => {
  const path = newPath();
  await fileRootKey(path, empty);
  return path;
};
const endOf = (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => 'accepted',
    (error: Error) => error.message.replaceAll(folder, ''),
  );

test('the file is made for an empty store, for its owner alone, and nothing else is left beside it', async () => {
  const path = join(folder, 'alone', 'root.key');
  mkdirSync(join(folder, 'alone'));
  const made = await fileRootKey(path, empty);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(folder, 'alone'))).toEqual(['root.key']);
  expect(made.id).toMatch(/^[0-9a-f]{32}$/);
});

test('made once, it is the same key ever after, whether or not the store has rows', async () => {
  const path = await madeFile();
  const blob = await (await fileRootKey(path, empty)).wrap(secret, aad);
  for (const store of [empty, withRows]) expect(await (await fileRootKey(path, store)).unwrap(blob, aad)).toEqual(secret);
});

test('missing while rows exist: refused, and none is made; the same for an empty store is accepted', async () => {
  const path = newPath();
  expect(await endOf(fileRootKey(path, withRows))).toContain('missing while the store has rows');
  expect(existsSync(path)).toBe(false);
  expect(await endOf(fileRootKey(path, empty))).toBe('accepted');
});

test('a store that cannot be asked makes no key', async () => {
  const path = newPath();
  expect(await endOf(fileRootKey(path, { isStoreEmpty: () => Promise.reject(new Error('no storage')) }))).toBe('no storage');
  expect(existsSync(path)).toBe(false);
});

test.each([
  [0o600, 'accepted'],
  [0o400, 'accepted'],
  [0o640, 'open to other users (mode 640)'],
  [0o604, 'open to other users (mode 604)'],
  [0o620, 'open to other users (mode 620)'],
  [0o777, 'open to other users (mode 777)'],
])('mode %o: %s', async (mode, end) => {
  const path = await madeFile();
  chmodSync(path, mode);
  expect(await endOf(fileRootKey(path, withRows))).toContain(end);
});

const damages: readonly [how: string, damage: (bytes: Buffer) => Buffer][] = [
  ['empty', () => Buffer.alloc(0)],
  ['truncated by a byte', (bytes) => bytes.subarray(0, -1)],
  ['cut in half', (bytes) => bytes.subarray(0, bytes.length / 2)],
  ['longer by a byte', (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])],
  ['of another kind', (bytes) => Buffer.from(`x${bytes.toString('latin1').slice(1)}`, 'latin1')],
  ['all zero', (bytes) => Buffer.alloc(bytes.length)],
];

test.each(damages)('a file that is %s is refused and left as it is; whole, it is accepted', async (_, damage) => {
  const path = await madeFile();
  const whole = readFileSync(path);
  const damaged = damage(whole);
  writeFileSync(path, damaged);
  for (const store of [empty, withRows]) expect(await endOf(fileRootKey(path, store))).toContain('damaged, or no root key');
  expect(readFileSync(path)).toEqual(damaged);
  writeFileSync(path, whole);
  expect(await endOf(fileRootKey(path, withRows))).toBe('accepted');
});

test('one changed bit anywhere in the file is found', async () => {
  const path = await madeFile();
  const whole = readFileSync(path);
  for (let place = 0; place < whole.length; place += 1) {
    const changed = Buffer.from(whole);
    changed[place] = (changed[place] as number) ^ 1;
    writeFileSync(path, changed);
    expect(await endOf(fileRootKey(path, withRows))).toContain('damaged, or no root key');
  }
});

test('what is no file is refused; a link to a root key is accepted', async () => {
  expect(await endOf(fileRootKey(folder, withRows))).toContain('not a file');
  const link = newPath();
  symlinkSync(await madeFile(), link);
  expect(await endOf(fileRootKey(link, withRows))).toBe('accepted');
});

test('a file that cannot be made is refused', async () => {
  expect(await endOf(fileRootKey(join(folder, 'nowhere', 'root.key'), empty))).toContain('cannot be made (ENOENT)');
});

/** Runs the sources in a process of its own, which makes the root key when it is told to, and answers with its id. */
async function otherProcess(path: string) {
  const program = `
    require.extensions['.ts'] = (module, file) => module._compile(require('@swc/core').transformFileSync(file, { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } }).code, file);
    const { fileRootKey } = require(${JSON.stringify(join(__dirname, '../../shared/adapters/rootKey.ts'))});
    const isStoreEmpty = () => new Promise((resolve) => { process.stdin.once('data', () => { process.stdin.destroy(); resolve(true); }); console.log('asked'); });
    fileRootKey(${JSON.stringify(path)}, { isStoreEmpty }).then((key) => console.log(key.id));
  `;
  const child = spawn(process.execPath, ['-e', program], { cwd: join(__dirname, '../..'), stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async (): Promise<string> => (await lines.next()).value ?? '';
  const exited = once(child, 'exit');
  expect(await line()).toBe('asked');
  return {
    async makeKey(): Promise<string> {
      child.stdin.write('go\n');
      const id = await line();
      await exited;
      return id;
    },
  };
}

test('two processes that both found an empty store and no file end with one key', async () => {
  const path = newPath();
  const processes = await Promise.all([otherProcess(path), otherProcess(path)]);
  expect(existsSync(path)).toBe(false);
  const ids = await Promise.all(processes.map((process) => process.makeKey()));
  const { id } = await fileRootKey(path, withRows);
  expect(ids).toEqual([id, id]);
  expect(readdirSync(folder).filter((name) => name.startsWith(`${count}.key`))).toEqual([`${count}.key`]);
}, 60_000);

test('a file that another process made since is taken, not replaced', async () => {
  const path = newPath();
  let others = '';
  const isStoreEmpty = async () => {
    others = (await fileRootKey(path, empty)).id;
    return true;
  };
  expect((await fileRootKey(path, { isStoreEmpty })).id).toBe(others);
  expect((await fileRootKey(path, withRows)).id).toBe(others);
});

test('of many in one process as well', async () => {
  const path = newPath();
  let asked = 0;
  let go: () => void = () => {};
  const allAsked = new Promise<void>((resolve) => {
    go = resolve;
  });
  const isStoreEmpty = async () => {
    asked += 1;
    if (asked === 8) go();
    await allAsked;
    return true;
  };
  const keys = await Promise.all(Array.from({ length: 8 }, () => fileRootKey(path, { isStoreEmpty })));
  expect(new Set(keys.map(({ id }) => id)).size).toBe(1);
});

test('every wrapped blob names its root key, and hides the secret', async () => {
  const key = await fileRootKey(newPath(), empty);
  const blobs = [await key.wrap(secret, aad), await key.wrap(secret, aad)];
  expect(blobs[0]).not.toBe(blobs[1]);
  for (const blob of blobs) {
    expect(blob.split('.').slice(0, 2)).toEqual(['root-1', key.id]);
    expect(Buffer.from(blob.split('.')[2] as string, 'base64url').includes(secret.subarray(0, 4))).toBe(false);
  }
});

test('a blob opens under its own root key and facts only', async () => {
  const [key, other] = [await fileRootKey(newPath(), empty), await fileRootKey(newPath(), empty)];
  const blob = await key.wrap(secret, aad);
  expect(await key.unwrap(blob, aad)).toEqual(secret);
  expect(await endOf(key.unwrap(blob, Buffer.from('fact')))).toBe('seal: cannot open');
  expect(await endOf(key.unwrap(blob, Buffer.alloc(0)))).toBe('seal: cannot open');
  expect(await endOf(other.unwrap(blob, aad))).toBe('seal: cannot open');
  // Renamed to the other's id, it is still not the other's.
  expect(await endOf(other.unwrap(blob.replace(key.id, other.id), aad))).toBe('seal: cannot open');
  expect(await endOf(key.unwrap('', aad))).toBe('seal: cannot open');
  expect(await endOf(key.unwrap(`root-1.${key.id}.`, aad))).toBe('seal: cannot open');
});
