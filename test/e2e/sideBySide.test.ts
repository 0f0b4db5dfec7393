// Two instances on one machine, each reached by its own env.sh: what is done on one is not there on the other. The client is the published SDK of JavaScript, as in test/clients.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Outcome, Step } from '../clients/scenario';
import { type RunningInstance, runInstance } from '../kit/instance';

const PROGRAMS = resolve(__dirname, '..', '..', 'dist/test/clients/javascript');
const PLACE = { group: 'ContosoRG', location: 'westus', administrator: '33333333-3333-4333-8333-333333333333' };

let folder: string;
let one: RunningInstance;
let other: RunningInstance;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'managed-hsm-test-'));
  [one, other] = await Promise.all([runInstance(), runInstance()]);
  await Promise.all([one, other].map((instance) => client(instance, 'group.js', [PLACE.group, PLACE.location])));
}, 60_000);
afterAll(async () => {
  await Promise.all([one?.stop(), other?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

const client = (instance: RunningInstance, program: string, words: readonly string[]): Promise<string> =>
  new Promise((settle, fail) => {
    execFile(process.execPath, [join(PROGRAMS, program), ...words], { env: instance.sourced(), timeout: 60_000 }, (error, out) => (error ? fail(error) : settle(out)));
  });

async function does(instance: RunningInstance, ...steps: readonly Omit<Step, 'expect'>[]): Promise<readonly Outcome[]> {
  const table = join(folder, 'steps.json');
  writeFileSync(table, JSON.stringify({ ...PLACE, steps }));
  const out = await client(instance, 'client.js', [table]);
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Outcome);
}

test('an HSM of one is not seen on the other, where its name is free', async () => {
  const hsm = 'ContosoMHSM';
  expect(await does(one, { do: 'create', hsm, retentionDays: 7 }, { do: 'list' })).toMatchObject([{ name: hsm, retentionDays: 7 }, { names: [hsm] }]);
  expect(await does(other, { do: 'list' }, { do: 'checkName', hsm }, { do: 'get', hsm })).toEqual([{ names: [] }, { available: true }, { status: 404, code: 'ResourceNotFound' }]);

  expect(await does(other, { do: 'create', hsm, retentionDays: 30 }, { do: 'delete', hsm }, { do: 'listDeleted' })).toMatchObject([{ retentionDays: 30 }, {}, { names: [hsm] }]);
  expect(await does(one, { do: 'get', hsm }, { do: 'listDeleted' })).toMatchObject([{ retentionDays: 7 }, { names: [] }]);
}, 120_000);
