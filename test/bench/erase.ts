// `node dist/test/bench/erase.js [keys] [versions]`: how long the clean-up takes to erase a purged HSM full of keys, and what memory its host holds meanwhile. Figures, no verdicts.
import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { startAzurite } from '../../local/azurite';
import { deletedPath, groupPath, hsmPath, newHsm } from '../kit/resources';
import { startService } from '../kit/service';
import { openStorage } from '../kit/storage';

const [KEYS = 5000, VERSIONS = 10] = process.argv.slice(2).map(Number);
const NAME = 'erased';
const SAMPLE_MS = 250;
/** As large as an EC key's row; what stands in it nobody reads. */
const CONTENT = { current_json: JSON.stringify({ sealed: randomBytes(450).toString('base64url') }) };

/** Resident memory of a process in MB (Linux). */
const residentMb = (pid: number): number => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

async function main(): Promise<void> {
  const azurite = await startAzurite();
  const service = await startService({ connectionString: azurite.connectionString, localRoles: true });
  const storage = openStorage(azurite.connectionString);
  const owner = service.as('owner');
  await owner.send('PUT', groupPath(), { location: 'westus' });
  await owner.finish('PUT', hsmPath(NAME), newHsm());
  const incarnation = String((await storage.row('hsms', NAME, '!hsm'))?.incarnation);
  const version = () => randomBytes(16).toString('hex');
  const names = Array.from({ length: KEYS }, (_, n) => `k!key-${n}`);
  const older = names.flatMap(() => {
    const key = randomUUID();
    return Array.from({ length: VERSIONS - 1 }, () => `v!${key}!${version()}`);
  });
  await storage.insert('keys', incarnation, [...names, ...older], CONTENT);
  await owner.finish('DELETE', hsmPath(NAME));

  const atRest = residentMb(service.pid());
  let highest = atRest;
  const sampling = setInterval(() => {
    highest = Math.max(highest, residentMb(service.pid()));
  }, SAMPLE_MS);
  const began = performance.now();
  const { status } = await owner.finish('POST', `${deletedPath(NAME)}/purge`);
  const answered = performance.now() - began;
  // Grants go after the keys: when only the debt is left, all is gone.
  while ((await storage.rows('hsms', NAME)).length > 1) await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
  const seconds = (performance.now() - began) / 1000;
  clearInterval(sampling);
  const rows = names.length + older.length;
  console.log(`purge of an HSM with ${KEYS} keys of ${VERSIONS} versions: ${status} after ${answered.toFixed(0)} ms`);
  console.log(`${rows} rows erased in ${seconds.toFixed(1)} s, ${(rows / seconds).toFixed(0)} a second; ${(await storage.rows('keys', incarnation)).length} left`);
  console.log(`resident memory of the host: ${atRest.toFixed(0)} MB before, ${highest.toFixed(0)} MB at most`);
  await service.stop();
  await azurite.stop();
}

void main();
