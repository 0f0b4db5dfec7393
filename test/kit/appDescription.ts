// What the compiled app registers, as a host sees it, and its tables of operations. Read in a process of its own: loading the app leaves its mark on the process that does it.
import { fork } from 'node:child_process';
import { join, resolve } from 'node:path';
import { loadApp } from '../../local/host/appFiles';
import { createFunctionsCore } from '../../local/host/functionsCore';
import type { KeyOperation } from '../../shared/http/dataPlane';
import type { Operation } from '../../shared/http/operation';
import { SUBSCRIPTION_ID, TENANT_ID } from './service';

export type AppFunction = { readonly name: string /** `httpTrigger`, `timerTrigger`, … */; readonly trigger: string; readonly route: string; readonly methods: readonly string[] };
export type AppDescription = { readonly functions: readonly AppFunction[]; readonly operations: readonly Omit<Operation | KeyOperation, 'handle'>[] };

const ROOT = resolve(__dirname, '..', '..').replace(/\/dist$/, '');

/** Wants dist to be built. */
export function describeApp(): Promise<AppDescription> {
  const env = {
    ...process.env,
    AZURE_FUNCTIONS_ENVIRONMENT: 'Development',
    AzureWebJobsStorage: 'UseDevelopmentStorage=true',
    TENANT_ID,
    SUBSCRIPTIONS: `${SUBSCRIPTION_ID}=Local`,
  };
  const child = fork(join(ROOT, 'dist/test/kit/appDescription.js'), { cwd: ROOT, env, execArgv: [] });
  return new Promise((settle, fail) => {
    child.once('message', (message) => settle(message as AppDescription));
    child.once('exit', (code) => fail(new Error(`the app could not be loaded: ${code}`)));
  });
}

async function describe(): Promise<AppDescription> {
  const core = createFunctionsCore({ log: () => undefined, timeoutMs: undefined, isDisabled: () => false });
  core.install();
  await loadApp(ROOT, (require(join(ROOT, 'package.json')) as { readonly main: string }).main);
  const functions = core
    .functions()
    .map(({ name, trigger }) => ({ name, trigger: trigger.type, route: String(trigger.route ?? ''), methods: (trigger.methods ?? []) as string[] }));
  const loaded = Object.values(require.cache).filter((module) => module?.filename.startsWith(join(ROOT, 'dist/functions')));
  const tables = loaded.flatMap((module) => Object.values(module?.exports as object).filter(Array.isArray)) as (readonly (Operation | KeyOperation)[])[];
  return { functions, operations: tables.flat().map(({ handle: _, ...row }) => row) };
}

if (require.main === module)
  void describe().then((description) => {
    process.send?.(description);
    process.disconnect();
  });
