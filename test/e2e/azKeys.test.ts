// `az keyvault key` of "How to use Managed HSM soft-delete with CLI", command by command in its real form, with the real az through the edge: exit codes, all printed fields, and the requests that it makes, each preceded by its own unauthenticated probe.
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AzRun, azOn, azVersion, findAz, testWithAz } from '../kit/az';
import { type RunningInstance, runInstance } from '../kit/instance';

const TENANT = '11111111-1111-4111-8111-111111111111';
const ADMINISTRATOR = '33333333-3333-4333-8333-333333333333';
const HOST = 'contosomhsm.managedhsm.azure.net';
const FIRST = '--hsm-name ContosoMHSM -n ContosoFirstKey';
const DAY_MS = 86_400_000;

/** What each az sends as api-version of keys; of others any is taken. */
const API_VERSIONS: Readonly<Record<string, string>> = { '2.74': '7.6-preview.2', '2.91': '7.6-preview.2' };
/** Debian's 2.45 lacks a library of its key commands. */
const BROKEN_VERSION = '2.45';

const path = findAz();
/** A first folder of az: making the index of its commands takes it seconds, so the instance's own begins with a copy. */
const firstFolder = mkdtempSync(join(tmpdir(), 'managed-hsm-test-'));
const version = path === undefined ? undefined : azVersion(path, { ...process.env, AZURE_CONFIG_DIR: firstFolder });
const told = (name: string, run: (az: string) => Promise<void>): void => {
  if (version !== BROKEN_VERSION) testWithAz(path, name, run);
  else {
    const why = `in az ${BROKEN_VERSION} the commands for keys fall over a missing library`;
    process.stderr.write(`skipped, for ${why}: ${name}\n`);
    test.skip(`${name} (${why})`, () => undefined);
  }
};
/** Up to 2.74 az prints attributes under their names on the wire, with seconds since the epoch; later it prints texts, and `expires` for `exp`. */
const PRINTS_SECONDS = version === '2.74';
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/;
const INSTANT = PRINTS_SECONDS ? expect.any(Number) : expect.stringMatching(ISO);
const EXPIRING = PRINTS_SECONDS ? { exp: Date.parse('2031-01-01T00:00:00Z') / 1000 } : { expires: '2031-01-01T00:00:00+00:00' };
jest.setTimeout(120_000);

let instance: RunningInstance;
let az: ReturnType<typeof azOn>;
const versions = new Set<string>();

beforeAll(async () => {
  if (path === undefined || version === BROKEN_VERSION) return;
  instance = await runInstance();
  cpSync(firstFolder, String(instance.sourced().AZURE_CONFIG_DIR), { recursive: true });
  const run = azOn(instance, path);
  az = async (command) => {
    const result = await run(command);
    for (const line of result.lines) if (line.includes(HOST)) versions.add(/[?&]api-version=([\w.-]+)/.exec(line)?.[1] ?? 'none');
    return result;
  };
  for (const command of [
    `login --service-principal -u owner -p any --tenant ${TENANT}`,
    'group create -n ContosoRG -l westus',
    `keyvault create --hsm-name ContosoMHSM -g ContosoRG -l westus --administrators ${ADMINISTRATOR} --retention-days 7`,
  ])
    expect(await az(command)).toMatchObject({ exit: 0 });
}, 60_000);
afterAll(async () => {
  await instance?.stop();
  rmSync(firstFolder, { recursive: true, force: true });
});

/** One request as a new process makes it: its probe without a token first. */
const probed = (method: string, at: string, status: number): readonly string[] => [`${method} ${HOST}${at} 401`, `${method} ${HOST}${at} ${status}`];

const attributes = (more: object = {}) => ({
  created: INSTANT,
  enabled: true,
  exportable: false,
  recoverableDays: 7,
  recoveryLevel: 'CustomizedRecoverable+Purgeable',
  updated: INSTANT,
  ...more,
});
const kid = (name: string) => `https://${HOST}/keys/${name}`;
const versioned = (name: string) => expect.stringMatching(new RegExp(`^${kid(name).replaceAll('.', '\\.')}/[0-9a-f]{32}$`));

/** An RSA key of 2048 bits, as az prints it: binary members in base64. */
const rsaKey = {
  e: 'AQAB',
  keyOps: ['wrapKey', 'decrypt', 'encrypt', 'unwrapKey', 'sign', 'verify'],
  kid: versioned('ContosoFirstKey'),
  kty: 'RSA-HSM',
  n: expect.stringMatching(/^[\w+/]{342}==$/),
};
const curveKey = {
  crv: 'P-256K',
  keyOps: ['sign', 'verify'],
  kid: versioned('ContosoCurve'),
  kty: 'EC-HSM',
  x: expect.stringMatching(/^[\w+/]{43}=$/),
  y: expect.stringMatching(/^[\w+/]{43}=$/),
};

type Printed = Readonly<Record<'key' | 'attributes', Readonly<Record<string, unknown>>>> & { readonly deletedDate: string };
const printed = ({ json }: AzRun): Printed => json as Printed;

/** What a deletion adds; the purge is 7 days after it, to the second. */
function deletion(shown: Printed) {
  expect(Math.abs(Date.parse(shown.deletedDate) - Date.now())).toBeLessThan(DAY_MS);
  return {
    deletedDate: expect.stringMatching(ISO),
    scheduledPurgeDate: new Date(Date.parse(shown.deletedDate) + 7 * DAY_MS).toISOString().replace('.000Z', '+00:00'),
    recoveryId: `https://${HOST}/deletedkeys/ContosoFirstKey`,
  };
}

/** The key as the last test left it. */
let current: Printed;

told('keys are created, soft type names too, and listed', async () => {
  const made = await az(`keyvault key create ${FIRST} --kty RSA-HSM --size 2048 --tags env=test`);
  const [probe = '', answered = ''] = probed('POST', '/keys/ContosoFirstKey/create', 200);
  expect(made).toMatchObject({ exit: 0, asked: [probe, 'POST login.microsoftonline.com/GUID/oauth2/v2.0/token 200', answered] });
  expect(made.json).toEqual({ attributes: attributes(), key: rsaKey, tags: { env: 'test' } });
  expect(printed(made).attributes.updated).toBe(printed(made).attributes.created);

  const curve = await az('keyvault key create --hsm-name ContosoMHSM -n ContosoCurve --kty EC --curve P-256K --ops sign verify');
  expect(curve).toMatchObject({ exit: 0, asked: probed('POST', '/keys/ContosoCurve/create', 200) });
  expect(curve.json).toEqual({ attributes: attributes(), key: curveKey });

  const listed = await az('keyvault key list --hsm-name ContosoMHSM');
  expect(listed).toMatchObject({ exit: 0, asked: probed('GET', '/keys', 200) });
  expect(listed.json).toEqual([
    { attributes: printed(curve).attributes, kid: kid('ContosoCurve'), name: 'ContosoCurve' },
    { attributes: printed(made).attributes, kid: kid('ContosoFirstKey'), name: 'ContosoFirstKey', tags: { env: 'test' } },
  ]);
  current = printed(made);
});

told('show has the latest version, list-versions all of them, and set-attributes changes the latest', async () => {
  const shown = await az(`keyvault key show ${FIRST}`);
  expect(shown).toMatchObject({ exit: 0, asked: probed('GET', '/keys/ContosoFirstKey/', 200) });
  expect(shown.json).toEqual(current);

  const second = await az(`keyvault key create ${FIRST} --protection hsm`);
  expect(second).toMatchObject({ exit: 0, asked: probed('POST', '/keys/ContosoFirstKey/create', 200) });
  expect(second.json).toEqual({ attributes: attributes(), key: rsaKey });
  const listed = await az(`keyvault key list-versions ${FIRST}`);
  expect(listed).toMatchObject({ exit: 0, asked: probed('GET', '/keys/ContosoFirstKey/versions', 200) });
  expect(listed.json).toEqual([
    { attributes: current.attributes, kid: current.key.kid, name: 'ContosoFirstKey', tags: { env: 'test' } },
    { attributes: printed(second).attributes, kid: printed(second).key.kid, name: 'ContosoFirstKey' },
  ]);

  const changed = await az(`keyvault key set-attributes ${FIRST} --enabled false --expires 2031-01-01T00:00:00Z --tags env=production`);
  expect(changed).toMatchObject({ exit: 0, asked: probed('PATCH', '/keys/ContosoFirstKey/', 200) });
  expect(changed.json).toEqual({
    attributes: attributes({ created: printed(second).attributes.created, enabled: false, ...EXPIRING }),
    key: printed(second).key,
    tags: { env: 'production' },
  });
  current = printed(changed);
});

told('a deleted key is gone, keeps its name, and is shown and listed with the date of its purge', async () => {
  const deleted = await az(`keyvault key delete ${FIRST}`);
  expect(deleted).toMatchObject({ exit: 0, asked: probed('DELETE', '/keys/ContosoFirstKey', 200) });
  expect(deleted.json).toEqual({ ...current, ...deletion(printed(deleted)) });

  const gone = await az(`keyvault key show ${FIRST}`);
  expect(gone).toMatchObject({ exit: 3, out: '', asked: probed('GET', '/keys/ContosoFirstKey/', 404) });
  expect(gone.err).toContain(`(KeyNotFound) Key not found: ${kid('ContosoFirstKey')} (Activity ID: `);
  const held = await az(`keyvault key create ${FIRST} --kty RSA-HSM`);
  expect(held).toMatchObject({ exit: 1, out: '', asked: probed('POST', '/keys/ContosoFirstKey/create', 409) });
  expect(held.err).toContain('(Conflict) Key ContosoFirstKey is currently in a deleted but recoverable state, and its name cannot be reused');

  const shown = await az(`keyvault key show-deleted ${FIRST}`);
  expect(shown).toMatchObject({ exit: 0, json: deleted.json, asked: probed('GET', '/deletedkeys/ContosoFirstKey', 200) });
  const listed = await az('keyvault key list-deleted --hsm-name ContosoMHSM');
  expect(listed).toMatchObject({ exit: 0, asked: probed('GET', '/deletedkeys', 200) });
  const { attributes: shownAttributes, ...rest } = current as Printed & { readonly tags: object };
  expect(listed.json).toEqual([{ attributes: shownAttributes, kid: kid('ContosoFirstKey'), name: 'ContosoFirstKey', tags: rest.tags, ...deletion(printed(deleted)) }]);
});

told('recovered, it is as it was; deleted again and purged, it is gone for good', async () => {
  const recovered = await az(`keyvault key recover ${FIRST}`);
  expect(recovered).toMatchObject({ exit: 0, asked: probed('POST', '/deletedkeys/ContosoFirstKey/recover', 200) });
  expect(recovered.json).toEqual(current);
  const unknown = { out: '', err: expect.stringContaining(`(KeyNotFound) Key not found: https://${HOST}/deletedkeys/ContosoFirstKey (Activity ID: `) };
  expect(await az(`keyvault key recover ${FIRST}`)).toMatchObject({ exit: 1, ...unknown, asked: probed('POST', '/deletedkeys/ContosoFirstKey/recover', 404) });

  const deleted = await az(`keyvault key delete ${FIRST}`);
  expect(deleted.json).toEqual({ ...current, ...deletion(printed(deleted)) });
  expect(await az(`keyvault key purge ${FIRST}`)).toMatchObject({ exit: 0, out: '', asked: probed('DELETE', '/deletedkeys/ContosoFirstKey', 204) });
  expect(await az(`keyvault key purge ${FIRST}`)).toMatchObject({ exit: 1, ...unknown, asked: probed('DELETE', '/deletedkeys/ContosoFirstKey', 404) });
  expect(await az(`keyvault key show-deleted ${FIRST}`)).toMatchObject({ exit: 1, ...unknown, asked: probed('GET', '/deletedkeys/ContosoFirstKey', 404) });
  expect(await az('keyvault key list-deleted --hsm-name ContosoMHSM')).toMatchObject({ exit: 0, json: [] });
});

told('every version is the one that this az is known to send', async () => {
  expect([...versions]).toEqual([API_VERSIONS[String(version)] ?? expect.stringMatching(/^\d/)]);
});
