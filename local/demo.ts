// `npm run demo`: the life of a soft-deleted HSM in a few seconds, with the published SDK against an instance of its own. This process holds the instance; the client is another one (demoClient), in the environment that env.sh gives: Node reads it at its start only.
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import picocolors from 'picocolors';
import { tables } from '../shared/adapters/tables';
import type { HsmDebt } from '../shared/domain/managedHsm';
import { ranges } from '../shared/domain/rows';
import { type Instance, startInstance } from './instance';

const USAGE = 'npm run demo -- [--advance P7DT2S]';
/** Half a minute past the hour: minutes away from the next sweep, so that what purges is the deletion's own timer. */
const CLOCK_AT = Date.UTC(2027, 0, 1, 9, 0, 30);
/** The retention of the demo's HSM, and a moment. */
const ADVANCE = 'P7DT2S';
const DEMO_MS_MAX = 60_000;

/** The variables that a shell has after `. env.sh`, over those of this process. */
function sourced(dataDir: string): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const line of readFileSync(join(dataDir, 'env.sh'), 'utf8').split('\n')) {
    const [, unset, name, value] = /^(?:unset (\w+)|export (\w+)='(.*)')$/.exec(line) ?? [];
    if (unset) delete env[unset];
    if (name !== undefined && value !== undefined) env[name] = value.replaceAll("'\\''", "'");
  }
  return env;
}

/** @returns the client's exit code: 0 if each step was as it should be */
async function runClient(instance: Instance, advance: string): Promise<number> {
  // Later releases of Node warn that their proxy support is new.
  const client = fork(join(__dirname, 'demoClient.js'), [advance], { env: { ...sourced(instance.dataDir), NODE_NO_WARNINGS: '1' }, execArgv: [], timeout: DEMO_MS_MAX });
  // Ctrl-C reaches the client too: its end is then awaited here, and the instance stopped.
  process.once('SIGINT', () => undefined);
  return new Promise((settle, fail) => {
    client.once('error', fail);
    client.once('exit', (code) => settle(code ?? 1));
  });
}

/** What purged each HSM, by the debts that their purges left. */
async function purgedBy(): Promise<readonly string[]> {
  const { store } = tables({ connectionString: String(process.env.AzureWebJobsStorage) }, { offsetSeconds: () => 0 });
  const { found } = await store.page<HsmDebt>({ table: 'hsms', ...ranges.debts }, 10);
  return found.rows.map(({ value }) => value.by);
}

/** Runs the client, then asks storage what it cannot know. @returns the exit code */
async function run(instance: Instance, advance: string): Promise<number> {
  const code = await runClient(instance, advance);
  if (code !== 0) return code;
  const by = await purgedBy();
  const isTimer = by.length === 1 && by[0] === 'timer';
  const title = 'purged by its timer';
  if (!isTimer) console.log(`${picocolors.red('✗')} ${picocolors.bold(title)}\n    purged by  ${by.join(', ') || 'nothing'}`);
  else console.log(`${picocolors.green('✓')} ${picocolors.bold(title)}`);
  return isTimer ? 0 : 1;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { advance: { type: 'string', default: ADVANCE } } });
  const instance = await startInstance({ inMemory: true, dataDir: '', port: 0, clockAt: CLOCK_AT, log: (line) => void (/\[error\]|ALARM/.test(line) && console.error(line)) });
  const code = await run(instance, values.advance).finally(() => instance.stop());
  process.exit(code);
}

main().catch((error: unknown) => {
  const { code, message } = error as NodeJS.ErrnoException;
  console.error(message);
  if (String(code).startsWith('ERR_PARSE_ARGS')) console.error(`Usage: ${USAGE}`);
  process.exit(1);
});
