// `npm run clock`: shows or moves the clock of a running instance, through its guarded endpoint, and prints where it stands when all that became due has settled.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const USAGE = 'npm run clock -- show | advance P7D | set 2027-01-01T00:00:00Z [--data DIR]';

/** The value that env.sh exports under a name. */
function exported(environment: string, name: string): string {
  const value = new RegExp(`^export ${name}='(.*)'$`, 'm').exec(environment)?.[1];
  if (value === undefined) throw new Error(`env.sh has no ${name}. Start the instance anew.`);
  return value.replaceAll("'\\''", "'");
}

function readEnvironment(dataDir: string): string {
  try {
    return readFileSync(join(dataDir, 'env.sh'), 'utf8');
  } catch {
    throw new Error(`There is no instance in ${dataDir}. Start one with npm start, or name its folder with --data.`);
  }
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { data: { type: 'string', default: '.local' } } });
  const [command, argument] = positionals;
  const isKnown = command === 'show' ? argument === undefined : (command === 'advance' || command === 'set') && argument !== undefined;
  if (!isKnown || positionals.length > 2) throw new Error(`Usage: ${USAGE}`);
  const environment = readEnvironment(values.data);
  const response = await fetch(exported(environment, 'MHSM_CLOCK_URL'), {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-clock-token': exported(environment, 'MHSM_CLOCK_TOKEN') },
    body: JSON.stringify({ [command as string]: argument ?? true }),
  }).catch(() => {
    throw new Error(`The instance of ${values.data} does not answer. Is it running?`);
  });
  const answer = (await response.json()) as { readonly now?: string; readonly error?: { readonly message?: string } | string };
  if (!response.ok) throw new Error(typeof answer.error === 'string' ? answer.error : (answer.error?.message ?? `The clock answered ${response.status}.`));
  console.log(answer.now);
}

main().catch((error: unknown) => {
  console.error((error as Error).message);
  process.exit(1);
});
