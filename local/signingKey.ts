// The key that signs the local tenant's tokens. It outlives a restart, so that a login of az still counts after one; its public half leaves by JWKS only.
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose';

export type SigningKey = { readonly kid: string; readonly privateKey: KeyObject; readonly publicKey: KeyObject; readonly jwk: JWK };

const RSA_BITS = 2048;
const KEY_FILE = 'entra-signing-key.pem';

/** A new RS256 key, in memory only. */
export const createSigningKey = async (): Promise<SigningKey> => describe((await promisify(generateKeyPair)('rsa', { modulusLength: RSA_BITS })).privateKey);

/** The key of this data folder: DATA/entra-signing-key.pem, made with O_EXCL and mode 0600 at first start. */
export async function openSigningKey(dataDir: string): Promise<SigningKey> {
  const file = join(dataDir, KEY_FILE);
  if (existsSync(file)) return describe(createPrivateKey(readFileSync(file)));
  const key = await createSigningKey();
  writeFileSync(file, key.privateKey.export({ type: 'pkcs8', format: 'pem' }), { flag: 'wx', mode: 0o600 });
  return key;
}

async function describe(privateKey: KeyObject): Promise<SigningKey> {
  const publicKey = createPublicKey(privateKey);
  const bare = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(bare);
  return { kid, privateKey, publicKey, jwk: { ...bare, kid, use: 'sig', alg: 'RS256' } };
}
