// The service under test as its users have it: the compiled functions on the embedded host in a process of its own, Azurite beside it, tokens of a directory of the test's own.
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Azurite, startAzurite } from '../../local/azurite';
import { startEntra } from '../../local/entra';
import { type Directory, objectIdsOf, seedDirectory } from '../../local/principals';
import { seedRoles } from '../../local/seedRoles';
import type { SigningKey } from '../../local/signingKey';
import { CRYPTO_AUDITOR_ROLE, CRYPTO_OFFICER_ROLE, CRYPTO_USER_ROLE } from '../../shared/domain/localRoles';
import { type Client, createClient } from './client';
import { createHsmClient, type HsmClient } from './hsmClient';
import { mintToken, testSigningKey } from './tokens';

export const TENANT_ID = '11111111-1111-4111-8111-111111111111';
export const SUBSCRIPTION_ID = '22222222-2222-4222-8222-222222222222';
/** Configured too; nobody but the owner has a role on it. */
export const OTHER_SUBSCRIPTION_ID = '44444444-4444-4444-8444-444444444444';
export const ARM_AUDIENCE = 'https://management.azure.com';
const HSM_AUDIENCE = 'https://managedhsm.azure.net';

export type ServiceOptions = {
  /** Settings over those of a local instance. */
  readonly env?: Readonly<Record<string, string>>;
  /** Storage of the test's own; started and stopped here if left out. */
  readonly connectionString?: string;
  readonly timersEarly?: boolean;
  /** Functions that do not run, such as `sweep`. */
  readonly disabled?: readonly string[];
  /** Each HSM that is created grants its roles as one of a local instance does: `user`, `officer`, `auditor`, and `owner` the first two. */
  readonly localRoles?: boolean;
};

export type Service = {
  readonly connectionString: string;
  readonly azurite: Azurite | undefined;
  readonly signingKey: SigningKey;
  /** The port of the functions; another after each start. */
  port(): number;
  /** A client with the token of a principal: `owner`, `contributor`, `auditor`, `nobody`, … */
  as(principal: string): Client;
  token(principal: string): string;
  /** A client of one HSM's data plane, with the token of a principal; without any for `undefined`. */
  hsm(name: string, principal?: string): HsmClient;
  /** POSTs `{advance}` or `{set}` to the clock and waits until all that became due has settled. @returns the instant it shows */
  clock(move: { readonly advance: string } | { readonly set: string } | { readonly show: true }): Promise<string>;
  /** Lines that the host has printed so far. */
  output(): string;
  /** The same as the bytes that came. */
  outputBytes(): Buffer;
  /** The file of the root key; it is there once the host has started. */
  rootKeyFile(): string;
  /** The host's process. */
  pid(): number;
  /** kill -9 of the host; Azurite goes on. */
  kill(): Promise<void>;
  /** Starts the host again on the same state and storage; other settings if given. */
  start(changes?: Partial<ServiceOptions>): Promise<void>;
  stop(): Promise<void>;
};

const ROOT = resolve(__dirname, '..', '..').replace(/\/dist$/, '');

/** Wants dist to be built. */
export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const directory = seedDirectory(TENANT_ID);
  const signingKey = await testSigningKey();
  const entra = await startEntra({ tenantId: TENANT_ID, directory, signingKey });
  const azurite = options.connectionString === undefined ? await startAzurite({}) : undefined;
  const connectionString = options.connectionString ?? (azurite as Azurite).connectionString;
  await seedRoles(azurite?.connectionString ?? connectionString, SUBSCRIPTION_ID, directory);
  const stateDir = mkdtempSync(join(tmpdir(), 'managed-hsm-test-'));
  const clockToken = randomBytes(16).toString('hex');
  const tokenFor = (audience: string) => (principal: string) => mintToken({ tenantId: TENANT_ID, directory }, signingKey, { principal, audience });
  const token = tokenFor(ARM_AUDIENCE);
  const hsmToken = tokenFor(HSM_AUDIENCE);
  let current = options;
  let running: { readonly child: ChildProcess; readonly port: number; readonly clockUrl: string } | undefined;
  const printed: Buffer[] = [];
  const output = () => Buffer.concat(printed).toString();

  const live = () => {
    if (!running) throw new Error('the host is not running');
    return running;
  };

  async function start(changes: Partial<ServiceOptions> = {}): Promise<void> {
    await end('SIGTERM');
    current = { ...current, ...changes, env: { ...current.env, ...changes.env } };
    const env = {
      ...process.env,
      AZURE_FUNCTIONS_ENVIRONMENT: 'Development',
      AzureWebJobsStorage: current.connectionString ?? connectionString,
      TENANT_ID,
      SUBSCRIPTIONS: `${SUBSCRIPTION_ID}=Local;${OTHER_SUBSCRIPTION_ID}=Other`,
      ADMIN_OBJECT_IDS: objectIdsOf(directory, 'owner').join(','),
      JWKS_URI: `http://127.0.0.1:${entra.port}/${TENANT_ID}/discovery/v2.0/keys`,
      ROOT_KEY_FILE: join(stateDir, 'root.key'),
      ...(current.localRoles && { ROLES_AT_CREATION: rolesAtCreation(directory) }),
      HOST_STATE_DIR: stateDir,
      HOST_CLOCK_TOKEN: clockToken,
      HOST_TIMERS_EARLY: current.timersEarly ? 'yes' : 'no',
      HOST_DISABLED: (current.disabled ?? []).join(','),
      ...current.env,
    };
    const child = fork(join(ROOT, 'dist/test/kit/hostProcess.js'), { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [] });
    const read = (chunk: Buffer) => {
      printed.push(chunk);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    const ready = await new Promise<{ port: number; clockUrl: string }>((settle, fail) => {
      child.once('message', (message) => settle(message as { port: number; clockUrl: string }));
      child.once('exit', (code) => fail(new Error(`the host ended with ${code}: ${output().slice(-2000)}`)));
    });
    running = { child, ...ready };
  }

  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (!running) return;
    const { child } = running;
    running = undefined;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((settle) => child.once('exit', settle));
    child.kill(signal);
    await gone;
  }

  await start();
  return {
    connectionString,
    azurite,
    signingKey,
    port: () => live().port,
    token,
    as: (principal) => createClient(() => live().port, token(principal)),
    hsm: (name, principal) => createHsmClient(() => live().port, name, principal === undefined ? undefined : hsmToken(principal)),
    async clock(move) {
      const response = await fetch(live().clockUrl, { method: 'POST', headers: { 'content-type': 'application/json', 'x-clock-token': clockToken }, body: JSON.stringify(move) });
      if (!response.ok) throw new Error(`the clock answered ${response.status}: ${await response.text()}`);
      return ((await response.json()) as { now: string }).now;
    },
    output,
    outputBytes: () => Buffer.concat(printed),
    rootKeyFile: () => current.env?.ROOT_KEY_FILE ?? join(stateDir, 'root.key'),
    pid: () => Number(live().child.pid),
    kill: () => end('SIGKILL'),
    start,
    async stop() {
      await end('SIGTERM');
      await Promise.all([entra.stop(), azurite?.stop()]);
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

function rolesAtCreation(directory: Directory): string {
  const granted: readonly (readonly [string, readonly string[]])[] = [
    [CRYPTO_USER_ROLE, ['owner', 'user']],
    [CRYPTO_OFFICER_ROLE, ['owner', 'officer']],
    [CRYPTO_AUDITOR_ROLE, ['auditor']],
  ];
  return granted.flatMap(([role, names]) => names.flatMap((name) => objectIdsOf(directory, name)).map((id) => `${role}=${id}`)).join(',');
}
