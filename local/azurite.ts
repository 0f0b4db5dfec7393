// Azurite as a child process: the storage of the emulator, and of every test that wants the real thing. Ports are ephemeral, the account key is our own.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type AzuritePorts = { readonly blob: number; readonly queue: number; readonly table: number };
export type Azurite = {
  readonly connectionString: string;
  readonly ports: AzuritePorts;
  /** Ends it by SIGTERM, which writes what is still in memory; resolves when it has gone. */
  stop(): Promise<void>;
};

const ACCOUNT = 'devstoreaccount1';
const START_MS_MAX = 60_000;
const STOP_MS_MAX = 20_000;
/**
 * Azurite, ended in order when its parent has gone in whatever way: it writes to disk every few seconds only, and at SIGTERM. A second SIGTERM, or
 * printing to a parent that has gone, would cut that short, and an open channel to the parent would keep it from ending.
 */
const CHILD = `
let ending = false;
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.once('SIGTERM', () => { ending = true; if (process.connected) process.disconnect(); });
process.once('disconnect', () => ending || process.kill(process.pid, 'SIGTERM'));
require(${JSON.stringify(require.resolve('azurite/dist/src/azurite.js'))});`;

/**
 * @param options.location the folder of its files; a temporary one, removed at the end, if left out.
 * @param options.inMemory keeps nothing on disk; the default if there is no location.
 * @param options.accountKey base64; random if left out. Whoever starts again on the same folder may give another.
 * @throws Error with what it printed, when it does not come up within a minute
 */
export async function startAzurite({
  location,
  inMemory = location === undefined,
  accountKey = randomBytes(64).toString('base64'),
}: {
  readonly location?: string;
  readonly inMemory?: boolean;
  readonly accountKey?: string;
} = {}): Promise<Azurite> {
  const folder = location ?? (await mkdtemp(join(tmpdir(), 'azurite-')));
  const services = ['blob', 'queue', 'table'].flatMap((service) => [`--${service}Host`, '127.0.0.1', `--${service}Port`, '0']);
  const flags = ['--skipApiVersionCheck', '--disableTelemetry', ...(inMemory ? ['--inMemoryPersistence'] : ['--location', folder])];
  const child = spawn(process.execPath, ['-e', CHILD, 'azurite', ...services, ...flags], {
    env: { ...process.env, AZURITE_ACCOUNTS: `${ACCOUNT}:${accountKey}` },
    cwd: folder,
    // Its own process group: an interrupt from the keyboard is for the parent, which ends it when nothing needs it any more.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const stop = async () => {
    await ended(child);
    if (location === undefined) await rm(folder, { recursive: true, force: true });
  };
  try {
    const ports = await printedPorts(child);
    return { connectionString: connectionString(accountKey, ports), ports, stop };
  } catch (cause) {
    await stop();
    throw cause;
  }
}

/** The connection string of the account at given ports. */
const connectionString = (accountKey: string, ports: AzuritePorts): string =>
  [
    'DefaultEndpointsProtocol=http',
    `AccountName=${ACCOUNT}`,
    `AccountKey=${accountKey}`,
    ...(['blob', 'queue', 'table'] as const).map((service) => `${service[0]?.toUpperCase()}${service.slice(1)}Endpoint=http://127.0.0.1:${ports[service]}/${ACCOUNT}`),
  ].join(';');

/** It prints the port of each service once that is open, the table's last. */
function printedPorts(child: ChildProcess): Promise<AzuritePorts> {
  return new Promise((resolve, reject) => {
    let printed = '';
    const failed = (what: string) => reject(new Error(`Azurite ${what}: ${printed.slice(-2000)}`));
    const limit = setTimeout(() => failed('did not start in time'), START_MS_MAX);
    const portOf = (service: string) => Number(new RegExp(`${service} service is successfully listening at http://[^:]+:(\\d+)`).exec(printed)?.[1]);
    const read = (chunk: Buffer) => {
      printed += chunk.toString();
      const ports = { blob: portOf('Blob'), queue: portOf('Queue'), table: portOf('Table') };
      if (!Object.values(ports).every(Number.isInteger)) return;
      clearTimeout(limit);
      // From here on it prints a line per request: read, so that the pipe never fills, and dropped.
      child.stdout?.off('data', read).resume();
      child.stderr?.off('data', read).resume();
      resolve(ports);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('error', (cause) => failed(cause.message));
    child.once('exit', (code) => {
      clearTimeout(limit);
      failed(`ended with ${code}`);
    });
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const limit = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  child.kill('SIGTERM');
  await gone;
  clearTimeout(limit);
}
