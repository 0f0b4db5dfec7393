// Makes each language's client ready to run: finds the language, installs the pinned packages into a cache of our own outside of the repo, each within its time.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Each language has one for HSMs and one for keys. */
export type Program = 'client' | 'keys';

export type Prepared =
  | { readonly kind: 'ready'; command(program: Program): readonly string[]; readonly env: NodeJS.ProcessEnv; readonly versions: string }
  | { readonly kind: 'missing'; readonly why: string };

export type Ran = { readonly exit: number | string; readonly out: string; readonly err: string };

const INSTALL_MS_MAX = 300_000;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** Not in the data folder of `npm start`, which takes no foreign files, and not in what is deployed. */
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'managed-hsm-clients');

/** Never throws: a program that is not there ends with ENOENT, one that is killed at its time with SIGTERM. */
export const run = ([program = '', ...words]: readonly string[], options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string; readonly timeoutMs: number }): Promise<Ran> =>
  new Promise((settle) => {
    const { timeoutMs, ...rest } = options;
    execFile(program, words, { ...rest, timeout: timeoutMs, maxBuffer: OUTPUT_BYTES_MAX }, (error, out, err) =>
      settle({ exit: error === null ? 0 : (error.code ?? error.signal ?? 'unknown'), out, err }),
    );
  });

/** @throws Error with what the program said */
async function must(command: readonly string[], options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string }): Promise<string> {
  const { exit, out, err } = await run(command, { ...options, timeoutMs: INSTALL_MS_MAX });
  if (exit !== 0) throw new Error(`${command.slice(0, 3).join(' ')} ended with ${exit}: ${(err || out).slice(-2000)}`);
  return out;
}

const answers = async (command: readonly string[]): Promise<boolean> => (await run(command, { timeoutMs: INSTALL_MS_MAX })).exit === 0;

const packageVersion = (name: string): string =>
  `${name} ${(JSON.parse(readFileSync(join(__dirname, '..', '..', '..', 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version}`;

/** Its packages are development dependencies of this repo. */
export const prepareJavaScript = async (folder: string): Promise<Prepared> => ({
  kind: 'ready',
  command: (program) => [process.execPath, join(folder, `${program}.js`)],
  env: {},
  versions: `Node ${process.versions.node}, ${['@azure/arm-keyvault', '@azure/keyvault-keys', '@azure/identity'].map(packageVersion).join(', ')}`,
});

/** A virtual environment for each list of pins and each Python; one whose install was broken off is made anew. */
export async function preparePython(folder: string): Promise<Prepared> {
  if (!(await answers(['python3', '--version']))) return { kind: 'missing', why: 'there is no python3 here' };
  const pins = readFileSync(join(folder, 'requirements.txt'), 'utf8');
  const python = await must(['python3', '-c', 'import sys; print(sys.version, sys.executable)'], {});
  const environment = join(CACHE, `python-${createHash('sha256').update(pins).update(python).digest('hex').slice(0, 16)}`);
  const finished = join(environment, 'finished');
  if (!existsSync(finished)) {
    rmSync(environment, { recursive: true, force: true });
    await must(['python3', '-m', 'venv', environment], {});
    await must([join(environment, 'bin', 'pip'), 'install', '--quiet', '--disable-pip-version-check', '-r', join(folder, 'requirements.txt')], {});
    writeFileSync(finished, '');
  }
  const versions = pins.split('\n').filter((line) => /^azure-(identity|keyvault-keys|mgmt-keyvault)==/.test(line));
  return {
    kind: 'ready',
    command: (program) => [join(environment, 'bin', 'python'), join(folder, `${program}.py`)],
    env: { PYTHONDONTWRITEBYTECODE: '1' },
    versions: [`Python ${python.split(' ')[0]}`, ...versions].join(', '),
  };
}

/** go.sum holds the modules to the pinned ones; their cache is our own. */
export async function prepareGo(folder: string): Promise<Prepared> {
  if (!(await answers(['go', 'version']))) return { kind: 'missing', why: 'there is no go here' };
  const modules = join(CACHE, 'go');
  mkdirSync(modules, { recursive: true });
  const built = (program: Program) => join(modules, program);
  const env = { ...process.env, GOMODCACHE: join(modules, 'mod'), GOFLAGS: '-mod=readonly -modcacherw' };
  for (const [program, source] of [
    ['client', '.'],
    ['keys', './keys'],
  ] as const)
    await must(['go', 'build', '-o', built(program), source], { cwd: folder, env });
  const pins = [...readFileSync(join(folder, 'go.mod'), 'utf8').matchAll(/\/(azidentity|armkeyvault|azkeys) (v\S+)/g)].map(([, name, version]) => `${name} ${version}`);
  return { kind: 'ready', command: (program) => [built(program)], env: {}, versions: [(await must(['go', 'version'], {})).split(' ')[2], ...pins].join(', ') };
}
