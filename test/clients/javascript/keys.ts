// The keys' scenario with @azure/keyvault-keys, all arguments at their defaults. One line of JSON per step on standard output.
import { readFileSync } from 'node:fs';
import { ClientSecretCredential } from '@azure/identity';
import { type CreateKeyOptions, type DeletedKey, KeyClient, type KeyVaultKey } from '@azure/keyvault-keys';
import type { KeyStep, KeysScenario } from '../keysScenario';
import type { Outcome } from '../scenario';

const { hsm, steps } = JSON.parse(readFileSync(String(process.argv[2]), 'utf8')) as KeysScenario;
const newClient = () => new KeyClient(`https://${hsm}.managedhsm.azure.net`, new ClientSecretCredential(String(process.env.MHSM_TENANT), 'owner', 'any'));
const client = newClient();
/** All versions created, in order. */
const created: string[] = [];

const keyOf = ({ name, keyType, keyOperations, key, properties }: KeyVaultKey): Outcome => ({
  name,
  kty: keyType,
  crv: key?.crv,
  bits: key?.n && key.n.length * 8,
  ops: [...(keyOperations ?? [])].sort(),
  enabled: properties.enabled,
  expires: properties.expiresOn && properties.expiresOn.getTime() / 1000,
  recoveryLevel: properties.recoveryLevel,
  recoverableDays: properties.recoverableDays,
  tags: properties.tags,
  version: properties.version,
});

const deletedOf = (key: DeletedKey): Outcome => ({
  ...keyOf(key),
  recoveryId: key.properties.recoveryId,
  deletedAt: key.properties.deletedOn,
  purgeAt: key.properties.scheduledPurgeDate,
});

async function all<T>(list: AsyncIterable<T>, shown: (one: T) => unknown): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  for await (const one of list) found.push(shown(one));
  return found;
}

const optionsOf = ({ ops, enabled, expires, tags }: KeyStep): CreateKeyOptions => ({
  ...(ops && { keyOps: [...ops] }),
  ...(enabled !== undefined && { enabled }),
  ...(expires !== undefined && { expiresOn: new Date(expires * 1000) }),
  ...(tags && { tags: { ...tags } }),
});

const versionOf = ({ version }: KeyStep): string | undefined => (version === undefined ? undefined : created[version - 1]);

const calls: Readonly<Record<KeyStep['do'], (name: string, step: KeyStep) => Promise<Outcome>>> = {
  async create(name, step) {
    const { kty = '', size, crv } = step;
    const key = await client.createKey(name, kty, { ...optionsOf(step), ...(size !== undefined && { keySize: size }), ...(crv !== undefined && { curve: crv }) });
    created.push(String(key.properties.version));
    return keyOf(key);
  },
  async update(name, step) {
    const version = versionOf(step);
    return keyOf(await (version === undefined ? client.updateKeyProperties(name, optionsOf(step)) : client.updateKeyProperties(name, version, optionsOf(step))));
  },
  async get(name, step) {
    const version = versionOf(step);
    return keyOf(await client.getKey(name, version === undefined ? {} : { version }));
  },
  versions: async (name) => ({ versions: await all(client.listPropertiesOfKeyVersions(name), ({ version }) => version) }),
  list: async () => ({ names: await all(client.listPropertiesOfKeys(), ({ name }) => name) }),
  listDeleted: async () => ({ names: await all(client.listDeletedKeys(), ({ name }) => name) }),
  getDeleted: async (name) => deletedOf(await client.getDeletedKey(name)),
  async delete(name, { resumed }) {
    const poller = await client.beginDeleteKey(name);
    return deletedOf(await (resumed ? await newClient().beginDeleteKey(name, { resumeFrom: poller.toString() }) : poller).pollUntilDone());
  },
  async recover(name, { resumed }) {
    const poller = await client.beginRecoverDeletedKey(name);
    return keyOf(await (resumed ? await newClient().beginRecoverDeletedKey(name, { resumeFrom: poller.toString() }) : poller).pollUntilDone());
  },
  async purge(name) {
    await client.purgeDeletedKey(name);
    return {};
  },
};

async function outcomeOf(step: KeyStep): Promise<Outcome> {
  try {
    return await calls[step.do](step.key ?? '', step);
  } catch (error) {
    const { statusCode, code } = error as { readonly statusCode?: number; readonly code?: string };
    if (statusCode === undefined) throw error;
    return { status: statusCode, code };
  }
}

async function main(): Promise<void> {
  for (const step of steps) console.log(JSON.stringify(await outcomeOf(step)));
}

void main();
