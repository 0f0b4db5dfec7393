// Docs equal code: tables of README and ARCHITECTURE are made from the code, differences are listed, nothing of one machine stands in the repo. `UPDATE_DOCS=1 npx jest tidy` writes the tables.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { settings } from '../shared/settings';
import { errorTable, lifecycleTable, operationTable, roleTable, settingTable } from './tidy/tables';

const ROOT = join(__dirname, '..');
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n');
const textOf = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

Object.assign(process.env, {
  AZURE_FUNCTIONS_ENVIRONMENT: 'Development',
  AzureWebJobsStorage: 'UseDevelopmentStorage=true',
  TENANT_ID: '11111111-1111-4111-8111-111111111111',
  SUBSCRIPTIONS: '22222222-2222-4222-8222-222222222222=Local',
});

const keyOperations = async () => {
  const [{ keys }, { deletedKeys }] = await Promise.all([import('../functions/keys'), import('../functions/deletedKeys')]);
  return [...keys, ...deletedKeys];
};

const operations = async () => {
  const [{ managedHsms }, { deletedManagedHsms }, { resourceManager }] = await Promise.all([
    import('../functions/managedHsms'),
    import('../functions/deletedManagedHsms'),
    import('../functions/resourceManager'),
  ]);
  return [...managedHsms, ...deletedManagedHsms, ...resourceManager];
};

const generated: readonly { readonly file: string; readonly name: string; readonly table: () => Promise<string> | string }[] = [
  { file: 'ARCHITECTURE.md', name: 'lifecycle', table: lifecycleTable },
  { file: 'README.md', name: 'operations', table: async () => operationTable(await operations()) },
  { file: 'README.md', name: 'keyOperations', table: async () => operationTable(await keyOperations()) },
  { file: 'README.md', name: 'roles', table: roleTable },
  { file: 'README.md', name: 'settings', table: () => settingTable(settings) },
  { file: 'README.md', name: 'errors', table: errorTable },
];

test.each(generated)('the table "$name" of $file is what the code says', async ({ file, name, table }) => {
  const [begin, end] = [`<!-- ${name}: made from the code -->\n`, `\n<!-- /${name} -->`];
  const text = textOf(file);
  const made = await table();
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(end);
  expect([text.includes(begin), to >= from]).toEqual([true, true]);
  if (process.env.UPDATE_DOCS) writeFileSync(join(ROOT, file), text.slice(0, from) + made + text.slice(to));
  else expect(text.slice(from, to)).toBe(made);
});

test('README lists each deliberate difference that the code marks', () => {
  const sources = tracked.filter((file) => /^(functions|shared|local)\/.*\.ts$/.test(file) && !file.includes('/test/') && !file.startsWith('local/host/'));
  const marks = sources.flatMap((file) => [...textOf(file).matchAll(/@NOTE differs: ([^\n*]+)/g)].map((match) => (match[1] as string).trim()));
  const readme = textOf('README.md').replaceAll(/\s+/g, ' ').toLowerCase();
  expect(marks.filter((mark) => !readme.includes(mark.replaceAll(/\s+/g, ' ').toLowerCase()))).toEqual([]);
  expect(marks.length).toBeGreaterThan(2);
});

test('every source file opens with what it owns', () => {
  const sources = tracked.filter((file) => /\.ts$/.test(file) && !file.endsWith('.d.ts'));
  expect(sources.filter((file) => !/^(\/\/ |\/\*\*)/.test(textOf(file)))).toEqual([]);
});

test('the lock file names no place to download from, and the pins are exact', () => {
  expect(textOf('package-lock.json')).not.toMatch(/"resolved": *"/);
  const { dependencies, devDependencies } = JSON.parse(textOf('package.json')) as Record<string, Record<string, string>>;
  expect(Object.entries({ ...dependencies, ...devDependencies }).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test('the lock file knows the binaries of every platform, or npm ci refuses it', () => {
  const { packages } = JSON.parse(textOf('package-lock.json')) as { packages: Record<string, { optionalDependencies?: Record<string, string> }> };
  const wanted = Object.values(packages).flatMap(({ optionalDependencies = {} }) =>
    Object.entries(optionalDependencies).flatMap(([name, version]) => (/^\d/.test(version) ? [name] : [])),
  );
  expect(wanted.filter((name) => !packages[`node_modules/${name}`])).toEqual([]);
  expect(wanted.length).toBeGreaterThan(20);
});

test('host.json and the app agree on the function time-out, and Durable keeps inputs out of its traces', async () => {
  const { FUNCTION_TIMEOUT_SECONDS } = await import('../shared/settings');
  const host = JSON.parse(textOf('host.json')) as {
    functionTimeout: string;
    extensions: { durableTask: { hubName: string; tracing: { traceInputsAndOutputs: boolean } }; queues: { maxDequeueCount: number } };
  };
  const [hours, minutes, seconds] = host.functionTimeout.split(':').map(Number) as [number, number, number];
  expect(hours * 3600 + minutes * 60 + seconds).toBe(FUNCTION_TIMEOUT_SECONDS);
  expect(host.extensions.durableTask.tracing.traceInputsAndOutputs).toBe(false);
  expect(host.extensions.durableTask.hubName).toMatch(/^[A-Za-z][A-Za-z0-9]{2,49}$/);
  expect(host.extensions.queues.maxDequeueCount).toBe(5);
});
