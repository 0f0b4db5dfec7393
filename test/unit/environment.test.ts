// env.sh and env.ps1: what a shell says after it, whatever it said before, and that no path or token can break out of its quotes.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EnvironmentOptions, writeEnvironment } from '../../local/environment';

const TENANT = '11111111-1111-4111-8111-111111111111';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'environment-'))));
afterEach(() => rmSync(root, { recursive: true }));

const optionsFor = (dataDir: string): EnvironmentOptions => ({
  edgePort: 8443,
  tenantId: TENANT,
  subscriptionId: '33333333-3333-4333-8333-333333333333',
  authorityFile: join(dataDir, 'ca.pem'),
  bundleFile: join(dataDir, 'ca-bundle.pem'),
  clockUrl: 'http://127.0.0.1:4000/clock',
  clockToken: 'secret',
  ports: { functions: 7071 },
});

/** Every variable of a shell in which env.sh was sourced. */
function sourced(shell: string, dataDir: string, before: Record<string, string>): ReadonlyMap<string, string> {
  const output = execFileSync(shell, ['-ec', '. "$FILE"; env -0'], {
    env: { PATH: process.env.PATH, FILE: join(dataDir, 'env.sh'), ...before },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Map(
    output
      .split('\0')
      .filter(Boolean)
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

test.each(['bash', 'sh'])('%s of a company, after env.sh, points at us and at nothing else', (shell) => {
  writeEnvironment(root, optionsFor(root));
  const before = {
    https_proxy: 'http://proxy.corp:8080',
    HTTPS_PROXY: 'http://proxy.corp:8080',
    http_proxy: 'http://proxy.corp:8080',
    no_proxy: '.azure.net',
    NO_PROXY: '.azure.com',
    ALL_PROXY: 'socks5://proxy.corp',
    all_proxy: 'socks5://proxy.corp',
    AZURE_CONFIG_DIR: '/home/me/.azure',
  };
  const after = sourced(shell, root, before);
  for (const name of ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy']) expect(after.get(name)).toBe('http://127.0.0.1:8443');
  for (const name of ['NO_PROXY', 'no_proxy']) expect(after.get(name)).toBe('localhost,127.0.0.1,::1');
  for (const name of ['ALL_PROXY', 'all_proxy']) expect(after.has(name)).toBe(false);
  for (const name of ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE']) expect(after.get(name)).toBe(join(root, 'ca-bundle.pem'));
  expect(after.get('NODE_EXTRA_CA_CERTS')).toBe(join(root, 'ca.pem'));
  expect(after.get('AZURE_CONFIG_DIR')).toBe(join(root, 'azure'));
  expect([...after].join('\n')).not.toContain('corp');
  expect(Object.fromEntries(after)).toMatchObject({
    MHSM_TENANT: TENANT,
    MHSM_SUBSCRIPTION: '33333333-3333-4333-8333-333333333333',
    MHSM_EDGE_PORT: '8443',
    MHSM_FUNCTIONS_PORT: '7071',
    MHSM_CLOCK_URL: 'http://127.0.0.1:4000/clock',
    MHSM_CLOCK_TOKEN: 'secret',
  });
});

test.each(["it's", 'a b', '$(touch owned)', '`touch owned`', 'a"b', 'a\\b', 'a\nb', 'ümlaut ’ ‘', '-n', '!x'])('a folder named %j is a folder, not a command', (name) => {
  const dataDir = join(root, name);
  mkdirSync(dataDir);
  writeEnvironment(dataDir, optionsFor(dataDir));
  expect(sourced('bash', dataDir, {}).get('SSL_CERT_FILE')).toBe(join(dataDir, 'ca-bundle.pem'));
  expect(existsSync('owned')).toBe(false);
});

test('a relative data folder is written down whole', () => {
  const before = process.cwd();
  process.chdir(root);
  try {
    writeEnvironment('.', optionsFor('.'));
  } finally {
    process.chdir(before);
  }
  const after = sourced('bash', root, {});
  for (const name of ['AZURE_CONFIG_DIR', 'SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS']) expect(after.get(name)?.startsWith('/')).toBe(true);
});

test('both files, and the folder of az, are their owner’s alone', () => {
  writeEnvironment(root, optionsFor(root));
  for (const name of ['env.sh', 'env.ps1']) expect(statSync(join(root, name)).mode & 0o777).toBe(0o600);
  expect(statSync(join(root, 'azure')).mode & 0o777).toBe(0o700);
});

test('env.ps1 says the same, and doubles every quote that PowerShell knows', () => {
  writeEnvironment(root, { ...optionsFor(root), bundleFile: join(root, "it's ’b‘.pem") });
  const script = readFileSync(join(root, 'env.ps1'), 'utf8');
  expect(script).toContain(`$env:SSL_CERT_FILE = '${root}/it''s ’’b‘‘.pem'`);
  expect(script).toContain('Remove-Item Env:ALL_PROXY -ErrorAction SilentlyContinue');
  const names = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1]);
  expect(names(script, /^(?:\$env:|Remove-Item Env:)(\w+)/gm)).toEqual(names(readFileSync(join(root, 'env.sh'), 'utf8'), /^(?:export |unset )(\w+)/gm));
});
