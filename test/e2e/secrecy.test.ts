// What is kept secret: no private part, and no key above one, stands in any form in what Azurite, the host and its output leave behind; and after a purge nothing in the live tables opens what was purged.
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Azurite, startAzurite } from '../../local/azurite';
import { fileRootKey } from '../../shared/adapters/rootKey';
import type { HsmClient } from '../kit/hsmClient';
import { shown } from '../kit/keyTexts';
import { type Opened, openAsService, openByForce, type Rows, rootKeyIn, sealedVersions, unwrappedKeys } from '../kit/openedKeys';
import { deletedPath, groupPath, hsmPath, newHsm } from '../kit/resources';
import { filesIn, formsOf, type Needle, needlesOf, searchBytes, searchFolder } from '../kit/secretSearch';
import { type Service, type ServiceOptions, startService } from '../kit/service';
import { openStorage } from '../kit/storage';

jest.setTimeout(120_000); // a slow machine is no failure

/** One host over storage on disk, with its state and its root key in known places. */
async function startOnDisk(options: ServiceOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'managed-hsm-secrecy-'));
  const places = { azurite: join(folder, 'azurite'), state: join(folder, 'state'), rootKey: join(folder, 'root.key') };
  for (const place of [places.azurite, places.state]) await mkdir(place);
  const azurite = await startAzurite({ location: places.azurite });
  const started = await startService({
    ...options,
    localRoles: true,
    connectionString: azurite.connectionString,
    env: { HOST_STATE_DIR: places.state, ROOT_KEY_FILE: places.rootKey },
  });
  await started.as('owner').send('PUT', groupPath(), { location: 'westus' });
  return { folder, places, azurite, service: started };
}

const rowsOf = async ({ connectionString }: Azurite): Promise<Rows> => {
  const storage = openStorage(connectionString);
  return { hsms: await storage.rows('hsms'), keys: await storage.rows('keys') };
};
const hsmIn = async (service: Service, name: string): Promise<HsmClient> => {
  expect((await service.as('owner').finish('PUT', hsmPath(name), newHsm())).status).toBe(200);
  return service.hsm(name, 'owner');
};
const versionsOf = (opened: readonly Opened[]) => opened.map(({ version }) => version).sort();

describe('secret search', () => {
  let world: Awaited<ReturnType<typeof startOnDisk>>;
  let needles: readonly Needle[];
  let copy: Rows;
  let ids: { readonly deletion: string; readonly incarnation: string };

  beforeAll(async () => {
    // Clean-up is off: its messages stay in the queue.
    world = await startOnDisk({ disabled: ['cleanup'] });
    const { service, azurite, places } = world;
    const client = await hsmIn(service, 'searched');
    for (const body of [{ kty: 'RSA' }, { kty: 'EC', crv: 'P-256' }, { kty: 'EC', crv: 'P-521' }, { kty: 'EC', crv: 'P-256K' }, { kty: 'oct', key_size: 128 }, { kty: 'oct' }])
      for (const key of ['kept', 'deleted', 'purged']) expect((await client.create(key, body)).status).toBe(200);
    for (const key of ['deleted', 'purged']) await client.send('DELETE', `/keys/${key}`);
    for (const body of ['{"kty":"RSA"', '{"kty":"RSA","kty":"EC"}', '{"kty":"none"}']) await client.send('POST', '/keys/kept/create', body);
    copy = await rowsOf(azurite);
    const rootKey = await rootKeyIn(places.rootKey);
    const secrets = await openAsService(rootKey, copy);
    expect(versionsOf(secrets)).toEqual(
      sealedVersions(copy)
        .map(({ version }) => version)
        .sort(),
    );
    expect(secrets).toHaveLength(18);
    const { sealingKeys, dataKeys } = await unwrappedKeys(rootKey, copy);
    expect([sealingKeys.length, dataKeys.length]).toEqual([1, 3]);
    needles = [
      ...secrets.flatMap(({ version, kty, secret }) => needlesOf(`${kty} ${version}`, secret, kty)),
      ...[...sealingKeys, ...dataKeys].flatMap((key, n) => formsOf(key, `wrapped key ${n}`)),
      ...formsOf(readFileSync(places.rootKey).subarray(-32), 'root key'),
    ];
    expect(shown(await client.send('DELETE', '/deletedkeys/purged'))).toBe(204);
    const deleted = copy.keys.find(({ rowKey }) => rowKey === 'k!deleted');
    ids = { deletion: JSON.parse(String(deleted?.deletion_json)).deletionId, incarnation: String(deleted?.partitionKey) };
    await service.kill();
    await service.start(); // with all its functions: messages are worked off, timers go on
    await service.clock({ advance: 'P1D' });
    await service.as('owner').finish('DELETE', hsmPath('searched'));
    await service.kill();
    await service.start({ disabled: ['cleanup'] });
    await service.as('owner').finish('POST', `${deletedPath('searched')}/purge`);
  }, 120_000);
  afterAll(() => rm(world.folder, { recursive: true, force: true }));

  test('I2 no private part, and no key above one, in any form, in files, queue, state or output', async () => {
    const { service, azurite, places, folder } = world;
    const output = service.outputBytes();
    await service.stop();
    await azurite.stop();

    // The search looks where the service writes: its blobs, ids and messages are there, and the output is that of the host.
    const known = (text: string): readonly Needle[] => [{ of: 'known', form: 'text', bytes: Buffer.from(text) }];
    const current = JSON.parse(String(copy.keys.find(({ rowKey }) => rowKey === 'k!kept')?.current_json)).sealed;
    expect(searchFolder(places.azurite, known(current)).map(({ where }) => where)).toEqual([expect.stringContaining('azurite_db_table__')]);
    const message = Buffer.from(JSON.stringify({ hsm: 'searched', incarnation: ids.incarnation })).toString('base64');
    expect(searchFolder(places.azurite, known(message)).length).toBeGreaterThan(0);
    expect(searchFolder(places.state, known(ids.deletion)).length).toBeGreaterThan(0);
    expect(searchBytes('output', output, known('sweep: {'))).toHaveLength(1);
    expect(searchBytes('the root key file', readFileSync(places.rootKey), needles).map(({ of, form }) => `${of} ${form}`)).toContain('root key raw');

    await rm(places.rootKey);
    expect([...searchFolder(folder, needles), ...searchBytes('output', output, needles)]).toEqual([]);
  }, 60_000);

  test('the control: each form of each part, planted, is found, over the border of a chunk as well', async () => {
    const planted = join(world.folder, 'planted');
    await mkdir(planted);
    expect(new Set(needles.map(({ form }) => form)).size).toBe(27);
    const files = needles.map((needle, n) => ({ needle, file: join(planted, String(n)) }));
    // One of every kind for each part is enough of files; all are searched for.
    const chosen = files.filter(({ needle }, n) => files.findIndex((other) => other.needle.of === needle.of && other.needle.form === needle.form) === n);
    for (const { needle, file } of chosen) {
      const chunk = Buffer.alloc(65_536 - Math.floor(needle.bytes.length / 2), 0x2e);
      await writeFile(file, Buffer.concat([chunk, needle.bytes, chunk]));
      const found = searchBytes(
        file,
        readFileSync(file),
        needles.filter(({ of }) => of === needle.of),
      );
      expect(found.map(({ form }) => form)).toContain(needle.form);
    }
    expect(searchFolder(planted, needles.slice(0, 1)).map(({ where }) => where)).toContain(chosen[0]?.file);
    expect(filesIn(planted)).toHaveLength(chosen.length);
  }, 120_000);
});

describe('I2, I13 shredding: after a purge, with clean-up off', () => {
  let world: Awaited<ReturnType<typeof startOnDisk>>;
  let second: Service;

  beforeAll(async () => {
    world = await startOnDisk({ disabled: ['cleanup'] });
    second = await startService({
      connectionString: world.azurite.connectionString,
      localRoles: true,
      disabled: ['cleanup', 'sweep'],
      env: { ROOT_KEY_FILE: world.places.rootKey },
    });
  }, 120_000);
  afterAll(async () => {
    await Promise.all([world.service.stop(), second.stop()]);
    await world.azurite.stop();
    await rm(world.folder, { recursive: true, force: true });
  });

  const only = ({ hsms, keys }: Rows, hsm: string, incarnation: string): Rows => ({
    hsms: hsms.filter(({ partitionKey }) => partitionKey === hsm),
    keys: keys.filter(({ partitionKey }) => partitionKey === incarnation),
  });
  const advance = async (text: string) => {
    await world.service.clock({ advance: text });
    await second.clock({ advance: text });
  };
  const deleteHsm = async (name: string) => expect((await world.service.as('owner').finish('DELETE', hsmPath(name))).status).toBe(200);

  test.each([
    { name: 'key-by-hand', what: 'key', purge: async (client: HsmClient) => expect((await client.send('DELETE', '/deletedkeys/shredded')).status).toBe(204) },
    { name: 'key-at-deadline', what: 'key', purge: () => advance('P7DT2M') },
    {
      name: 'hsm-by-hand',
      what: 'hsm',
      purge: async ({ name }: HsmClient) => expect((await world.service.as('owner').finish('POST', `${deletedPath(name)}/purge`)).status).toBe(200),
    },
    { name: 'hsm-at-deadline', what: 'hsm', purge: () => advance('P7DT2M') },
  ])(
    '$name',
    async ({ name, what, purge }) => {
      const { azurite, service, places } = world;
      const client = await hsmIn(service, name);
      const cached = second.hsm(name, 'owner');
      for (const body of [{ kty: 'EC' }, { kty: 'oct' }, { kty: 'RSA' }]) for (const key of ['shredded', 'other']) expect((await client.create(key, body)).status).toBe(200);
      // The second host seals under both data keys: it holds them from now on.
      for (const key of ['shredded', 'other']) expect((await cached.create(key)).status).toBe(200);
      if (what === 'key') expect((await client.send('DELETE', '/keys/shredded')).status).toBe(200);
      else await deleteHsm(name);

      const rootKey = await rootKeyIn(places.rootKey);
      const before = await rowsOf(azurite);
      const incarnation = String(before.hsms.find(({ partitionKey, rowKey }) => partitionKey === name && rowKey === '!hsm')?.incarnation);
      const copy = only(before, name, incarnation);
      const wrapped = [...copy.hsms.map((row) => row.wrappedSealingKey), ...copy.keys.map((row) => row.wrappedDataKey)].filter((blob) => blob !== undefined).map(String);
      expect(wrapped).toHaveLength(3);
      await purge(client);

      const after = await rowsOf(azurite);
      const live = only(after, name, incarnation);
      // Clean-up is off: what was sealed is still there, and that is why it must not open.
      const isShredded = (version: ReturnType<typeof sealedVersions>[number]) =>
        what === 'hsm' || version.keyIncarnation === copy.keys.find(({ rowKey }) => rowKey === 'k!shredded')?.incarnation;
      expect(sealedVersions(live).filter(isShredded)).toHaveLength(what === 'hsm' ? 8 : 3);
      const others = sealedVersions(copy)
        .filter((version) => !isShredded(version))
        .map(({ version }) => version)
        .sort();
      expect(versionsOf(await openByForce(rootKey, live))).toEqual(others);
      expect(versionsOf(await openAsService(rootKey, live))).toEqual(others);
      // Not the copy either, with all that is live in any HSM.
      expect(versionsOf(await openByForce(rootKey, after, copy))).toEqual(others);
      const all = JSON.stringify(after);
      expect(wrapped.filter((blob) => all.includes(blob))).toHaveLength(2);

      // The control: the copy made before, with the root key, opens it; without it, or with another, it does not.
      const everything = sealedVersions(copy)
        .map(({ version }) => version)
        .sort();
      expect(everything).toHaveLength(8);
      expect(versionsOf(await openByForce(rootKey, copy))).toEqual(everything);
      expect(versionsOf(await openAsService(rootKey, copy))).toEqual(everything);
      const folder = await mkdtemp(join(world.folder, 'other-'));
      await fileRootKey(join(folder, 'root.key'), { isStoreEmpty: async () => true });
      expect(await openByForce(await rootKeyIn(join(folder, 'root.key')), copy)).toEqual([]);

      // The second host has the keys unwrapped, and refuses.
      const version = '0'.repeat(32);
      const answers = [];
      for (const [method, path, body] of [
        ['GET', '/keys/shredded'],
        ['GET', `/keys/shredded/${version}`],
        ['PATCH', '/keys/shredded', { tags: {} }],
        ['DELETE', '/keys/shredded'],
        ['GET', '/deletedkeys/shredded'],
        ['POST', '/deletedkeys/shredded/recover'],
        ['POST', '/keys/shredded/create', { kty: 'oct' }],
      ] as const)
        answers.push(shown(await cached.send(method, path, body)));
      expect(answers).toEqual(what === 'hsm' ? Array(7).fill('400 BadParameter') : [...Array(6).fill('404 KeyNotFound'), 200]);
      // What it made under the name is another key: nothing of it opens what was.
      expect(versionsOf(await openByForce(rootKey, await rowsOf(azurite), copy))).toEqual(others);
      if (what === 'key') expect((await cached.send('GET', '/keys/shredded/versions')).json.value).toHaveLength(1);
    },
    60_000,
  );
});
