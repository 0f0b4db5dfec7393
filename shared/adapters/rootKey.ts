// The root key, above all others: what it wraps does not open without it. In development it stands in a file of its own, made once, for a store that is
// still empty, and never replaced.
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { constants, link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { cannotOpen, decrypted, encrypted, KEY_BYTES } from './aesGcm';

export type RootKey = {
  /** Stands in every blob that this key wraps. Says nothing of the key. */
  readonly id: string;
  /** @param aad what the blob is bound to */
  wrap(secret: Buffer, aad: Buffer): Promise<string>;
  /** The caller owns the bytes, and clears them. @throws Error for a blob of another root key, a changed one, and another `aad` */
  unwrap(blob: string, aad: Buffer): Promise<Buffer>;
};

const FORMAT = 'root-1';
const FILE_MARK = Buffer.from('mhsm root key 1\n');
const ID_BYTES = 16;
const FILE_BYTES = FILE_MARK.length + ID_BYTES + KEY_BYTES;
const OWNER_ONLY = 0o600;
const OTHERS = 0o077;

/**
 * The root key in the file at `path`; made there if neither the file nor a row in the store exists. For development only.
 * @throws Error saying why, with the path: the file is missing while rows exist, is open to other users, is no whole root key, or cannot be read or made
 */
export async function fileRootKey(path: string, options: { isStoreEmpty(): Promise<boolean> }): Promise<RootKey> {
  const found = await keyIn(path);
  if (found) return found;
  if (!(await options.isStoreEmpty())) throw failed(path, 'missing while the store has rows; without it no key in them can be opened');
  await makeFile(path);
  // Read again: if another process was first, its key is the one.
  const made = await keyIn(path);
  if (!made) throw failed(path, 'gone as soon as it was made');
  return made;
}

/** @returns undefined if there is no such file */
async function keyIn(path: string): Promise<RootKey | undefined> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw failed(path, `cannot be read (${codeOf(error)})`);
  });
  if (!file) return undefined;
  const bytes = Buffer.alloc(FILE_BYTES + 1);
  try {
    const status = await file.stat();
    if (!status.isFile()) throw failed(path, 'not a file');
    if (process.platform !== 'win32' && (status.mode & OTHERS) !== 0) throw failed(path, `open to other users (mode ${(status.mode & 0o777).toString(8)}); it must be 600`);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return keyOf(path, bytes.subarray(0, bytesRead));
  } finally {
    bytes.fill(0);
    await file.close();
  }
}

function keyOf(path: string, bytes: Buffer): RootKey {
  const id = bytes.subarray(FILE_MARK.length, FILE_MARK.length + ID_BYTES);
  const key = bytes.subarray(FILE_MARK.length + ID_BYTES);
  // The id is made from the key, so that a damaged file is found here and not, later, at every key that does not open.
  if (bytes.length !== FILE_BYTES || !bytes.subarray(0, FILE_MARK.length).equals(FILE_MARK) || !id.equals(idOf(key))) throw failed(path, 'damaged, or no root key');
  return rootKeyOf(id.toString('hex'), key);
}

function rootKeyOf(id: string, bytes: Buffer): RootKey {
  const key = createSecretKey(bytes);
  const format = `${FORMAT}.${id}`;
  const facts = (aad: Buffer) => [aad.toString('base64url')];
  return {
    id,
    wrap: async (secret, aad) => encrypted(key, format, facts(aad), secret),
    unwrap: async (blob, aad) => {
      if (!blob.startsWith(`${format}.`)) throw cannotOpen();
      return decrypted(key, format, facts(aad), blob);
    },
  };
}

const idOf = (key: Buffer): Buffer => createHmac('sha256', key).update('id of a root key').digest().subarray(0, ID_BYTES);

/** Written whole under a name of its own, then linked: the file appears complete, or not at all, and never takes the place of another. */
async function makeFile(path: string): Promise<void> {
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  const key = randomBytes(KEY_BYTES);
  const bytes = Buffer.concat([FILE_MARK, idOf(key), key]);
  try {
    const file = await open(draft, 'wx', OWNER_ONLY);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(draft, path);
    await syncFolder(dirname(path));
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw failed(path, `cannot be made (${codeOf(error)})`);
  } finally {
    bytes.fill(0);
    key.fill(0);
    await rm(draft, { force: true });
  }
}

/** Before rows are stored that need the key: a power cut must not take the file's name. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const failed = (path: string, reason: string) => new Error(`root key: the file ${path} is ${reason}`);

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? 'unknown';
