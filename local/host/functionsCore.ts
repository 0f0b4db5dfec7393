/**
 * What `require('@azure/functions-core')` answers inside the host: the registry of functions and hooks, and how one function is invoked.
 * It owns the contract between @azure/functions and a host, and knows no trigger: callers bring the trigger's data in the worker's RPC form.
 */
import { randomUUID } from 'node:crypto';
import Module from 'node:module';

export type RpcNullableString = { readonly value: string };

export type RpcHttpCookie = {
  readonly name?: string;
  readonly value?: string;
  readonly domain?: RpcNullableString;
  readonly path?: RpcNullableString;
  readonly expires?: { readonly value: { readonly seconds: number } };
  readonly secure?: { readonly value: boolean };
  readonly httpOnly?: { readonly value: boolean };
  readonly sameSite?: string;
  readonly maxAge?: { readonly value: number };
};

export type RpcHttpData = {
  readonly method?: string;
  readonly url?: string;
  readonly nullableHeaders?: Readonly<Record<string, RpcNullableString>>;
  readonly nullableQuery?: Readonly<Record<string, RpcNullableString>>;
  readonly nullableParams?: Readonly<Record<string, RpcNullableString>>;
  readonly body?: RpcTypedData | null;
  readonly statusCode?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cookies?: readonly RpcHttpCookie[];
};

/** One value between host and function; one member is set. */
export type RpcTypedData = {
  readonly string?: string;
  readonly json?: string;
  readonly bytes?: Uint8Array;
  readonly int?: number;
  readonly double?: number;
  readonly http?: RpcHttpData;
};

export type NamedData = { readonly name: string; readonly data: RpcTypedData };
export type Binding = { readonly type: string; readonly direction: string; readonly name: string; readonly [more: string]: unknown };
export type RegisteredFunction = {
  readonly name: string;
  readonly id: string;
  readonly bindings: readonly Binding[];
  readonly trigger: Binding;
  readonly callback: unknown;
  readonly retryOptions?: unknown;
};
type InvocationResult = { readonly returnValue?: RpcTypedData; readonly outputData: readonly NamedData[] };

export type FunctionsCore = {
  /** In the order of registration, without those that are switched off. */
  functions(): readonly RegisteredFunction[];
  /**
   * Runs hooks and function once, fills inputs that have a provider, hands outputs to their senders.
   * Rejects with what the function threw, or with a FunctionTimeoutError while the function still runs.
   */
  invoke(fn: RegisteredFunction, inputs: readonly NamedData[], triggerMetadata?: Readonly<Record<string, RpcTypedData>>): Promise<InvocationResult>;
};

export type TimedOutExecution = { readonly functionName: string; readonly invocationId: string; readonly at: string; readonly ended: boolean };

export type HostCore = FunctionsCore & {
  /** What `require('@azure/functions-core')` answers: for a loader that `install` does not reach. */
  readonly api: object;
  /** Answers `require('@azure/functions-core')` in this process from now on. */
  install(): void;
  uninstall(): void;
  /** Ends registration and runs the appStart hooks. Throws if the app asked for what this host cannot do. */
  startApp(): Promise<void>;
  terminateApp(): Promise<void>;
  /** Input bindings of `type` get their data from `provide` at each invocation. */
  provideInput(type: string, provide: () => RpcTypedData): void;
  /** Output bindings of `type` are handed to `send` after each invocation. */
  sendOutput(type: string, send: (binding: Binding, data: RpcTypedData) => Promise<void>): void;
  onInvoked(listener: () => void): void;
  executionsTimedOut(): readonly TimedOutExecution[];
};

export type CoreOptions = {
  readonly log: (level: string, category: string, message: string) => void;
  /** Undefined: no limit. */
  readonly timeoutMs: number | undefined;
  readonly isDisabled: (name: string) => boolean;
};

type HookName = 'appStart' | 'appTerminate' | 'preInvocation' | 'postInvocation' | 'log';
type HookContext = Record<string, unknown>;
type Hook = (context: HookContext) => unknown;
type InvocationModel = {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction(context: unknown, inputs: unknown[], callback: unknown): Promise<unknown>;
  getResponse(context: unknown, result: unknown): Promise<{ returnValue?: RpcTypedData | null; outputData?: readonly NamedData[] }>;
};
type ProgrammingModel = { name: string; getInvocationModel(coreContext: unknown): InvocationModel; getCapabilities?(capabilities: object): Promise<Record<string, unknown>> };
type Metadata = { name: string; functionId?: string; bindings: Record<string, Record<string, unknown>>; retryOptions?: unknown };
type Invocation = { readonly fn: RegisteredFunction; readonly id: string; readonly hookData: object; state?: string; context?: unknown };

const CORE_MODULE = '@azure/functions-core';
/** The real host and worker whose behaviour is followed. */
const HOST_VERSION = '4.1037.0';
const WORKER_VERSION = '3.9.1';
const HOOKS: readonly string[] = ['appStart', 'appTerminate', 'preInvocation', 'postInvocation', 'log'] satisfies HookName[];
const RETURN_BINDING = '$return';

/** Marks a rejection of `invoke` that came from the function time-out. */
export const FUNCTION_TIMEOUT = 'FunctionTimeoutError';

export function createFunctionsCore(options: CoreOptions): HostCore {
  const registered = new Map<string, RegisteredFunction>();
  const hooks = new Map<string, Hook[]>(HOOKS.map((name) => [name, []]));
  const appHookData = {};
  const providers = new Map<string, () => RpcTypedData>();
  const senders = new Map<string, (binding: Binding, data: RpcTypedData) => Promise<void>>();
  const listeners: (() => void)[] = [];
  const timedOut: { functionName: string; invocationId: string; at: string; ended: boolean }[] = [];
  let model: ProgrammingModel | undefined;
  let started = false;

  const runHooks = async (name: HookName, context: HookContext) => {
    for (const hook of hooks.get(name) ?? []) await hook(context);
  };

  /** Log hooks may change what the app itself says, nothing else. */
  const log = (level: string, category: string, message: string, invocation?: Invocation) => {
    const entry = { level, message, category, invocationContext: invocation?.context, hookData: invocation?.hookData ?? {}, appHookData };
    if (category === 'user') for (const hook of hooks.get('log') ?? []) hook(entry);
    const place = invocation ? `Function.${invocation.fn.name}${category === 'user' ? '.User' : ''}` : 'Worker';
    options.log(entry.level, place, entry.message);
  };

  const register = (metadata: Metadata, callback: unknown) => {
    if (started) throw systemError(Error, `A function can only be registered during app startup: "${metadata.name}" came later.`);
    const bindings = Object.entries(metadata.bindings).map(([name, binding]): Binding => ({ type: '', direction: '', ...binding, name }));
    const trigger = bindings.find((binding) => /trigger$/i.test(binding.type));
    if (!trigger) throw systemError(Error, `The function "${metadata.name}" has no trigger.`);
    const id = metadata.functionId ?? metadata.name;
    if ([...registered.values()].some((other) => other.id === id || other.name.toLowerCase() === metadata.name.toLowerCase())) {
      throw systemError(Error, `A function with the name "${metadata.name}" is already registered.`);
    }
    const retry = metadata.retryOptions ? { retryOptions: metadata.retryOptions } : {};
    registered.set(id, { name: metadata.name, id, bindings, trigger, callback, ...retry });
    return new Disposable(() => void registered.delete(id));
  };

  const registerHook = (name: string, hook: Hook) => {
    const list = hooks.get(name);
    if (!list) throw systemError(RangeError, `Unrecognized hook "${name}"`);
    list.push(hook);
    return new Disposable(() => void list.splice(list.indexOf(hook), 1));
  };

  const api = {
    version: WORKER_VERSION,
    hostVersion: HOST_VERSION,
    registerFunction: register,
    registerHook,
    setProgrammingModel: (given: ProgrammingModel) => {
      model = given;
    },
    getProgrammingModel: () => model,
    log: (level: string, category: string, message: string) => log(level, category, message),
    Disposable,
  };

  const execute = async (invocation: Invocation, inputData: readonly NamedData[], triggerMetadata: Readonly<Record<string, RpcTypedData>> | undefined) => {
    if (!model) throw new Error('The app has set no programming model.');
    const { fn } = invocation;
    const coreContext = {
      invocationId: invocation.id,
      metadata: { name: fn.name, bindings: Object.fromEntries(fn.bindings.map((binding) => [binding.name, binding])) },
      request: { invocationId: invocation.id, functionId: fn.id, inputData, triggerMetadata, traceContext: newTrace() },
      get state() {
        return invocation.state;
      },
      log: (level: string, category: string, message: string) => log(level, category, message, invocation),
    };
    const run = model.getInvocationModel(coreContext);
    const given = await run.getArguments();
    const { context } = given;
    invocation.context = context;
    const shared = { hookData: invocation.hookData, appHookData, invocationContext: context };

    invocation.state = 'preInvocationHooks';
    const before: HookContext = { ...shared, functionCallback: fn.callback, inputs: given.inputs };
    await runHooks('preInvocation', before);
    const inputs = before.inputs as unknown[];

    invocation.state = 'invocation';
    let outcome: { result: unknown; error: unknown };
    try {
      outcome = { result: await run.invokeFunction(context, inputs, before.functionCallback), error: null };
    } catch (error) {
      outcome = { result: null, error: error ?? new Error('The function threw nothing.') };
    }

    invocation.state = 'postInvocationHooks';
    const after: HookContext = { ...shared, inputs, ...outcome };
    await runHooks('postInvocation', after);
    if (after.error) throw after.error;
    return run.getResponse(context, after.result);
  };

  const sendOutputs = async (fn: RegisteredFunction, result: InvocationResult) => {
    for (const binding of fn.bindings) {
      const send = binding.direction === 'out' ? senders.get(binding.type) : undefined;
      const data = binding.name === RETURN_BINDING ? result.returnValue : result.outputData.find((output) => output.name === binding.name)?.data;
      if (send && data) await send(binding, data);
    }
  };

  const invoke: FunctionsCore['invoke'] = async (fn, inputs, triggerMetadata) => {
    const invocation: Invocation = { fn, id: randomUUID(), hookData: {} };
    const provided = fn.bindings.flatMap((binding) => {
      const provide = binding.direction === 'in' && binding !== fn.trigger ? providers.get(binding.type) : undefined;
      return provide ? [{ name: binding.name, data: provide() }] : [];
    });
    const execution = execute(invocation, [...inputs, ...provided], triggerMetadata);
    try {
      const response = await withinTimeout(execution, options.timeoutMs, () => {
        const entry = { functionName: fn.name, invocationId: invocation.id, at: new Date().toISOString(), ended: false };
        timedOut.push(entry);
        const ended = () => {
          entry.ended = true;
        };
        execution.then(ended, ended);
        const message = `Timeout value of ${options.timeoutMs} ms exceeded by function ${fn.name} (Id: ${invocation.id}). It cannot be killed and may still run.`;
        log('error', 'system', message, invocation);
        return Object.assign(new Error(message), { name: FUNCTION_TIMEOUT });
      });
      const result: InvocationResult = { outputData: response.outputData ?? [], ...(response.returnValue ? { returnValue: response.returnValue } : {}) };
      await sendOutputs(fn, result);
      return result;
    } finally {
      for (const listener of listeners) listener();
    }
  };

  const load = Module.prototype.require;
  return {
    functions: () => [...registered.values()].filter((fn) => !options.isDisabled(fn.name)),
    invoke,
    api,
    install: () => {
      Module.prototype.require = new Proxy(load, { apply: (target, self, args: [string]) => (args[0] === CORE_MODULE ? api : Reflect.apply(target, self, args)) });
    },
    uninstall: () => {
      Module.prototype.require = load;
    },
    startApp: async () => {
      started = true;
      const capabilities = await model?.getCapabilities?.({});
      if (capabilities?.HttpUri) throw new Error('The app enables HTTP streaming (enableHttpStream), which this host does not support.');
      await runHooks('appStart', { hookData: {}, appHookData });
    },
    terminateApp: () => runHooks('appTerminate', { hookData: {}, appHookData }),
    provideInput: (type, provide) => void providers.set(type, provide),
    sendOutput: (type, send) => void senders.set(type, send),
    onInvoked: (listener) => void listeners.push(listener),
    executionsTimedOut: () => timedOut.map((entry) => ({ ...entry })),
  };
}

/** The core module hands out instances of this class: its protocol wants `Disposable.from` and `instanceof`. */
class Disposable {
  readonly #callback: () => void;
  #disposed = false;

  constructor(callback: () => void) {
    this.#callback = callback;
  }

  static from(...parts: readonly { dispose(): unknown }[]): Disposable {
    return new Disposable(() => {
      for (const part of parts) part.dispose();
    });
  }

  dispose(): void {
    if (!this.#disposed) this.#callback();
    this.#disposed = true;
  }
}

const systemError = (kind: ErrorConstructor | RangeErrorConstructor, message: string) => Object.assign(new kind(message), { isAzureFunctionsSystemError: true });

/** A W3C trace context of its own for each invocation. */
const newTrace = () => ({ traceParent: `00-${hex(16)}-${hex(8)}-00`, traceState: '', attributes: {} });

const hex = (bytes: number) =>
  randomUUID()
    .replaceAll('-', '')
    .slice(0, bytes * 2);

async function withinTimeout<T>(work: Promise<T>, timeoutMs: number | undefined, expire: () => Error): Promise<T> {
  if (timeoutMs === undefined) return work;
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(expire()), timeoutMs);
  });
  try {
    return await Promise.race([work, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
