/** Reads what an app says about itself: host.json with its overrides from the environment, local.settings.json, package.json `main`. */
import { join } from 'node:path';
import { readJson } from './files';

export type HttpSettings = { readonly routePrefix: string; readonly maxConcurrentRequests: number; readonly maxOutstandingRequests: number };

export type QueueSettings = {
  readonly batchSize: number;
  readonly newBatchThreshold: number;
  readonly maxPollingIntervalMs: number;
  readonly visibilityTimeoutMs: number;
  readonly maxDequeueCount: number;
  readonly messageEncoding: 'base64' | 'none';
};

/** host.json with the real host's defaults filled in; `durableTask` is handed on as it stands. */
export type HostJson = {
  /** Undefined: no limit. */
  readonly functionTimeoutMs: number | undefined;
  readonly logLevel: Readonly<Record<string, string>>;
  readonly http: HttpSettings;
  readonly queues: QueueSettings;
  readonly durableTask: Readonly<Record<string, unknown>>;
};

const ENVIRONMENT_PREFIX = 'AzureFunctionsJobHost__';

type Json = Readonly<Record<string, unknown>>;

/** host.json of `appRoot`. Throws an Error that names the file and the member if something in it cannot be used. */
export async function readHostJson(appRoot: string, environment: NodeJS.ProcessEnv = process.env): Promise<HostJson> {
  const path = join(appRoot, 'host.json');
  const raw = await readJson(path);
  if (!isObject(raw)) throw new Error(`${path} is missing or is no JSON object: ${appRoot} is not a function app.`);
  if (raw.version !== '2.0') throw new Error(`${path}: "version" must be "2.0".`);
  const json = withOverrides(raw, environment);
  const extensions = child(json, 'extensions');
  const http = child(extensions, 'http');
  const queues = child(extensions, 'queues');
  const where = (name: string) => `${path}: ${name}`;
  const count = (from: Json, name: string, otherwise: number) => readCount(member(from, name), otherwise, where(name));
  const span = (from: Json, name: string, otherwise: string) => parseTimeSpan(member(from, name) ?? otherwise, where(name));
  const encoding = String(member(queues, 'messageEncoding') ?? 'base64').toLowerCase();
  if (encoding !== 'base64' && encoding !== 'none') throw new Error(`${where('queues.messageEncoding')} must be base64 or none.`);
  const functionTimeoutMs = span(json, 'functionTimeout', '00:05:00');
  return {
    functionTimeoutMs: functionTimeoutMs < 0 ? undefined : functionTimeoutMs,
    logLevel: child(child(json, 'logging'), 'logLevel') as Readonly<Record<string, string>>,
    http: {
      routePrefix: String(member(http, 'routePrefix') ?? 'api').replace(/^\/+|\/+$/g, ''),
      maxConcurrentRequests: unbounded(count(http, 'maxConcurrentRequests', -1)),
      maxOutstandingRequests: unbounded(count(http, 'maxOutstandingRequests', -1)),
    },
    queues: {
      batchSize: count(queues, 'batchSize', 16),
      newBatchThreshold: count(queues, 'newBatchThreshold', Math.floor(count(queues, 'batchSize', 16) / 2)),
      maxPollingIntervalMs: span(queues, 'maxPollingInterval', '00:01:00'),
      visibilityTimeoutMs: span(queues, 'visibilityTimeout', '00:00:00'),
      maxDequeueCount: count(queues, 'maxDequeueCount', 5),
      messageEncoding: encoding,
    },
    durableTask: child(extensions, 'durableTask'),
  };
}

/** Puts `Values` of local.settings.json into the environment, without overwriting what is set. Answers the port it names, if any. */
export async function applyLocalSettings(appRoot: string, environment: NodeJS.ProcessEnv = process.env): Promise<{ readonly port: number | undefined }> {
  const path = join(appRoot, 'local.settings.json');
  const settings = await readJson(path);
  if (settings === undefined) return { port: undefined };
  if (!isObject(settings)) throw new Error(`${path} is no JSON object.`);
  if (settings.IsEncrypted === true) throw new Error(`${path} is encrypted, which this host cannot read.`);
  for (const [name, value] of Object.entries(child(settings, 'Values'))) environment[name] ??= String(value);
  const port = child(settings, 'Host').LocalHttpPort;
  return { port: typeof port === 'number' ? port : undefined };
}

/** `main` of the app's package.json, a file or a glob. */
export async function readMain(appRoot: string): Promise<string> {
  const path = join(appRoot, 'package.json');
  const json = await readJson(path);
  const main = isObject(json) ? json.main : undefined;
  if (typeof main !== 'string' || main === '') throw new Error(`${path} has no "main" that names the app's functions.`);
  return main;
}

/** Replaces each `%NAME%` by the setting of that name. Throws an Error that names what is missing. */
export function resolveSettings(text: string, environment: NodeJS.ProcessEnv = process.env): string {
  return text.replace(/%([^%]+)%/g, (_, name: string) => {
    const value = environment[name];
    if (value === undefined) throw new Error(`the setting ${name}, which "${text}" refers to, is not set`);
    return value;
  });
}

/** Milliseconds of a .NET time span, `[-][d.]hh:mm:ss[.fff]`; `-1` is -1 second: without end. */
export function parseTimeSpan(value: unknown, where: string): number {
  const text = String(value);
  if (text === '-1' || text === '-00:00:01') return -1000;
  const parts = /^(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(\.\d+)?$/.exec(text);
  if (!parts) throw new Error(`${where} is no time span of the form hh:mm:ss.`);
  const [, days = '0', hours = '0', minutes = '0', seconds = '0', fraction = '0'] = parts;
  return (((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds) + Number(fraction)) * 1000;
}

function withOverrides(json: Json, environment: NodeJS.ProcessEnv): Json {
  const result = structuredClone(json) as Record<string, unknown>;
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(ENVIRONMENT_PREFIX) || value === undefined) continue;
    const path = name.slice(ENVIRONMENT_PREFIX.length).split('__');
    const last = path.pop() as string;
    let at = result;
    for (const step of path) {
      const next = memberName(at, step);
      if (!isObject(at[next])) at[next] = {};
      at = at[next] as Record<string, unknown>;
    }
    at[memberName(at, last)] = value;
  }
  return result;
}

/** Configuration names do not mind case. */
const member = (json: Json, name: string): unknown => json[memberName(json, name)];

const memberName = (json: Json, name: string) => Object.keys(json).find((key) => key.toLowerCase() === name.toLowerCase()) ?? name;

function child(json: Json, name: string): Json {
  const value = member(json, name);
  return isObject(value) ? value : {};
}

function readCount(value: unknown, otherwise: number, where: string): number {
  if (value === undefined) return otherwise;
  const count = Number(value);
  if (!Number.isInteger(count)) throw new Error(`${where} must be a whole number.`);
  return count;
}

const unbounded = (count: number) => (count < 0 ? Number.POSITIVE_INFINITY : count);

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
