/**
 * The child process of the crash tests: an engine on a state folder, killed by SIGKILL just before or just after its n-th stored step.
 * Not a test. Arguments: folder, n, before | after, path of durable-functions.
 */
import { appendFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import Module from 'node:module';
import { join } from 'node:path';
import { createDurable } from '../durable/engine';
import { testClock, testCore } from './durableKit';
import { registerSample } from './durableSample';

const [, , dir = '', at = '', when = '', durableFunctions = ''] = process.argv;
const core = testCore();
const prototype = (Module as unknown as { prototype: { require(this: unknown, id: string): unknown } }).prototype;
const load = prototype.require;
prototype.require = function (id) {
  return id === '@azure/functions-core' ? core.module : load.call(this, id);
};

let renames = 0;
const rename = fs.rename;
fs.rename = async (from, to) => {
  renames += 1;
  if (renames === Number(at) && when === 'before') process.kill(process.pid, 'SIGKILL');
  await rename(from, to);
  if (renames === Number(at) && when === 'after') process.kill(process.pid, 'SIGKILL');
};

const report = (line: string) => appendFileSync(join(dir, 'report.txt'), `${line}\n`);

async function run(): Promise<void> {
  registerSample(load.call(module, durableFunctions) as Parameters<typeof registerSample>[0], (input) => report(`acted ${(input as { id: string }).id}`));
  const clock = testClock(Date.parse('2027-01-01T12:00:00Z'));
  const engine = await createDurable({ clock, core, stateDir: join(dir, 'state'), hubName: 'Tests', log: report, http: false });
  await engine.start();
  await engine.startNew('sleepThenAct', 'x', '{"ms":60000}');
  report('acknowledged');
  await engine.raiseEvent('x', 'Unheard', null);
  report('raised');
  await clock.advance(60_000);
  report(engine.get('x')?.runtimeStatus ?? '');
  await engine.stop();
}
void run();
