/** The core module as @azure/functions and its neighbours meet it: registration, hooks, inputs and outputs, without any trigger. */
import { createFunctionsCore, FUNCTION_TIMEOUT, type NamedData, type RegisteredFunction } from '../functionsCore';

type Api = {
  registerFunction(metadata: object, callback: unknown): { dispose(): void };
  registerHook(name: string, hook: (context: Record<string, unknown>) => unknown): { dispose(): void };
  setProgrammingModel(model: object): void;
  log(level: string, category: string, message: string): void;
  Disposable: { from(...parts: { dispose(): void }[]): { dispose(): void } };
};
type Handler = (input: unknown) => unknown;

/** A programming model as small as can be: one input in, one value out. */
const model = {
  name: 'a model of this test',
  getInvocationModel: (coreContext: { request: { inputData: NamedData[] }; log(level: string, category: string, message: string): void }) => ({
    getArguments: async () => ({ context: coreContext, inputs: coreContext.request.inputData.map(({ data }) => data.string) }),
    invokeFunction: async (_: unknown, inputs: unknown[], callback: Handler) => callback(inputs),
    getResponse: async (_: unknown, result: unknown) => ({ returnValue: { string: String(result) }, outputData: [{ name: 'out', data: { string: `out ${String(result)}` } }] }),
  }),
};

function world(options: { readonly timeoutMs?: number; readonly disabled?: string } = {}) {
  const logged: string[] = [];
  const core = createFunctionsCore({ log: (...entry) => void logged.push(entry.join(' ')), timeoutMs: options.timeoutMs, isDisabled: (name) => name === options.disabled });
  const api = core.api as Api;
  api.setProgrammingModel(model);
  const register = (name: string, callback: Handler) =>
    api.registerFunction(
      { name, bindings: { in: { type: 'fooTrigger', direction: 'in' }, client: { type: 'client', direction: 'in' }, out: { type: 'sink', direction: 'out' } } },
      callback,
    );
  const invoke = (name: string, input = 'x') => core.invoke(core.functions().find((fn) => fn.name === name) as RegisteredFunction, [{ name: 'in', data: { string: input } }]);
  return { api, core, logged, register, invoke };
}

test('an invocation gets what providers give and hands outputs to their senders', async () => {
  const { core, register, invoke } = world();
  const sent: unknown[] = [];
  core.provideInput('client', () => ({ string: 'client' }));
  core.sendOutput('sink', async (binding, data) => void sent.push(binding.name, data.string));
  register('join', (inputs) => (inputs as string[]).join('+'));
  expect((await invoke('join')).returnValue).toEqual({ string: 'x+client' });
  expect(sent).toEqual(['out', 'out x+client']);
});

test('hooks may change inputs, callback and result, and share their data', async () => {
  const { api, register, invoke } = world();
  register('echo', (inputs) => inputs);
  api.registerHook('preInvocation', (context) => {
    context.inputs = ['changed'];
    (context.hookData as Record<string, unknown>).mark = '!';
  });
  api.registerHook('postInvocation', (context) => {
    context.result = `${context.result}${(context.hookData as Record<string, unknown>).mark}`;
  });
  expect((await invoke('echo')).returnValue).toEqual({ string: 'changed!' });
});

test('a postInvocation hook sees the error and may take it away', async () => {
  const { api, register, invoke } = world();
  register('fail', () => Promise.reject(new Error('no')));
  await expect(invoke('fail')).rejects.toThrow('no');
  api.registerHook('postInvocation', (context) => {
    expect(context.error).toEqual(new Error('no'));
    context.error = undefined;
    context.result = 'saved';
  });
  expect((await invoke('fail')).returnValue).toEqual({ string: 'saved' });
});

test('a hook that was disposed of does not run', async () => {
  const { api, register, invoke } = world();
  register('echo', (inputs) => inputs);
  const hook = api.registerHook('preInvocation', (context) => {
    context.inputs = ['changed'];
  });
  api.Disposable.from(hook).dispose();
  expect((await invoke('echo')).returnValue).toEqual({ string: 'x' });
});

test('an unknown hook is a RangeError of the system, as @azure/functions asks', () => {
  const { api } = world();
  expect(() => api.registerHook('nonsense', () => undefined)).toThrow(expect.objectContaining({ name: 'RangeError', isAzureFunctionsSystemError: true }));
});

test('log hooks change what the app says, not what the system says', () => {
  const { api, logged } = world();
  api.registerHook('log', (context) => {
    context.message = `(${context.message})`;
  });
  api.log('information', 'user', 'hello');
  api.log('information', 'system', 'hello');
  expect(logged).toEqual(['information Worker (hello)', 'information Worker hello']);
});

test('a second function of a name, and one that comes after the start, are refused', async () => {
  const { core, register } = world();
  register('one', () => undefined);
  expect(() => register('ONE', () => undefined)).toThrow('already registered');
  await core.startApp();
  expect(() => register('two', () => undefined)).toThrow('during app startup');
  expect(core.functions().map(({ name }) => name)).toEqual(['one']);
});

test('a function that is switched off is not there', () => {
  const { core, register } = world({ disabled: 'one' });
  register('one', () => undefined);
  register('two', () => undefined);
  expect(core.functions().map(({ name }) => name)).toEqual(['two']);
});

test('an execution over the time-out rejects by name and is listed until it ends, and after', async () => {
  const { core, register, invoke } = world({ timeoutMs: 10 });
  let end: () => void = () => undefined;
  register(
    'slow',
    () =>
      new Promise<void>((resolve) => {
        end = resolve;
      }),
  );
  await expect(invoke('slow')).rejects.toThrow(expect.objectContaining({ name: FUNCTION_TIMEOUT }));
  expect(core.executionsTimedOut()).toMatchObject([{ functionName: 'slow', ended: false }]);
  end();
  await new Promise((resolve) => setImmediate(resolve));
  expect(core.executionsTimedOut()).toMatchObject([{ functionName: 'slow', ended: true }]);
});
