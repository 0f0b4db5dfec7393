// The real az: which one, how it is run against an instance, and the edge's log in the notation of its recorded sequences.
import { execFile, execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { RunningInstance } from './instance';

export type AzAnswer = {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
  /** What was printed on standard output, as JSON, without members that are null: each version of az adds some of its own. */
  readonly json: unknown;
};

export type AzRun = AzAnswer & {
  /** Requests that were answered, in the notation of the recordings. */
  readonly asked: readonly string[];
  /** The same, as the edge logged them. */
  readonly lines: readonly string[];
  /** Hosts to which no tunnel was opened. */
  readonly refused: readonly string[];
};

const COMMAND_MS_MAX = 60_000;

/** No background process that outlives the command, no colours. */
const QUIET = { AZURE_CORE_COLLECT_TELEMETRY: 'no', AZURE_CORE_NO_COLOR: 'yes', PYTHONWARNINGS: 'ignore' };

/** `$AZ`, else az on the PATH, else undefined. */
export function findAz(): string | undefined {
  if (process.env.AZ) return process.env.AZ;
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'az'))
    .find(isExecutable);
}

/** Declares a test of az. Where there is none it is skipped, and says why in its name; in CI it fails. */
export function testWithAz(az: string | undefined, name: string, run: (az: string) => Promise<void>): void {
  if (az !== undefined) test(name, () => run(az));
  else if (process.env.CI) test(name, () => Promise.reject(new Error('There is no az: in CI its tests may not be left out.')));
  else {
    process.stderr.write(`skipped, for there is no az here (name one by AZ, or put it on the PATH): ${name}\n`);
    test.skip(`${name} (no az here)`, () => undefined);
  }
}

/** Such as `2.74`. */
export const azVersion = (az: string, env: NodeJS.ProcessEnv): string => {
  const printed = execFileSync(az, ['version', '--query', '"azure-cli"', '-o', 'tsv'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], env: { ...env, ...QUIET } });
  return printed.trim().split('.').slice(0, 2).join('.');
};

export const runAz = (az: string, env: NodeJS.ProcessEnv, words: readonly string[]): Promise<AzAnswer> =>
  new Promise((settle) => {
    execFile(az, [...words], { env: { ...env, ...QUIET }, timeout: COMMAND_MS_MAX }, (error, out, err) => {
      const exit = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      settle({ exit, out, err, json: /^\s*[[{]/.test(out) ? withoutNulls(JSON.parse(out)) : undefined });
    });
  });

/** Runs one command at a time, and says what the edge was asked meanwhile. */
export function azOn(instance: RunningInstance, az: string): (command: string) => Promise<AzRun> {
  const env = instance.sourced();
  return async (command) => {
    const answer = await runAz(az, env, wordsOf(command));
    const logged = await instance.requests();
    const lines = logged.filter((line) => !line.startsWith('CONNECT '));
    const refused = logged.filter((line) => line.startsWith('CONNECT ') && !line.endsWith(' 200'));
    return {
      ...answer,
      lines,
      asked: lines.map((line) => notation(line, String(env.MHSM_SUBSCRIPTION))),
      refused: refused.map((line) => new URL(line.split(' ')[1] as string).hostname),
    };
  };
}

/** Words are set apart by spaces; one in single quotes may have some. */
const wordsOf = (command: string): readonly string[] => [...command.matchAll(/'([^']*)'|\S+/g)].map((match) => match[1] ?? match[0]);

/** `METHOD PATH STATUS`, with ARM for the subscription and KV for the provider; no ids, no query but a filter. */
function notation(line: string, subscription: string): string {
  const [method, address = '', status] = line.split(' ');
  const { host, pathname, searchParams } = new URL(address);
  const path = pathname
    .replace(`/subscriptions/${subscription}`, '')
    .replace(/\/providers\/Microsoft\.KeyVault(?=\/|$)/i, '/KV')
    .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'GUID');
  const filter = searchParams.get('$filter');
  return `${method} ${host === 'management.azure.com' ? 'ARM' : host}${path}${filter === null ? '' : `?${filter}`} ${status}`;
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null)
      .map(([name, member]) => [name, withoutNulls(member)]),
  );
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
