// `npm run bench`, keys: what operations on keys cost on the running host, beside Azurite alone making the storage calls of each, in the same run. Figures, no verdicts.
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAzurite } from '../../local/azurite';
import type { InstanceRecord } from '../../local/host/durable/store';
import { seedDirectory } from '../../local/principals';
import { durableInstances } from '../kit/durableInstances';
import { queueLengths } from '../kit/queues';
import { groupPath, hsmPath, newHsm } from '../kit/resources';
import { type Service, startService, TENANT_ID } from '../kit/service';
import { startStorageProxy } from '../kit/storageProxy';
import { mintToken } from '../kit/tokens';
import { callsOf, rawStorage, type StorageCall, told } from './rawStorage';

const HSM = 'contoso';
const AUDIENCE = 'https://managedhsm.azure.net';
const CONNECTIONS = [1, 8, 32] as const;
const KEYS = 100;
const READS = 400;
const LISTS = 100;
/** Runs of each operation before anything is counted or timed. */
const WARM_UPS = 20;
const SETTLE_MS = 50;
/** The engine takes what it was told in an episode of its own, after the answer. */
const ENGINE_MS = 500;

type Send = (method: string, path: string, body?: object) => Promise<void>;

/** One request on `key`; in the order of this list each finds the key as the one before left it. */
type Operation = { readonly name: string; readonly count: number; readonly isTimed: boolean; send(send: Send, key: string): Promise<void> };

const remove = (send: Send, key: string): Promise<void> => send('DELETE', `/keys/${key}`);
const operations: readonly Operation[] = [
  { name: 'create (EC)', count: KEYS, isTimed: true, send: (send, key) => send('POST', `/keys/${key}/create`, { kty: 'EC-HSM' }) },
  { name: 'get', count: READS, isTimed: true, send: (send, key) => send('GET', `/keys/${key}`) },
  { name: 'list (25)', count: LISTS, isTimed: true, send: (send) => send('GET', '/keys') },
  { name: 'delete', count: KEYS, isTimed: true, send: remove },
  { name: 'recover', count: KEYS, isTimed: true, send: (send, key) => send('POST', `/deletedkeys/${key}/recover`) },
  { name: 'delete again', count: KEYS, isTimed: false, send: remove },
  { name: 'purge', count: KEYS, isTimed: true, send: (send, key) => send('DELETE', `/deletedkeys/${key}`) },
];

/** Requests to the data plane over connections that are kept. */
function sender(service: Service, connections: number): { readonly send: Send; end(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const token = mintToken({ tenantId: TENANT_ID, directory: seedDirectory(TENANT_ID) }, service.signingKey, { principal: 'owner', audience: AUDIENCE });
  const common = { host: `${HSM}.managedhsm.azure.net`, authorization: `Bearer ${token}` };
  const send: Send = (method, path, body) =>
    new Promise((settle, fail) => {
      const text = body === undefined ? '' : JSON.stringify(body);
      const headers = { ...common, 'content-length': text.length, ...(body && { 'content-type': 'application/json' }) };
      const outgoing = request({ host: '127.0.0.1', port: service.port(), method, path: `${path}?api-version=7.4`, headers, agent }, (response) => {
        response.resume().on('error', fail);
        response.on('end', () => ((response.statusCode ?? 500) < 300 ? settle() : fail(new Error(`${method} ${path} answered ${response.statusCode}`))));
      });
      outgoing.on('error', fail).end(text);
    });
  return { send, end: () => agent.destroy() };
}

type Figures = { readonly perSecond: number; readonly p50: number; readonly p95: number };

async function timed(connections: number, count: number, run: (nth: number) => Promise<void>): Promise<Figures> {
  const times: number[] = [];
  let next = 0;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (let nth = next++; nth < count; nth = next++) {
        const from = performance.now();
        await run(nth);
        times.push(performance.now() - from);
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.floor(times.length * share)] ?? 0;
  return { perSecond: count / seconds, p50: at(0.5), p95: at(0.95) };
}

/** Waits until the clean-up has worked off its messages: its work is not to be timed with another operation's. */
async function settled(connectionString: string): Promise<void> {
  while (Object.entries(await queueLengths(connectionString)).some(([name, length]) => name !== 'bench-raw' && length > 0))
    await new Promise((settle) => setTimeout(settle, SETTLE_MS));
}

type Cost = { readonly calls: readonly StorageCall[]; readonly durable: string };

function durableOf(before: readonly InstanceRecord[], after: readonly InstanceRecord[]): string {
  const ended = (records: readonly InstanceRecord[]) => records.filter(({ status }) => status === 'Terminated').length;
  const [starts, ends] = [after.length - before.length, ended(after) - ended(before)];
  return `${starts > 0 ? `, ${starts} Durable start` : ''}${ends > 0 ? `, ${ends} Durable end` : ''}`;
}

/** What each operation asks of storage and of the Durable engine, seen once, after warming up. */
async function costs(service: Service, proxy: Awaited<ReturnType<typeof startStorageProxy>>, stateDir: string): Promise<ReadonlyMap<string, Cost>> {
  const { send, end } = sender(service, 1);
  for (const { send: run } of operations) for (let nth = 0; nth < WARM_UPS; nth++) await run(send, `warm-${nth}`);
  await settled(proxy.connectionString);
  const instances = durableInstances(stateDir);
  const found = new Map<string, Cost>();
  for (const { name, send: run } of operations) {
    const earlier = await instances.all();
    const before = proxy.requests.length;
    await run(send, 'counted');
    const calls = callsOf(proxy.requests.slice(before));
    await settled(proxy.connectionString);
    await new Promise((settle) => setTimeout(settle, ENGINE_MS));
    found.set(name, { calls, durable: durableOf(earlier, await instances.all()) });
  }
  end();
  return found;
}

const shown = ({ perSecond, p50, p95 }: Figures): string => `${perSecond.toFixed(0).padStart(5)}/s ${p50.toFixed(1).padStart(6)} ${p95.toFixed(1).padStart(6)}`;

async function level(service: Service, raw: Awaited<ReturnType<typeof rawStorage>>, cost: ReadonlyMap<string, Cost>, connections: number): Promise<void> {
  const { send, end } = sender(service, connections);
  for (const { name, count, isTimed, send: run } of operations) {
    const ours = await timed(connections, count, (nth) => run(send, `of-${connections}-${nth % KEYS}`));
    await settled(service.connectionString);
    if (!isTimed) continue;
    const { calls = [] } = cost.get(name) ?? {};
    const theirs = await timed(connections, count, (nth) => raw.makeAll(calls, nth));
    console.log(
      `  ${name.padEnd(12)} ${String(connections).padStart(2)}   ${shown(ours)}   ${shown(theirs)}   ${((100 * ours.perSecond) / theirs.perSecond).toFixed(0).padStart(4)} %`,
    );
  }
  end();
}

async function main(): Promise<void> {
  const azurite = await startAzurite({});
  const proxy = await startStorageProxy(azurite);
  const stateDir = mkdtempSync(join(tmpdir(), 'managed-hsm-bench-'));
  const service = await startService({ connectionString: proxy.connectionString, localRoles: true, disabled: ['sweep'], env: { HOST_STATE_DIR: stateDir } });
  await service.as('owner').send('PUT', groupPath(), { location: 'westus' });
  await service.as('owner').finish('PUT', hsmPath(HSM), newHsm());
  const cost = await costs(service, proxy, stateDir);
  console.log('\nstorage calls of an operation on keys (table: reads + writes; queue: messages; the Durable engine keeps its state elsewhere)');
  for (const { name, isTimed } of operations) if (isTimed) console.log(`  ${name.padEnd(32)} ${told(cost.get(name)?.calls ?? [])}${cost.get(name)?.durable}`);

  // Timed without the proxy between.
  await service.kill();
  await service.start({ connectionString: azurite.connectionString });
  const raw = await rawStorage(azurite.connectionString);
  console.log('\noperations on keys, beside Azurite alone making the same storage calls one after the other (milliseconds; aim for get and delete: 50 %)');
  console.log('  operation    connections  here    p50    p95       Azurite    p50    p95   here of Azurite');
  for (const connections of CONNECTIONS) await level(service, raw, cost, connections);
  await service.stop();
  await proxy.stop();
  await azurite.stop();
  rmSync(stateDir, { recursive: true, force: true });
}

void main();
