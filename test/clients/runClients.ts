// Runs the scenario with each published SDK, each on an instance of its own and behind nothing but its env.sh, and holds what it brought against the table. The last line is `N passed, N failed, N skipped`.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { runInstance } from '../kit/instance';
import { type Prepared, prepareGo, prepareJavaScript, preparePython, run } from './prepare';
import type { Outcome, Scenario, Step } from './scenario';

/** The sources: compiled files stand in dist, tables and the programs of other languages do not. */
const FOLDER = resolve(__dirname, '..', '..', '..', 'test', 'clients');
const TABLE = join(FOLDER, 'scenario.json');
const CLIENT_MS_MAX = 240_000;
const DAY_MS = 86_400_000;

const clients: Readonly<Record<string, () => Promise<Prepared>>> = {
  javascript: () => prepareJavaScript(join(__dirname, 'javascript', 'client.js')),
  python: () => preparePython(join(FOLDER, 'python')),
  go: () => prepareGo(join(FOLDER, 'go')),
};

type Result = { readonly passed: number; readonly failed: number; readonly skipped: number };

const { group, location, steps } = JSON.parse(readFileSync(TABLE, 'utf8')) as Scenario;
/** Each step, and that every request was served here. */
const CHECKS = steps.length + 1;

const titleOf = ({ do: call, hsm, expect }: Step): string => `${call}${hsm ? ` ${hsm}` : ''}${'status' in expect ? ` (refused ${expect.status})` : ''}`;

/** Two instants become the days between them. */
function measured({ deletedAt, purgeAt, ...rest }: Outcome): Outcome {
  return deletedAt === undefined ? rest : { ...rest, daysToPurge: (Date.parse(String(purgeAt)) - Date.parse(String(deletedAt))) / DAY_MS };
}

async function runClient(name: string, prepared: Extract<Prepared, { kind: 'ready' }>): Promise<Result> {
  const instance = await runInstance();
  try {
    const env = instance.sourced();
    const made = await run([process.execPath, join(__dirname, 'javascript', 'group.js'), group, location], { env, timeoutMs: CLIENT_MS_MAX });
    if (made.exit !== 0) throw new Error(`The resource group could not be made: ${made.err}`);
    await instance.requests();
    const { out, err, exit } = await run([...prepared.command, TABLE], { env: { ...env, ...prepared.env }, timeoutMs: CLIENT_MS_MAX });
    const lines = out.split('\n').filter((line) => line !== '');
    let failed = 0;
    for (const [at, step] of steps.entries()) {
      const outcome = lines[at] === undefined ? undefined : measured(JSON.parse(lines[at]) as Outcome);
      const isRight = isDeepStrictEqual(outcome, step.expect);
      if (!isRight) failed += 1;
      console.log(`${isRight ? '  ok  ' : 'FAILED'} ${name} ${at + 1} ${titleOf(step)}`);
      if (!isRight) console.log(`         brought ${JSON.stringify(outcome) ?? 'nothing'}\n         wanted  ${JSON.stringify(step.expect)}`);
    }
    if (exit !== 0) console.log(`         ${name} ended with ${exit}: ${err.slice(-2000)}`);
    const unserved = (await instance.requests()).filter((line) => / 5\d\d$/.test(line));
    console.log(
      `${unserved.length === 0 ? '  ok  ' : 'FAILED'} ${name} every request was for a name of ours and was served${unserved.map((line) => `\n         ${line}`).join('')}`,
    );
    if (unserved.length > 0) failed += 1;
    return { passed: CHECKS - failed, failed, skipped: 0 };
  } finally {
    await instance.stop();
  }
}

/** A language that is not on this machine is left out by name; in CI that fails. */
async function runLanguage(name: string, prepare: () => Promise<Prepared>): Promise<Result> {
  try {
    const prepared = await prepare();
    if (prepared.kind === 'ready') {
      console.log(`${name}: ${prepared.versions}`);
      return await runClient(name, prepared);
    }
    console.log(`${process.env.CI ? 'FAILED' : 'skipped'} ${name}: ${prepared.why}`);
    return process.env.CI ? { passed: 0, failed: CHECKS, skipped: 0 } : { passed: 0, failed: 0, skipped: CHECKS };
  } catch (error) {
    console.log(`FAILED ${name}: ${(error as Error).message}`);
    return { passed: 0, failed: CHECKS, skipped: 0 };
  }
}

async function main(names: readonly string[]): Promise<void> {
  const unknown = names.filter((name) => !(name in clients));
  if (unknown.length > 0) throw new Error(`Unknown: ${unknown.join(', ')}. Known: ${Object.keys(clients).join(', ')}.`);
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const [name, prepare] of Object.entries(clients)) {
    if (names.length > 0 && !names.includes(name)) continue;
    const { passed, failed, skipped } = await runLanguage(name, prepare);
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  }
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  process.exitCode = total.failed > 0 || total.passed + total.skipped === 0 ? 1 : 0;
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error((error as Error).message);
  process.exitCode = 1;
});
