// `npm run reset`: removes the data folder of an instance, after asking. Only a folder that an instance made, and only while none runs on it.
import { existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { MARKER_FILE } from './instance';

const USAGE = 'npm run reset -- [--data DIR] [--yes]';
const ANSWER_MS_MAX = 2_000;

/** Whether an instance answers on the clock's port, with the token of this folder: no other program would. */
async function isRunning(dataDir: string): Promise<boolean> {
  const file = join(dataDir, 'env.sh');
  if (!existsSync(file)) return false;
  const text = readFileSync(file, 'utf8');
  const [url, token] = ['MHSM_CLOCK_URL', 'MHSM_CLOCK_TOKEN'].map((name) => new RegExp(`^export ${name}='([^']*)'$`, 'm').exec(text)?.[1]);
  if (url === undefined || token === undefined) return false;
  const headers = { 'content-type': 'application/json', 'x-clock-token': token };
  return fetch(url, { method: 'POST', headers, body: '{"show":true}', signal: AbortSignal.timeout(ANSWER_MS_MAX) }).then(
    (response) => response.ok,
    () => false,
  );
}

/** The end of input is a no. */
async function ask(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await new Promise<string>((settle) => {
    terminal.once('close', () => settle(''));
    terminal.question(question).then(settle, () => settle(''));
  });
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { data: { type: 'string', default: '.local' }, yes: { type: 'boolean', default: false } } });
  if (!existsSync(values.data)) return console.log(`There is no ${values.data}: nothing to remove.`);
  const dataDir = realpathSync(values.data);
  if (!existsSync(join(dataDir, MARKER_FILE))) throw new Error(`${dataDir} is no data folder of an instance (it has no ${MARKER_FILE}). Nothing was removed.`);
  if (await isRunning(dataDir)) throw new Error(`An instance runs on ${dataDir}. Stop it first. Nothing was removed.`);
  if (!values.yes && !(await ask(`Remove ${dataDir} with every HSM in it? [y/N] `))) throw new Error('Nothing was removed.');
  rmSync(dataDir, { recursive: true });
  console.log(`${dataDir} is removed.`);
}

main().catch((error: unknown) => {
  const { code, message } = error as NodeJS.ErrnoException;
  console.error(message);
  if (String(code).startsWith('ERR_PARSE_ARGS')) console.error(`Usage: ${USAGE}`);
  process.exit(1);
});
