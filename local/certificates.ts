// The certificates of the edge: an authority that may sign for the emulated names only, one leaf by it, and the bundle that clients trust. The authority's private key is never written, nor can it be read.
import 'reflect-metadata'; // wanted by @peculiar/x509
import { createPrivateKey, X509Certificate as NodeCertificate, webcrypto } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { AsnConvert } from '@peculiar/asn1-schema';
import { GeneralName, GeneralSubtree, GeneralSubtrees, id_ce_nameConstraints, NameConstraints } from '@peculiar/asn1-x509';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { replaceFile } from './files';

/** What the edge shows and clients trust, PEM. */
export type EdgeCertificates = { readonly leaf: string; readonly leafKey: string; readonly authorityFile: string; readonly bundleFile: string };

/** Signs leaves until it is dropped; its key cannot be exported. */
export type Authority = { readonly pem: string; issue(names: readonly LeafName[]): Promise<{ readonly pem: string; readonly keyPem: string }> };

export type LeafName = { readonly type: 'dns' | 'ip'; readonly value: string };

const LEAF_NAMES = ['management.azure.com', 'login.microsoftonline.com', 'graph.microsoft.com', '*.managedhsm.azure.net'] as const;

/** A permitted name covers itself and every name under it (RFC 5280 §4.2.1.10). */
const PERMITTED_NAMES = ['management.azure.com', 'login.microsoftonline.com', 'graph.microsoft.com', 'managedhsm.azure.net'] as const;

/** Every IPv4 and every IPv6 address. */
const EXCLUDED_ADDRESSES = ['0.0.0.0/0', '::/0'] as const;

const AUTHORITY_NAME = 'CN=Local Managed HSM authority';
const LEAF_SUBJECT = 'CN=Local Managed HSM edge';
const DAY_MS = 86_400_000;
const VALID_MS = 30 * DAY_MS;
const RENEW_BEFORE_END_MS = 7 * DAY_MS;
/** So that a client whose clock is a little behind accepts it at once. */
const BACKDATED_MS = DAY_MS;

const AUTHORITY_FILE = 'ca.pem';
const BUNDLE_FILE = 'ca-bundle.pem';
const LEAF_FILE = 'edge.pem';
const LEAF_KEY_FILE = 'edge-key.pem';
const SYSTEM_BUNDLES = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/ca-bundle.pem', '/etc/ssl/cert.pem'];

const CURVE = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;

/**
 * The certificates of a data folder. Made at first start; made anew, authority and all, once they are within 7 days of their end, or do not fit together.
 * The bundle is written at every start: the system's authorities may have changed. `now` in milliseconds.
 */
export async function openCertificates(dataDir: string, now: number = Date.now()): Promise<EdgeCertificates> {
  const [authorityFile, bundleFile, leafFile, leafKeyFile] = [AUTHORITY_FILE, BUNDLE_FILE, LEAF_FILE, LEAF_KEY_FILE].map((name) => join(dataDir, name)) as [
    string,
    string,
    string,
    string,
  ];
  const [authority, leaf, leafKey] = [authorityFile, leafFile, leafKeyFile].map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : '')) as [string, string, string];
  const made = isUsable(authority, leaf, leafKey, now) ? { authority, leaf, leafKey } : await makeAll(now);
  if (made.leaf !== leaf) {
    replaceFile(leafKeyFile, made.leafKey, 0o600);
    replaceFile(leafFile, made.leaf, 0o644);
    replaceFile(authorityFile, made.authority, 0o644);
  }
  replaceFile(bundleFile, `${systemBundle()}\n${made.authority}\n`, 0o644);
  return { leaf: made.leaf, leafKey: made.leafKey, authorityFile, bundleFile };
}

async function makeAll(now: number): Promise<{ readonly authority: string; readonly leaf: string; readonly leafKey: string }> {
  const authority = await createAuthority(now);
  const { pem, keyPem } = await authority.issue(LEAF_NAMES.map((value) => ({ type: 'dns', value })));
  return { authority: authority.pem, leaf: pem, leafKey: keyPem };
}

/** A new authority, valid for 30 days from `now` (milliseconds), bound to the emulated names by critical constraints. */
export async function createAuthority(now: number): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(CURVE, false, ['sign', 'verify']);
  const validity = { notBefore: new Date(now - BACKDATED_MS), notAfter: new Date(now + VALID_MS) };
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: AUTHORITY_NAME,
    ...validity,
    keys,
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      nameConstraints(),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { pem: certificate.toString('pem'), issue: (names) => issueLeaf(certificate, keys, validity, names) };
}

async function issueLeaf(
  authority: X509Certificate,
  authorityKeys: webcrypto.CryptoKeyPair,
  validity: { readonly notBefore: Date; readonly notAfter: Date },
  names: readonly LeafName[],
) {
  const keys = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.create({
    subject: LEAF_SUBJECT,
    issuer: authority.subject,
    ...validity,
    publicKey: keys.publicKey,
    signingKey: authorityKeys.privateKey,
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([...names]),
      await AuthorityKeyIdentifierExtension.create(authority.publicKey),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const keyPem = createPrivateKey({ key: Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)), format: 'der', type: 'pkcs8' }).export({
    type: 'pkcs8',
    format: 'pem',
  });
  return { pem: certificate.toString('pem'), keyPem: keyPem.toString() };
}

function nameConstraints(): Extension {
  const subtrees = (bases: readonly GeneralName[]) => new GeneralSubtrees(bases.map((base) => new GeneralSubtree({ base })));
  const constraints = new NameConstraints({
    permittedSubtrees: subtrees(PERMITTED_NAMES.map((dNSName) => new GeneralName({ dNSName }))),
    excludedSubtrees: subtrees(EXCLUDED_ADDRESSES.map((iPAddress) => new GeneralName({ iPAddress }))),
  });
  return new Extension(id_ce_nameConstraints, true, AsnConvert.serialize(constraints));
}

function isUsable(authority: string, leaf: string, leafKey: string, now: number): boolean {
  try {
    const [issuer, certificate] = [new NodeCertificate(authority), new NodeCertificate(leaf)];
    const fits = certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey) && certificate.checkPrivateKey(createPrivateKey(leafKey));
    const named = certificate.subjectAltName === LEAF_NAMES.map((name) => `DNS:${name}`).join(', ');
    return fits && named && Date.parse(certificate.validFrom) <= now && now < Date.parse(certificate.validTo) - RENEW_BEFORE_END_MS;
  } catch {
    return false; // missing, or cut off by a crash between two files
  }
}

/** The authorities of this machine, without those of instances like this one: SSL_CERT_FILE may come from another's env.sh. */
function systemBundle(): string {
  const file = [process.env.SSL_CERT_FILE, ...SYSTEM_BUNDLES].find((path) => path !== undefined && path !== '' && existsSync(path));
  const blocks = file === undefined ? rootCertificates : (readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []);
  return blocks.filter((pem) => !isOfOurs(pem)).join('\n');
}

function isOfOurs(pem: string): boolean {
  try {
    return new NodeCertificate(pem).subject === AUTHORITY_NAME;
  } catch {
    return false;
  }
}
