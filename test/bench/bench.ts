// `npm run bench`: how long an instance takes to be ready, what memory it holds, and how many storage requests each operation makes. Figures, no verdicts.
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startAzurite } from '../../local/azurite';
import { SUBSCRIPTION_ID, startService } from '../kit/service';
import { startStorageProxy } from '../kit/storageProxy';

const ROOT = join(__dirname, '..', '..', '..');
const STARTS = 5;
const READS = 2000;

type Started = { readonly readyMs: number; readonly memoryMb: number };

async function startOnce(): Promise<Started> {
  const began = Date.now();
  const child = spawn(process.execPath, [join(ROOT, 'dist/local/start.js'), '--in-memory', '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.includes('is ready')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`ended with ${code}`)));
  });
  const readyMs = Date.now() - began;
  const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(child.pid)], { encoding: 'utf8' })
    .trim()
    .split(/\s+/);
  const memoryMb = [String(child.pid), ...children].map(residentMb).reduce((sum, one) => sum + one, 0);
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.removeAllListeners('exit');
  child.once('exit', () => undefined);
  const ended = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  await Promise.race([gone, ended]);
  return { readyMs, memoryMb };
}

/** Resident memory of a process in MB (Linux). */
const residentMb = (pid: string): number => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

async function roundTrips(): Promise<void> {
  const azurite = await startAzurite({});
  const proxy = await startStorageProxy(azurite);
  const service = await startService({ connectionString: proxy.connectionString });
  const group = `/subscriptions/${SUBSCRIPTION_ID}/resourceGroups/rg`;
  const hsm = `${group}/providers/Microsoft.KeyVault/managedHSMs/contoso`;
  const deleted = `/subscriptions/${SUBSCRIPTION_ID}/providers/Microsoft.KeyVault/locations/westus/deletedManagedHSMs/contoso`;
  const body = { location: 'westus', properties: { initialAdminObjectIds: ['33333333-3333-4333-8333-333333333333'], softDeleteRetentionInDays: 7 } };
  const recover = { location: 'westus', properties: { createMode: 'Recover' } };
  const steps: readonly (readonly [string, string, string, string, unknown?])[] = [
    ['create a group', 'owner', 'PUT', group, { location: 'westus' }],
    ['create an HSM', 'owner', 'PUT', hsm, body],
    ['read an HSM', 'owner', 'GET', hsm],
    ['read an HSM, rights from rows', 'contributor', 'GET', hsm],
    ['list HSMs', 'owner', 'GET', `/subscriptions/${SUBSCRIPTION_ID}/providers/Microsoft.KeyVault/managedHSMs`],
    ['update an HSM', 'owner', 'PATCH', hsm, { tags: { a: 'b' } }],
    ['delete an HSM', 'owner', 'DELETE', hsm],
    ['read a deleted HSM', 'owner', 'GET', deleted],
    ['list deleted HSMs', 'owner', 'GET', `/subscriptions/${SUBSCRIPTION_ID}/providers/Microsoft.KeyVault/deletedManagedHSMs`],
    ['recover an HSM', 'owner', 'PUT', hsm, recover],
    ['delete it again', 'owner', 'DELETE', hsm],
    ['purge an HSM', 'owner', 'POST', `${deleted}/purge`],
  ];
  console.log('\nstorage requests per operation (table: reads + writes; queue: messages; Durable starts and ends are not storage here)');
  for (const [what, who, method, path, given] of steps) {
    const before = proxy.requests.length;
    const { status } = await service.as(who).send(method, path, given);
    const made = proxy.requests.slice(before);
    const count = (kind: string, methods: readonly string[]) => made.filter((one) => one.service === kind && methods.includes(one.method)).length;
    const reads = count('table', ['GET']);
    const writes = count('table', ['POST', 'PUT', 'DELETE', 'PATCH', 'MERGE']);
    const messages = made.filter((one) => one.service === 'queue' && one.method === 'POST').length;
    console.log(`  ${what.padEnd(32)} ${status}  ${reads} + ${writes}${messages ? `, ${messages} message` : ''}`);
  }
  await service.as('owner').send('PUT', hsm, body);
  for (const connections of [1, 8, 32]) await throughput(service.as('owner'), hsm, connections);
  await service.stop();
  await proxy.stop();
  await azurite.stop();
}

async function throughput(client: { send(method: string, path: string): Promise<unknown> }, path: string, connections: number): Promise<void> {
  const times: number[] = [];
  let left = READS;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (left-- > 0) {
        const from = performance.now();
        await client.send('GET', path);
        times.push(performance.now() - from);
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  const at = (share: number) => ([...times].sort((a, b) => a - b)[Math.floor(times.length * share)] ?? 0).toFixed(1);
  console.log(`  read an HSM, ${connections} connections: ${(READS / seconds).toFixed(0)}/s, p50 ${at(0.5)} ms, p95 ${at(0.95)} ms`);
}

async function main(): Promise<void> {
  const starts: Started[] = [];
  for (let round = 0; round < STARTS; round++) starts.push(await startOnce());
  console.log(
    `ready in ${median(starts.map((one) => one.readyMs))} ms (median of ${STARTS}; aim < 5000), resident memory with Azurite ${median(starts.map((one) => one.memoryMb)).toFixed(0)} MB (aim < 350)`,
  );
  await roundTrips();
}

void main();
