// The edge's certificates, as OpenSSL judges them: what the authority may sign, what is on disk, and when all is made anew.
import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority, type LeafName, openCertificates } from '../../local/certificates';

const DAY_MS = 86_400_000;
const NOW = Date.now();

let dataDir: string;
beforeEach(() => (dataDir = mkdtempSync(join(tmpdir(), 'certificates-'))));
afterEach(() => {
  delete process.env.SSL_CERT_FILE;
  rmSync(dataDir, { recursive: true });
});

const openssl = (...args: string[]): { readonly ok: boolean; readonly output: string } => {
  try {
    return { ok: true, output: execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }) };
  } catch (failure) {
    const { stdout, stderr } = failure as { stdout: string; stderr: string };
    return { ok: false, output: stdout + stderr };
  }
};
const write = (name: string, content: string): string => {
  writeFileSync(join(dataDir, name), content);
  return join(dataDir, name);
};
const authorities = (pem: string): readonly string[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).filter((block) => new X509Certificate(block).subject === 'CN=Local Managed HSM authority');

describe('the authority', () => {
  test('OpenSSL accepts its leaf for each emulated name, strictly, and for no other', async () => {
    const { authorityFile } = await openCertificates(dataDir);
    const verify = (name: string) => openssl('verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', authorityFile, '-verify_hostname', name, join(dataDir, 'edge.pem'));
    for (const name of ['management.azure.com', 'login.microsoftonline.com', 'graph.microsoft.com', 'contoso.managedhsm.azure.net'])
      expect(verify(name)).toMatchObject({ ok: true });
    for (const name of ['managedhsm.azure.net', 'a.b.managedhsm.azure.net', 'contoso.vault.azure.net', 'azure.com']) expect(verify(name).output).toMatch(/hostname mismatch/i);
  });

  test('it says so in critical extensions: no authority below it, these names only, no address', async () => {
    const { authorityFile } = await openCertificates(dataDir);
    const { output } = openssl('x509', '-in', authorityFile, '-noout', '-text');
    expect(output).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(output).toMatch(/Key Usage: critical\s+Certificate Sign\s/);
    const constraints = /Name Constraints: critical\s+Permitted:\s+([\s\S]*?)Excluded:\s+([\s\S]*?)X509v3/.exec(output);
    expect(constraints?.[1]?.trim().split(/\s+/).sort()).toEqual([
      'DNS:graph.microsoft.com',
      'DNS:login.microsoftonline.com',
      'DNS:managedhsm.azure.net',
      'DNS:management.azure.com',
    ]);
    expect(constraints?.[2]?.trim().split(/\n\s*/)).toEqual(['IP:0.0.0.0/0.0.0.0', 'IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0']);
  });

  const names = (...values: string[]): LeafName[] => values.map((value) => ({ type: /^[\d.]+$|:/.test(value) ? 'ip' : 'dns', value }));
  test.each([
    ['another host', names('example.com'), /permitted subtree violation/],
    ['a host of the same domain', names('portal.azure.com'), /permitted subtree violation/],
    ['a name that ends alike', names('evilmanagedhsm.azure.net'), /permitted subtree violation/],
    ['an emulated name and another', names('management.azure.com', 'example.com'), /permitted subtree violation/],
    ['an IPv4 address', names('127.0.0.1'), /excluded subtree violation/],
    ['an IPv6 address', names('::1'), /excluded subtree violation/],
  ])('a leaf that it signed for %s is refused by OpenSSL; the same for an emulated name is not', async (_what, leafNames, complaint) => {
    const authority = await createAuthority(NOW);
    const authorityFile = write('authority.pem', authority.pem);
    const verify = async (asked: readonly LeafName[]) => openssl('verify', '-CAfile', authorityFile, write('leaf.pem', (await authority.issue(asked)).pem));
    expect(await verify(names('management.azure.com'))).toMatchObject({ ok: true });
    const refused = await verify(leafNames);
    expect(refused.ok).toBe(false);
    expect(refused.output).toMatch(complaint);
  });

  test('the leaf can sign no certificate that a client takes', async () => {
    const { authorityFile } = await openCertificates(dataDir);
    const [leaf, key, below, request] = [join(dataDir, 'edge.pem'), join(dataDir, 'edge-key.pem'), join(dataDir, 'below.pem'), join(dataDir, 'request.pem')];
    expect(openssl('req', '-new', '-key', key, '-subj', '/CN=management.azure.com', '-out', request).ok).toBe(true);
    expect(openssl('x509', '-req', '-in', request, '-CA', leaf, '-CAkey', key, '-set_serial', '1', '-days', '1', '-out', below).ok).toBe(true);
    const refused = openssl('verify', '-CAfile', authorityFile, '-untrusted', leaf, below);
    expect(refused).toMatchObject({ ok: false, output: expect.stringMatching(/invalid CA certificate/i) });
  });
});

describe('the data folder', () => {
  test('holds one private key, the leaf’s, for its owner only; the authority’s is nowhere', async () => {
    const { authorityFile, leafKey } = await openCertificates(dataDir);
    expect(readdirSync(dataDir).sort()).toEqual(['ca-bundle.pem', 'ca.pem', 'edge-key.pem', 'edge.pem']);
    expect(statSync(join(dataDir, 'edge-key.pem')).mode & 0o777).toBe(0o600);
    const holders = readdirSync(dataDir).filter((name) => /PRIVATE KEY/.test(readFileSync(join(dataDir, name), 'utf8')));
    expect(holders).toEqual(['edge-key.pem']);
    expect(leafKey.match(/BEGIN/g)).toHaveLength(1);
    expect(new X509Certificate(readFileSync(authorityFile)).checkPrivateKey(createPrivateKey(leafKey))).toBe(false);
    expect(new X509Certificate(readFileSync(join(dataDir, 'edge.pem'))).checkPrivateKey(createPrivateKey(leafKey))).toBe(true);
  });

  test('the bundle is the system’s and ours, and ours stands in it once, however often it is made', async () => {
    const first = await openCertificates(dataDir);
    process.env.SSL_CERT_FILE = first.bundleFile; // a shell in which another instance's env.sh was sourced
    const second = await openCertificates(dataDir);
    const bundle = readFileSync(second.bundleFile, 'utf8');
    expect(authorities(bundle)).toEqual([readFileSync(second.authorityFile, 'utf8').trim()]);
    expect((bundle.match(/BEGIN CERTIFICATE/g) ?? []).length).toBeGreaterThan(1);
  });

  test('a corporate authority of SSL_CERT_FILE is in the bundle', async () => {
    expect(
      openssl(
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-subj',
        '/CN=Corporate',
        '-keyout',
        join(dataDir, 'k'),
        '-out',
        join(dataDir, 'corporate.pem'),
      ).ok,
    ).toBe(true);
    process.env.SSL_CERT_FILE = join(dataDir, 'corporate.pem');
    const { bundleFile } = await openCertificates(dataDir);
    expect(readFileSync(bundleFile, 'utf8')).toContain(readFileSync(join(dataDir, 'corporate.pem'), 'utf8').trim());
  });

  test('kept until seven days before the end, then made anew with another authority', async () => {
    const first = await openCertificates(dataDir, NOW);
    const authority = readFileSync(first.authorityFile, 'utf8');
    expect((await openCertificates(dataDir, NOW + 22 * DAY_MS)).leaf).toBe(first.leaf);
    const renewed = await openCertificates(dataDir, NOW + 24 * DAY_MS);
    expect(renewed.leaf).not.toBe(first.leaf);
    expect(readFileSync(renewed.authorityFile, 'utf8')).not.toBe(authority);
    expect(Date.parse(new X509Certificate(renewed.leaf).validTo)).toBe(Math.floor((NOW + 54 * DAY_MS) / 1000) * 1000);
  });

  test.each(['ca.pem', 'edge.pem', 'edge-key.pem'])('%s that a crash left out or of another making: all are made anew', async (name) => {
    const other = mkdtempSync(join(tmpdir(), 'certificates-'));
    await openCertificates(other);
    for (const damage of [() => rmSync(join(dataDir, name)), () => writeFileSync(join(dataDir, name), readFileSync(join(other, name)))]) {
      const before = await openCertificates(dataDir);
      damage();
      const after = await openCertificates(dataDir);
      expect(after.leaf).not.toBe(before.leaf);
      expect(openssl('verify', '-CAfile', after.authorityFile, join(dataDir, 'edge.pem'))).toMatchObject({ ok: true });
    }
    rmSync(other, { recursive: true });
  });
});
