// One way to encrypt at rest: AES-256-GCM over a secret and the facts that it is bound to, as a text that names its format. Which key, and which facts,
// is for sealing and root keys to say.
import { type CipherKey, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

export const KEY_BYTES = 32;
const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
/** Always stated: without it Node accepts tags of 4 bytes. */
const TAG = { authTagLength: 16 } as const;
/** What one text property of a table row holds. */
const BLOB_CHARACTERS_MAX = 32 * 1024;

/** Facts in a fixed order, each format its own. */
export type Facts = readonly (string | boolean | null)[];

/**
 * A secret encrypted under a nonce of its own.
 * @returns `{format}.{base64url of nonce, ciphertext and tag}`
 * @throws Error for a secret that is empty or too large to be stored
 */
export function encrypted(key: CipherKey, format: string, facts: Facts, secret: Buffer): string {
  if (secret.length === 0) throw new Error('seal: nothing to seal');
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, TAG).setAAD(associatedData(format, facts));
  const bytes = Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  const blob = `${format}.${bytes.toString('base64url')}`;
  if (blob.length > BLOB_CHARACTERS_MAX) throw new Error('seal: too large');
  return blob;
}

/** The secret, if key, format and every fact are those of its encryption. @throws Error('seal: cannot open'), whatever the reason */
export function decrypted(key: CipherKey, format: string, facts: Facts, blob: string): Buffer {
  const bytes = bytesOf(format, blob);
  if (!bytes || bytes.length <= NONCE_BYTES + TAG.authTagLength) throw cannotOpen();
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES), TAG).setAAD(associatedData(format, facts));
  decipher.setAuthTag(bytes.subarray(-TAG.authTagLength));
  const secret = decipher.update(bytes.subarray(NONCE_BYTES, -TAG.authTagLength));
  try {
    decipher.final();
    return secret;
  } catch {
    secret.fill(0);
    throw cannotOpen();
  }
}

export const cannotOpen = () => new Error('seal: cannot open');

/** JSON keeps the borders between facts, so that no two lists of facts make one text. */
const associatedData = (format: string, facts: Facts): Buffer => Buffer.from(JSON.stringify([format, ...facts]));

/** One text for one run of bytes: Buffer alone would skip characters that are no base64url. */
function bytesOf(format: string, blob: string): Buffer | undefined {
  if (blob.length > BLOB_CHARACTERS_MAX || !blob.startsWith(`${format}.`)) return undefined;
  const text = blob.slice(format.length + 1);
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
