/** Finds and loads the entry points of an app by its package.json `main`, which may be a glob. */
import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** Loads every file that `main` names, in the order of their names. Throws an Error that names the file that fails. */
export async function loadApp(appRoot: string, main: string): Promise<void> {
  const files = await filesOf(appRoot, main);
  if (files.length === 0) throw new Error(`"main" of ${join(appRoot, 'package.json')} is "${main}", and no such file exists. Is the app built?`);
  const load = createRequire(join(appRoot, 'package.json'));
  for (const file of files) {
    try {
      load(file);
    } catch (error) {
      throw new Error(`Worker was unable to load entry point "${file}": ${(error as Error).message}`, { cause: error });
    }
  }
}

/** Matches `*`, `**` and `{a,b}`; without one of them the text is a path. */
export function globPattern(glob: string): RegExp {
  const source = glob
    .replace(/^\.\//, '')
    .replace(/[.+^$()|[\]\\]/g, '\\$&')
    .replace(/\{([^{}]*)\}/g, (_, list: string) => `(?:${list.split(',').join('|')})`)
    .replace(/\*\*\/|\*\*|\*|\?/g, (wildcard) => ({ '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]' })[wildcard] as string);
  return new RegExp(`^${source}$`);
}

async function filesOf(appRoot: string, main: string): Promise<readonly string[]> {
  if (!/[*?{]/.test(main)) {
    try {
      return [createRequire(join(appRoot, 'package.json')).resolve(join(appRoot, main))];
    } catch {
      return [];
    }
  }
  const pattern = globPattern(main);
  const fixed = main.split('/').filter((_, index, parts) => !parts.slice(0, index + 1).some((part) => /[*?{]/.test(part)));
  const found = await filesUnder(appRoot, fixed.join('/'));
  return found
    .filter((path) => pattern.test(path))
    .sort()
    .map((path) => join(appRoot, path));
}

async function filesUnder(appRoot: string, folder: string): Promise<readonly string[]> {
  const prefix = folder.replace(/^\.\/?/, '');
  const entries = await readdir(join(appRoot, prefix), { withFileTypes: true }).catch(() => []);
  const nested = entries.map(async (entry) => {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesUnder(appRoot, path);
    return [path];
  });
  return (await Promise.all(nested)).flat();
}
