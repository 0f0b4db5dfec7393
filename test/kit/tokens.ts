// Tokens for tests: a good one for any principal, and forged ones that differ from it in exactly what a table says. Signed by hand, since a library refuses to make most forgeries.
import { createHmac, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { accessClaims, type Tenant } from '../../local/entraTokens';
import { findApplication, type Identity } from '../../local/principals';
import { createSigningKey, type SigningKey } from '../../local/signingKey';

/** The application id of az itself, which asks in the name of users. */
export const AZ_CLIENT_ID = '04b07795-8ddb-461a-bbee-02f9e1bf7b46';

export type MintOptions = {
  /** `owner`, `officer`, …: a name of the directory. */
  readonly principal: string;
  readonly kind?: Identity['kind'];
  readonly audience: string;
  /** Seconds since the epoch at which it was issued; the wall clock's by default. */
  readonly now?: number;
  /** Claims to set; `undefined` takes a claim away. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Header members to set; `undefined` takes one away. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** The key that signs instead of the tenant's own; the header still names the tenant's. */
  readonly key?: KeyObject;
  /** `HS256` is keyed with the public key's PEM: the confusion attack. `none` has an empty signature. */
  readonly alg?: 'RS256' | 'RS384' | 'PS256' | 'HS256' | 'ES256' | 'none';
};

/** A token of the tenant; with nothing but principal and audience a good one. */
export function mintToken(tenant: Tenant, signingKey: SigningKey, options: MintOptions): string {
  const principal = findApplication(tenant.directory, options.principal);
  if (!principal) throw new Error(`no principal ${options.principal}`);
  const identity: Identity = { kind: options.kind ?? 'application', principal };
  const clientId = identity.kind === 'user' ? AZ_CLIENT_ID : principal.clientId;
  const alg = options.alg ?? 'RS256';
  const claims = { ...accessClaims(tenant, identity, clientId, options.audience, options.now ?? Math.floor(Date.now() / 1000)), ...options.claims };
  const header = { typ: 'JWT', alg, kid: signingKey.kid, ...options.header };
  const input = `${encoded(header)}.${encoded(claims)}`;
  return `${input}.${signature(alg, Buffer.from(input), options.key ?? signingKey.privateKey).toString('base64url')}`;
}

let shared: Promise<SigningKey> | undefined;

/** One key for all tests of a file: making one takes a while. */
export const testSigningKey = (): Promise<SigningKey> => (shared ??= createSigningKey());

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function signature(alg: NonNullable<MintOptions['alg']>, input: Buffer, key: KeyObject): Buffer {
  switch (alg) {
    case 'none':
      return Buffer.alloc(0);
    case 'HS256':
      return createHmac('sha256', createPublicKey(key).export({ type: 'spki', format: 'pem' }))
        .update(input)
        .digest();
    case 'RS256':
      return sign('sha256', input, key);
    case 'RS384':
      return sign('sha384', input, key);
    case 'PS256':
      return sign('sha256', input, { key, padding: 6 /* RSA_PKCS1_PSS_PADDING */, saltLength: 32 });
    case 'ES256':
      return sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' });
  }
}
