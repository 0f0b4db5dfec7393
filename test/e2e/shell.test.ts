// A shell of a company: a proxy and exceptions of its own, in both cases. After `. env.sh` every request of az and of Python reaches the instance and none the company's proxy; nothing leaves loopback.
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findAz, runAz, testWithAz } from '../kit/az';
import { type RunningInstance, runInstance } from '../kit/instance';

const TENANT = '11111111-1111-4111-8111-111111111111';
const SUBSCRIPTION = '22222222-2222-4222-8222-222222222222';
jest.setTimeout(120_000);

let dataDir: string;
let instance: RunningInstance;
let corporate: Server;
let corporateConnections = 0;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "shell it's "));
  corporate = createServer((socket) => {
    corporateConnections += 1;
    socket.on('error', () => undefined).destroy();
  }).listen(0, '127.0.0.1');
  instance = await runInstance({ dataDir });
}, 60_000);
afterAll(async () => {
  await instance?.stop();
  corporate.close();
  rmSync(dataDir, { recursive: true, force: true });
});
beforeEach(async () => {
  corporateConnections = 0;
  await instance.requests();
});

/** What such a shell has before anything is sourced. */
function corporateShell(): NodeJS.ProcessEnv {
  const proxy = `http://127.0.0.1:${(corporate.address() as AddressInfo).port}`;
  const names = ['https_proxy', 'http_proxy', 'all_proxy'].flatMap((name) => [name, name.toUpperCase()]);
  const exceptions = '.azure.net,.managedhsm.azure.net,localhost';
  return { ...process.env, ...Object.fromEntries(names.map((name) => [name, proxy])), no_proxy: exceptions, NO_PROXY: exceptions };
}

type Ran = { readonly exit: number; readonly out: string; readonly err: string };

const run = (program: string, words: readonly string[], env: NodeJS.ProcessEnv): Promise<Ran> =>
  new Promise((settle) => {
    execFile(program, [...words], { env, timeout: 60_000 }, (error, out, err) => settle({ exit: error === null ? 0 : Number(error.code), out, err }));
  });

/** Asks for each address given and prints its status, or `refused` where no answer came. */
const ASK: Readonly<Record<string, string>> = {
  urllib: `
import sys, urllib.error, urllib.request
for address in sys.argv[1:]:
    try:
        print(urllib.request.urlopen(address, timeout=20).status)
    except urllib.error.HTTPError as error:
        print(error.code)
    except OSError:
        print('refused')
`,
  requests: `
import sys, requests
for address in sys.argv[1:]:
    try:
        print(requests.get(address, timeout=20).status_code)
    except requests.RequestException:
        print('refused')
`,
};

/** Each Python of this machine with each library that it has: urllib comes with Python, requests does not. */
const pythons = ['python3', '/usr/bin/python3'].flatMap((python) =>
  Object.keys(ASK)
    .filter((library) => spawnSync(python, ['-c', `import ${library}`]).status === 0)
    .map((library) => ({ python, library })),
);
if (!pythons.some(({ library }) => library === 'requests')) test.skip('after env.sh, requests of Python by requests reach the instance (no Python here has it)', () => undefined);

const ARM = `https://management.azure.com/subscriptions/${SUBSCRIPTION}?api-version=2022-12-01`;
const DISCOVERY = `https://login.microsoftonline.com/${TENANT}/v2.0/.well-known/openid-configuration`;
const KEYS = 'https://contoso.managedhsm.azure.net/keys?api-version=7.4';

test.each(pythons)(
  'after env.sh, requests of $python by $library reach the instance, those that the company excepts too, and other names are refused',
  async ({ python, library }) => {
    const { out } = await run(python, ['-c', String(ASK[library]), ARM, DISCOVERY, KEYS, 'https://example.com/', 'http://example.com/'], instance.sourced(corporateShell()));
    const [arm, discovery, keys, ...others] = out.trim().split('\n');
    expect([arm, discovery, others]).toEqual(['401', '200', ['refused', '400']]);
    expect(await instance.requests()).toEqual([
      'CONNECT https://management.azure.com 200',
      `GET ${ARM} 401`,
      'CONNECT https://login.microsoftonline.com 200',
      `GET ${DISCOVERY} 200`,
      'CONNECT https://contoso.managedhsm.azure.net 200',
      `GET ${KEYS} ${keys}`,
      'CONNECT https://example.com:443 502',
    ]);
    expect(corporateConnections).toBe(0);
  },
);

test('before env.sh, the same shell asks the company: the listener counts', async () => {
  const { out } = await run('python3', ['-c', String(ASK.urllib), ARM], corporateShell());
  expect(out.trim()).toBe('refused');
  expect(corporateConnections).toBeGreaterThan(0);
  expect(await instance.requests()).toEqual([]);
});

testWithAz(findAz(), 'after env.sh, requests of az reach the instance, and none the company', async (az) => {
  const env = instance.sourced(corporateShell());
  expect(await runAz(az, env, ['login', '--service-principal', '-u', 'owner', '-p', 'any', '--tenant', TENANT])).toMatchObject({ exit: 0 });
  expect(await runAz(az, env, ['keyvault', 'list-deleted', '--resource-type', 'hsm'])).toMatchObject({ exit: 0, json: [] });
  const served = (await instance.requests()).filter((line) => !line.startsWith('CONNECT '));
  expect(served.map((line) => line.replace(/\?\S*/, ''))).toEqual([
    `GET ${DISCOVERY} 200`,
    `POST https://login.microsoftonline.com/${TENANT}/oauth2/v2.0/token 200`,
    'GET https://management.azure.com/subscriptions 200',
    `GET https://management.azure.com/subscriptions/${SUBSCRIPTION}/providers/Microsoft.KeyVault/deletedManagedHSMs 200`,
  ]);
  expect(corporateConnections).toBe(0);
});
