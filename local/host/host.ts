/**
 * An Azure Functions host in this process: loads a compiled app by path and runs its HTTP, queue, timer and Durable functions on one clock.
 * It only composes; each trigger has a file of its own. One host per process, because @azure/functions finds its host once.
 */
import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { loadApp } from './appFiles';
import { requireSupported, usesDurable } from './bindings';
import { createClock, type HostClock, type SteeredClock } from './clock';
import { startClockEndpoint } from './clockEndpoint';
import { guardFaults } from './faults';
import { createFunctionsCore, type FunctionsCore, type HostCore, type RegisteredFunction, type TimedOutExecution } from './functionsCore';
import { createHttpTrigger, httpRoutes, type RefusedFunction } from './http';
import { emptyAnswer } from './httpAnswer';
import { createWireServer, type WireRequest, type WireResponse } from './httpWire';
import { createLogger } from './logs';
import { createQueueSender, createQueueTrigger, type QueueTrigger } from './queues';
import { applyLocalSettings, type HostJson, readHostJson, readMain } from './settings';
import { type HostState, openState } from './state';
import { createTimerTrigger } from './timers';

export type HostOptions = {
  /** Folder with package.json, host.json and, perhaps, local.settings.json. */
  readonly appRoot: string;
  /** 0: any free port. Without it local.settings.json decides, then 7071. */
  readonly port?: number;
  /** Folder for clock, schedules and orchestrations. Without it nothing survives. */
  readonly stateDir?: string;
  /** Environment variable that is kept equal to the clock's offset in milliseconds. */
  readonly offsetVariable?: string;
  /** What the clock endpoint wants in `x-clock-token`; random without it. */
  readonly clockToken?: string;
  /** Where the clock starts, milliseconds since the epoch. A clock that was moved before only goes forward. */
  readonly clockAt?: number;
  /** Instead of host.json's functionTimeout. */
  readonly functionTimeoutSeconds?: number;
  /** Durable timers fire up to a second early, as on the real engine. */
  readonly timersEarly?: boolean;
  /** Names of functions that are not run, besides those that `AzureWebJobs.NAME.Disabled` names. */
  readonly disabledFunctions?: readonly string[];
  /** Gets each line of app and host; standard output without it. */
  readonly log?: (line: string) => void;
  /** Called after the host has stopped itself, with the reason. */
  readonly onStopped?: (reason: string) => void;
};

export type Host = {
  readonly port: number;
  readonly clockUrl: string;
  readonly clockToken: string;
  readonly clock: HostClock;
  /** Names, in the order of registration, without those switched off or refused. */
  readonly functions: readonly string[];
  /** Functions that the real host would put in error and leave out. */
  readonly refused: readonly RefusedFunction[];
  /** Executions that ran into the function time-out; they cannot be killed. */
  executionsTimedOut(): readonly TimedOutExecution[];
  /** Lets what is in flight finish, stops the rest. */
  stop(): Promise<void>;
};

type Started = { stop(): Promise<void> | void };

const PORT = 7071;
const HUB_NAME = 'TestHubName';
const BODY_BYTES_MAX = 104_857_600;

let running = false;

/** Starts the app. Rejects with one clear Error, leaving nothing running, if a port is in use or the app wants what is not supported. */
export async function startHost(options: HostOptions): Promise<Host> {
  if (running) throw new Error('A host already runs in this process, or ran before: @azure/functions finds its host only once.');
  const started: Started[] = [];
  try {
    return await start(options, started);
  } catch (error) {
    await stopAll(started);
    throw error;
  }
}

async function start(options: HostOptions, started: Started[]): Promise<Host> {
  const write = options.log ?? ((line: string) => void process.stdout.write(`${line}\n`));
  const appRoot = resolve(options.appRoot);
  const settings = await applyLocalSettings(appRoot);
  const hostJson = await readHostJson(appRoot);
  const main = await readMain(appRoot);
  const state = await openState(options.stateDir);
  const log = createLogger(write, hostJson.logLevel);

  // Until the app is ready the port answers 503, as the real host's does.
  let handle = async (_: WireRequest): Promise<WireResponse> => emptyAnswer(503);
  const server = createWireServer({ handle: (request) => handle(request), bodyBytesMax: Number(process.env.FUNCTIONS_REQUEST_BODY_SIZE_LIMIT ?? BODY_BYTES_MAX) });
  const port = await server.listen(options.port ?? settings.port ?? PORT);
  started.push({ stop: () => server.close() });
  process.env.AZURE_FUNCTIONS_ENVIRONMENT ??= 'Development';
  process.env.WEBSITE_HOSTNAME = `localhost:${port}`;

  const clock = await openClock(options, state, write);
  started.push({ stop: () => clock.stop() });
  const timeoutMs = options.functionTimeoutSeconds === undefined ? hostJson.functionTimeoutMs : options.functionTimeoutSeconds * 1000;
  const core = createFunctionsCore({ log, timeoutMs, isDisabled: (name) => isDisabled(name, options.disabledFunctions ?? []) });
  running = true;
  core.install();
  started.push({ stop: () => core.uninstall() });
  await loadApp(appRoot, main);
  requireSupported(core.functions());
  core.sendOutput('queue', createQueueSender(hostJson.queues));
  await core.startApp();
  started.push({ stop: () => core.terminateApp() });

  const tracked: Pick<FunctionsCore, 'functions' | 'invoke'> = { functions: core.functions, invoke: (...given) => clock.track(core.invoke(...given)) };
  const { routes, refused } = httpRoutes(core.functions(), hostJson.http.routePrefix);
  for (const { name, reason } of refused) write(`[error] The function "${name}" is in error and left out: ${reason}.`);
  await startDurable(core, tracked, clock, hostJson, options, write, started);
  await startQueues(core, tracked, clock, hostJson, write, started);
  await startTimers(tracked, clock, state, write, started);
  handle = createHttpTrigger(core, routes, hostJson.http, write);

  const clockToken = options.clockToken ?? randomBytes(32).toString('base64url');
  const endpoint = await startClockEndpoint(clock, clockToken, write);
  started.push(endpoint);

  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= stopAll(started);
    return stopping;
  };
  started.push({ stop: () => server.close() }); // first of all to stop: what is in flight may still need the rest
  started.push(guardFaults(write, (reason) => void stop().then(() => options.onStopped?.(reason))));
  const left = new Set(refused.map(({ name }) => name));
  return {
    port,
    clockUrl: endpoint.url,
    clockToken,
    clock,
    functions: core.functions().flatMap(({ name }) => (left.has(name) ? [] : [name])),
    refused,
    executionsTimedOut: core.executionsTimedOut,
    stop,
  };
}

async function openClock(options: HostOptions, state: HostState, log: (line: string) => void): Promise<SteeredClock> {
  const kept = state.offsetMs;
  const asked = options.clockAt === undefined ? undefined : options.clockAt - Date.now();
  if (asked !== undefined && kept !== undefined && asked < kept) {
    throw new Error(`The clock already stands at ${new Date(Date.now() + kept).toISOString()} and only moves forward.`);
  }
  if (asked !== undefined) await state.persistOffset(asked);
  return createClock({
    offsetMs: asked ?? kept ?? 0,
    persist: state.persistOffset,
    onOffset: (offsetMs) => {
      if (options.offsetVariable !== undefined) process.env[options.offsetVariable] = String(offsetMs);
    },
    onError: (error, label) => log(`[error] ${label} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
  });
}

async function startDurable(
  core: HostCore,
  tracked: Pick<FunctionsCore, 'functions' | 'invoke'>,
  clock: HostClock,
  hostJson: HostJson,
  options: HostOptions,
  log: (line: string) => void,
  started: Started[],
): Promise<void> {
  if (!usesDurable(core.functions())) return;
  const { createDurable } = await import('./durable/engine'); // an app without orchestrations does not pay for it
  const stateDir = options.stateDir === undefined ? undefined : join(options.stateDir, 'durable');
  const hubName = String(hostJson.durableTask.hubName ?? HUB_NAME);
  const durable = await createDurable({ clock, core: tracked, stateDir, hubName, timersEarly: options.timersEarly ?? false, log });
  core.provideInput('durableClient', () => ({ string: durable.clientBinding() }));
  started.push(durable);
  await durable.start();
}

async function startQueues(
  core: HostCore,
  tracked: Pick<FunctionsCore, 'functions' | 'invoke'>,
  clock: HostClock,
  hostJson: HostJson,
  log: (line: string) => void,
  started: Started[],
): Promise<void> {
  const triggers: QueueTrigger[] = byTrigger(tracked, 'queueTrigger').map((fn) => createQueueTrigger(fn, { core: tracked, clock, settings: hostJson.queues, log }));
  for (const trigger of triggers) {
    await trigger.start();
    started.push(trigger);
  }
  core.onInvoked(() => {
    for (const trigger of triggers) trigger.wake();
  });
}

async function startTimers(
  core: Pick<FunctionsCore, 'functions' | 'invoke'>,
  clock: SteeredClock,
  state: HostState,
  log: (line: string) => void,
  started: Started[],
): Promise<void> {
  const triggers = byTrigger(core, 'timerTrigger').map((fn) => createTimerTrigger(fn, { core, clock, store: state.schedules, log }));
  for (const trigger of triggers) {
    started.push(trigger);
    await trigger.start();
  }
}

const byTrigger = (core: Pick<FunctionsCore, 'functions'>, type: string): readonly RegisteredFunction[] =>
  core.functions().filter((fn) => fn.trigger.type.toLowerCase() === type.toLowerCase());

const isDisabled = (name: string, disabled: readonly string[]) => disabled.includes(name) || /^(true|1)$/i.test(process.env[`AzureWebJobs.${name}.Disabled`] ?? '');

/** In the opposite order of starting; one that fails does not keep the others running. */
async function stopAll(started: Started[]): Promise<void> {
  let failure: unknown;
  for (let part = started.pop(); part; part = started.pop()) {
    try {
      await part.stop();
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure) throw failure;
}
