// One running instance on this machine: Azurite, the directory that signs tokens, the embedded host with the compiled app, and the edge that clients talk to. All on 127.0.0.1.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { CRYPTO_AUDITOR_ROLE, CRYPTO_OFFICER_ROLE, CRYPTO_USER_ROLE } from '../shared/domain/localRoles';
import { startAzurite } from './azurite';
import { openCertificates } from './certificates';
import { type LogLine, startEdge } from './edge';
import { createEntra, startEntra } from './entra';
import { writeEnvironment } from './environment';
import { type Host, startHost } from './host/host';
import { type Directory, objectIdsOf, openDirectory } from './principals';
import { seedRoles } from './seedRoles';
import { openSigningKey } from './signingKey';

export type InstanceOptions = {
  /** Folder of everything that survives; ignored in memory. */
  readonly dataDir: string;
  /** The edge's port; 0 for an ephemeral one. */
  readonly port: number;
  /** Nothing survives: storage, state and files live in memory and in a temporary folder. */
  readonly inMemory?: boolean;
  /** Where the clock starts, milliseconds since the epoch. */
  readonly clockAt?: number;
  readonly log?: (line: string) => void;
  readonly requestLog?: (line: LogLine) => void;
  /** Called when the host has stopped itself. */
  readonly onStopped?: (reason: string) => void;
};

export type Instance = {
  readonly dataDir: string;
  readonly edgePort: number;
  readonly functionsPort: number;
  readonly tenantId: string;
  readonly subscriptionId: string;
  readonly directory: Directory;
  readonly host: Host;
  /** The authority's certificate, PEM file. */
  readonly authorityFile: string;
  stop(): Promise<void>;
};

/** The one tenant and the one subscription of a local instance; scripts and documents may quote them. */
const TENANT_ID = '11111111-1111-4111-8111-111111111111';
const SUBSCRIPTION_ID = '22222222-2222-4222-8222-222222222222';

/** SDKs would send requests for this machine's own storage to a proxy named by these. */
const PROXY_VARIABLES = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'];

/** Says that a folder is ours, and in which form its files are. */
export const MARKER_FILE = 'managed-hsm.json';
const MARKER = { format: 1 };

/** @throws Error of one line, with nothing left running: a foreign data folder, a port in use, storage that does not come up */
export async function startInstance(options: InstanceOptions): Promise<Instance> {
  const started: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (let next = started.pop(); next; next = started.pop()) await next();
  };
  try {
    return { ...(await start(options, started)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(options: InstanceOptions, started: (() => Promise<void>)[]): Promise<Omit<Instance, 'stop'>> {
  for (const name of PROXY_VARIABLES) delete process.env[name];
  const dataDir = options.inMemory ? temporaryFolder(started) : openDataFolder(options.dataDir);
  const directory = openDirectory(dataDir, TENANT_ID);
  const entraOptions = { tenantId: TENANT_ID, directory, signingKey: await openSigningKey(dataDir) };
  const [azurite, entra, certificates] = await Promise.all([
    startAzurite(options.inMemory ? {} : { location: folder(dataDir, 'azurite') }),
    startEntra(entraOptions),
    openCertificates(dataDir),
  ]);
  started.push(azurite.stop, entra.stop);
  Object.assign(process.env, settingsOf(dataDir, azurite.connectionString, entra.port, directory));
  await seedRoles(azurite.connectionString, SUBSCRIPTION_ID, directory);
  const clockToken = randomBytes(32).toString('base64url');
  const host = await startHost({
    appRoot: appRoot(),
    port: 0,
    offsetVariable: 'CLOCK_OFFSET_MS',
    clockToken,
    ...(!options.inMemory && { stateDir: folder(dataDir, 'host') }),
    ...(options.clockAt !== undefined && { clockAt: options.clockAt }),
    ...(options.log && { log: options.log }),
    ...(options.onStopped && { onStopped: options.onStopped }),
  });
  started.push(() => host.stop());
  const edge = await startEdge({
    port: options.port,
    functionsPort: host.port,
    entra: createEntra(entraOptions),
    certificate: certificates,
    ...(options.requestLog && { log: options.requestLog }),
  });
  started.push(() => edge.stop());
  const { authorityFile, bundleFile } = certificates;
  const ports = { functions: host.port, entra: entra.port, ...azurite.ports };
  writeEnvironment(dataDir, { edgePort: edge.port, tenantId: TENANT_ID, subscriptionId: SUBSCRIPTION_ID, authorityFile, bundleFile, clockUrl: host.clockUrl, clockToken, ports });
  return { dataDir, edgePort: edge.port, functionsPort: host.port, tenantId: TENANT_ID, subscriptionId: SUBSCRIPTION_ID, directory, host, authorityFile };
}

/** The app's settings, as a deployment would have them in its configuration. */
const settingsOf = (dataDir: string, connectionString: string, entraPort: number, directory: Directory): Readonly<Record<string, string>> => ({
  AZURE_FUNCTIONS_ENVIRONMENT: 'Development',
  AzureWebJobsStorage: connectionString,
  TENANT_ID,
  SUBSCRIPTIONS: `${SUBSCRIPTION_ID}=Local`,
  ADMIN_OBJECT_IDS: objectIdsOf(directory, 'owner').join(','),
  ROOT_KEY_FILE: join(dataDir, 'root.key'),
  ROLES_AT_CREATION: rolesAtCreation(directory),
  JWKS_URI: `http://127.0.0.1:${entraPort}/${TENANT_ID}/discovery/v2.0/keys`,
});

/** Whoever may use keys in a new HSM, so that a person can begin at once. */
function rolesAtCreation(directory: Directory): string {
  const granted: readonly (readonly [string, readonly string[]])[] = [
    [CRYPTO_USER_ROLE, ['owner', 'user']],
    [CRYPTO_OFFICER_ROLE, ['owner', 'officer']],
    [CRYPTO_AUDITOR_ROLE, ['auditor']],
  ];
  return granted.flatMap(([role, names]) => names.flatMap((name) => objectIdsOf(directory, name)).map((id) => `${role}=${id}`)).join(',');
}

/** The folder of package.json and host.json: two above this file's place in dist/local. */
const appRoot = (): string => resolve(__dirname, '..', '..');

function temporaryFolder(started: (() => Promise<void>)[]): string {
  const made = mkdtempSync(join(tmpdir(), 'managed-hsm-'));
  started.push(async () => rmSync(made, { recursive: true, force: true }));
  return made;
}

function openDataFolder(path: string): string {
  const marker = join(path, MARKER_FILE);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (!existsSync(marker)) {
    if (readdirSync(path).length > 0) throw new Error(`${path} holds files that are not ours. Give an empty folder with --data.`);
    writeFileSync(marker, `${JSON.stringify(MARKER)}\n`, { flag: 'wx' });
  }
  const text = readFileSync(marker, 'utf8');
  if (text.trim() !== JSON.stringify(MARKER)) throw new Error(`${path} was written by another version. Give an empty folder with --data, or remove it.`);
  return resolve(path);
}

function folder(dataDir: string, name: string): string {
  const path = join(dataDir, name);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}
