// Runs the scenarios with each published SDK, each on an instance of its own and behind nothing but its env.sh, and holds what it brought against the tables. The last line is `N passed, N failed, N skipped`.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { runInstance } from '../kit/instance';
import type { KeyStep, KeysScenario } from './keysScenario';
import { keysMeasured, unriddenTransitions } from './keysTraffic';
import { type Prepared, type Program, prepareGo, prepareJavaScript, preparePython, run } from './prepare';
import type { Outcome, Scenario, Step } from './scenario';

/** The sources: compiled files stand in dist, tables and the programs of other languages do not. */
const FOLDER = resolve(__dirname, '..', '..', '..', 'test', 'clients');
const CLIENT_MS_MAX = 240_000;
const DAY_MS = 86_400_000;

const clients: Readonly<Record<string, () => Promise<Prepared>>> = {
  javascript: () => prepareJavaScript(join(__dirname, 'javascript')),
  python: () => preparePython(join(FOLDER, 'python')),
  go: () => prepareGo(join(FOLDER, 'go')),
};

type Result = { readonly passed: number; readonly failed: number; readonly skipped: number };
type Check = {
  readonly rule: string;
  /** Lines that break it. */
  readonly faults: readonly string[];
};

/** One scenario under one set of settings. */
type Suite = {
  readonly name: string;
  readonly program: Program;
  readonly table: string;
  readonly settings: NodeJS.ProcessEnv;
  readonly scenario: { readonly group: string; readonly location: string; readonly administrator: string; readonly hsm?: string; readonly steps: readonly (Step | KeyStep)[] };
  /** One program's outcomes, made comparable. */
  measured(outcomes: readonly Outcome[]): readonly Outcome[];
  /** What else is asked of the edge's log; always as many checks. */
  readonly checks: (requests: readonly string[]) => readonly Check[];
};

const tableOf = <S>(file: string): { readonly table: string; readonly scenario: S } => {
  const table = join(FOLDER, file);
  return { table, scenario: JSON.parse(readFileSync(table, 'utf8')) as S };
};

const served = (requests: readonly string[]): Check => ({
  rule: 'every request was for a name of ours and was served',
  faults: requests.filter((line) => / 5\d\d$/.test(line)),
});

const keys = (transitionSeconds: number): Suite => {
  const from = tableOf<KeysScenario>('keysScenario.json');
  return {
    ...from,
    name: `keys, ${transitionSeconds} s in transition`,
    program: 'keys',
    settings: { TRANSITION_SECONDS: String(transitionSeconds) },
    measured: (outcomes) => keysMeasured(from.scenario.steps, outcomes.map(daysBetween)),
    checks: (requests) => [
      served(requests),
      {
        rule: `each deletion and recovery was asked for once, and its poller ${transitionSeconds > 0 ? 'rode out the 404s' : 'met no 404'}`,
        faults: unriddenTransitions(from.scenario.steps, requests, transitionSeconds > 0),
      },
    ],
  };
};

const suites: readonly Suite[] = [
  {
    ...tableOf<Scenario>('scenario.json'),
    name: 'HSMs',
    program: 'client',
    settings: {},
    measured: (outcomes) => outcomes.map(daysBetween),
    checks: (requests) => [served(requests)],
  },
  keys(0),
  keys(3),
];

const checksOf = ({ scenario, checks }: Suite): number => scenario.steps.length + checks([]).length;
const CHECKS = suites.reduce((sum, suite) => sum + checksOf(suite), 0);

const titleOf = (step: Step | KeyStep): string => {
  const of = 'key' in step ? step.key : 'hsm' in step ? step.hsm : undefined;
  return `${step.do}${of ? ` ${of}` : ''}${'status' in step.expect ? ` (refused ${step.expect.status})` : ''}`;
};

/** Two instants become the days between them. */
function daysBetween({ deletedAt, purgeAt, ...rest }: Outcome): Outcome {
  return deletedAt === undefined ? rest : { ...rest, daysToPurge: (Date.parse(String(purgeAt)) - Date.parse(String(deletedAt))) / DAY_MS };
}

/** @returns how many failed */
async function runSuite(name: string, suite: Suite, prepared: Extract<Prepared, { kind: 'ready' }>): Promise<number> {
  const { group, location, administrator, hsm, steps } = suite.scenario;
  const instance = await runInstance({ env: { ...process.env, ...suite.settings } });
  try {
    const env = instance.sourced();
    const place = [group, location, ...(hsm === undefined ? [] : [hsm, administrator])];
    const made = await run([process.execPath, join(__dirname, 'javascript', 'group.js'), ...place], { env, timeoutMs: CLIENT_MS_MAX });
    if (made.exit !== 0) throw new Error(`What the scenario stands on could not be made: ${made.err}`);
    await instance.requests();
    const { out, err, exit } = await run([...prepared.command(suite.program), suite.table], { env: { ...env, ...prepared.env }, timeoutMs: CLIENT_MS_MAX });
    const lines = out.split('\n').filter((line) => line !== '');
    const outcomes = suite.measured(lines.map((line) => JSON.parse(line) as Outcome));
    let failed = 0;
    const told = (isRight: boolean, what: string, ...more: readonly string[]): void => {
      if (!isRight) failed += 1;
      console.log([`${isRight ? '  ok  ' : 'FAILED'} ${name} ${suite.name} ${what}`, ...(isRight ? [] : more)].join('\n         '));
    };
    for (const [at, step] of steps.entries())
      told(
        isDeepStrictEqual(outcomes[at], step.expect),
        `${at + 1} ${titleOf(step)}`,
        `brought ${JSON.stringify(outcomes[at]) ?? 'nothing'}`,
        `wanted  ${JSON.stringify(step.expect)}`,
      );
    if (exit !== 0) console.log(`         ${name} ended with ${exit}: ${err.slice(-2000)}`);
    const requests = await instance.requests();
    for (const { rule, faults } of suite.checks(requests)) told(faults.length === 0, rule, ...faults);
    return failed;
  } finally {
    await instance.stop();
  }
}

async function runClient(name: string, prepared: Extract<Prepared, { kind: 'ready' }>): Promise<Result> {
  let failed = 0;
  for (const suite of suites)
    failed += await runSuite(name, suite, prepared).catch((error: unknown) => {
      console.log(`FAILED ${name} ${suite.name}: ${(error as Error).message}`);
      return checksOf(suite);
    });
  return { passed: CHECKS - failed, failed, skipped: 0 };
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
