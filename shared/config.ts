// What the settings of an environment make of the app, and what is wrong with a wrong one. No I/O; a wrong setting ends the start.
// Development equipment exists only where this file says so. Elsewhere it refuses to start rather than being ignored, and nothing falls back to a development value.

import type { LongOperation } from './domain/lifecycle';
import { guid } from './domain/names';
import { DAY_SECONDS } from './domain/time';
import type { Parameters } from './service/parameters';
import { ERASE_PAGE_ROWS_MAX, FUNCTION_TIMEOUT_SECONDS, GRANTS_MAX, LRO_SECONDS_MAX, type Setting, type SettingName, settings, TRANSITION_SECONDS_MAX } from './settings';

export type Env = Readonly<Record<string, string | undefined>>;

/** Either a storage emulator, or the addresses of an account that is reached by managed identity. */
type StorageSettings = { readonly connectionString: string } | { readonly tablesEndpoint: string; readonly queuesEndpoint: string };

export type Config = {
  readonly door: {
    readonly hosts: { readonly controlHost: string; readonly hsmSuffix: string };
    readonly tenantId: string;
    /** Without a slash at its end. */
    readonly authority: string;
    /** What a challenge names: the first audience of the data plane. */
    readonly resource: string;
    readonly subscriptions: readonly { readonly id: string; readonly name: string }[];
    readonly administrators: readonly string[];
  };
  readonly tokens: { readonly tenantId: string; readonly jwksUri: string; readonly audiences: { readonly control: readonly string[]; readonly hsm: readonly string[] } };
  readonly storage: StorageSettings;
  /** Empty if there is none. */
  readonly rootKeyFile: string;
  readonly parameters: Parameters;
  /** The development offset in whole seconds, read from the environment at each call; 0 outside Development. @throws ConfigError when it is no number any more */
  clockOffsetSeconds(): number;
};

/** A settings error carries every fault of the environment, a line each. None quotes a value: some are secrets. */
export type ConfigError = Error & { readonly name: 'ConfigError'; readonly faults: readonly string[] };

type Parsed<T> = { readonly value: T } | { readonly wrong: string };
type Parser<T> = (text: string) => Parsed<T>;
/** `value` stands in for what is wrong or missing until the faults are thrown; a setting without `otherwise` is required. */
type Instead<T> = { readonly value: T; readonly otherwise?: T };

/** What the real service took, in seconds (contract.md §2.6). */
const RECORDED_SECONDS = { create: 640, update: 245, delete: 257, recover: 217, purge: 155 } as const satisfies Record<LongOperation, number>;

/**
 * The configuration that an environment makes.
 * @throws ConfigError with all faults at once
 */
export function readConfig(env: Env): Config {
  const outside = whyNotDevelopment(env);
  const settingsOf = reader(env, outside);
  const { faults, read, report, inDevelopment } = settingsOf;

  const tenantId = read('TENANT_ID', id, { value: '' });
  const subscriptions = read('SUBSCRIPTIONS', subscriptionList, { value: [] });
  const administrators = read('ADMIN_OBJECT_IDS', listOf(id), { value: [], otherwise: [] });
  const controlHost = read('CONTROL_HOST', host(1), inDevelopment('management.azure.com', ''));
  const hsmSuffix = read('HSM_SUFFIX', host(2), inDevelopment('managedhsm.azure.net', ''));
  const audience = outside.length > 0 ? ownAudience : anyAudience;
  const control = read('CONTROL_AUDIENCES', listOf(audience), inDevelopment(['https://management.azure.com', 'https://management.core.windows.net'], []));
  const hsm = read('HSM_AUDIENCES', listOf(audience), inDevelopment(['https://managedhsm.azure.net'], []));
  const authority = read('AUTHORITY', origin(outside.length === 0), { value: '', otherwise: 'https://login.microsoftonline.com' });
  const jwksUri = read('JWKS_URI', keysAddress(outside.length === 0), { value: '', otherwise: `${authority}/${tenantId}/discovery/v2.0/keys` });
  const storage = storageOf(settingsOf, outside.length === 0);
  const lroSeconds = read('LRO_SECONDS', durations, { value: () => 0, otherwise: () => 0 });
  const timeout = outside.length > 0 ? exactly(FUNCTION_TIMEOUT_SECONDS) : wholeNumber(1, FUNCTION_TIMEOUT_SECONDS);
  const functionTimeoutSeconds = read('FUNCTION_TIMEOUT_SECONDS', timeout, { value: 0, otherwise: FUNCTION_TIMEOUT_SECONDS });
  const transitionSeconds = read('TRANSITION_SECONDS', wholeNumber(0, TRANSITION_SECONDS_MAX), { value: 0, otherwise: 0 });
  const grantsAtCreation = read('ROLES_AT_CREATION', grantList, { value: [], otherwise: [] });
  const rootKeyFile = read('ROOT_KEY_FILE', matching(/^\P{C}{1,1024}$/u, 'must be the path of a file'), { value: '', otherwise: '' });
  const erasePageRows = read('ERASE_PAGE_ROWS', wholeNumber(1, ERASE_PAGE_ROWS_MAX), { value: 0, otherwise: ERASE_PAGE_ROWS_MAX });
  const daySeconds = read('SECONDS_PER_RETENTION_DAY', wholeNumber(1, DAY_SECONDS), { value: 0, otherwise: DAY_SECONDS });
  read('CLOCK_OFFSET_MS', milliseconds, { value: 0, otherwise: 0 });

  if (control.some((one) => hsm.some((other) => isSameAudience(one, other))))
    report('HSM_AUDIENCES', 'shares an audience with CONTROL_AUDIENCES: a token for one plane must not enter the other');
  if (isWithin(controlHost, hsmSuffix)) report('CONTROL_HOST', 'is HSM_SUFFIX or stands under it, where hosts are those of HSMs');
  if (faults.length > 0) throw configError(faults);

  return {
    door: { hosts: { controlHost, hsmSuffix }, tenantId, authority, resource: hsm[0] ?? '', subscriptions, administrators },
    tokens: { tenantId, jwksUri, audiences: { control, hsm } },
    storage,
    rootKeyFile,
    parameters: { tenantId, daySeconds, lroSeconds, functionTimeoutSeconds, erasePageRows, transitionSeconds, grantsAtCreation },
    clockOffsetSeconds: outside.length > 0 ? () => 0 : () => offsetSeconds(env),
  };
}

function storageOf({ read, report, isSet }: ReturnType<typeof reader>, development: boolean): StorageSettings {
  const connectionString = read('AzureWebJobsStorage', emulator, { value: '', otherwise: '' });
  if (development) {
    if (isSet('STORAGE_ACCOUNT')) report('STORAGE_ACCOUNT', 'is set beside AzureWebJobsStorage: set one of them');
    return { connectionString };
  }
  const account = read('STORAGE_ACCOUNT', matching(/^[a-z0-9]{3,24}$/, 'must be 3 to 24 lower-case letters and digits'), { value: '' });
  return { tablesEndpoint: `https://${account}.table.core.windows.net`, queuesEndpoint: `https://${account}.queue.core.windows.net` };
}

/** Reads settings by name and collects what is wrong with them. A text of blanks counts as not set. */
function reader(env: Env, outside: readonly string[]) {
  const faults: string[] = [];
  const notDevelopment = `this is not Development: ${outside.join(', ')}`;
  const report = (name: SettingName, wrong: string): void => void faults.push(`${name} ${wrong}. Example: ${name}=${settingOf(name).example}`);
  const textOf = (name: SettingName): string => env[name]?.trim() ?? '';

  function read<T>(name: SettingName, parse: Parser<T>, instead: Instead<T>): T {
    const text = textOf(name);
    if (text === '') {
      if (instead.otherwise !== undefined) return instead.otherwise;
      report(name, outside.length > 0 ? `is missing (${notDevelopment})` : 'is missing');
      return instead.value;
    }
    if (settingOf(name).developmentOnly && outside.length > 0) {
      report(name, `is for Development only, and ${notDevelopment}`);
      return instead.value;
    }
    const parsed = parse(text);
    if ('value' in parsed) return parsed.value;
    report(name, parsed.wrong);
    return instead.value;
  }

  /** A default that exists in Development and nowhere else. */
  const inDevelopment = <T>(otherwise: T, value: T): Instead<T> => (outside.length > 0 ? { value } : { value, otherwise });

  return { faults, report, read, inDevelopment, isSet: (name: SettingName): boolean => textOf(name) !== '' };
}

const settingOf = (name: SettingName): Setting => settings.find((setting) => setting.name === name) as Setting;

const configError = (faults: readonly string[]): ConfigError =>
  Object.assign(new Error(`The settings are wrong:\n${faults.map((fault) => `- ${fault}`).join('\n')}`), { name: 'ConfigError' as const, faults });

/** What speaks against Development, if anything does: all three conditions must hold, and no sign is taken from anywhere else. */
function whyNotDevelopment(env: Env): readonly string[] {
  return [
    ...(env.AZURE_FUNCTIONS_ENVIRONMENT === 'Development' ? [] : ['AZURE_FUNCTIONS_ENVIRONMENT is not Development']),
    ...['WEBSITE_INSTANCE_ID', 'WEBSITE_SITE_NAME'].filter((name) => env[name] !== undefined).map((name) => `${name} is set`),
    ...('value' in emulator(env.AzureWebJobsStorage?.trim() ?? '') ? [] : ['AzureWebJobsStorage names no storage on this machine']),
  ];
}

function offsetSeconds(env: Env): number {
  const parsed = milliseconds(env.CLOCK_OFFSET_MS?.trim() || '0');
  if ('wrong' in parsed) throw configError([`CLOCK_OFFSET_MS ${parsed.wrong}`]);
  return Math.floor(parsed.value / 1000);
}

const matching =
  (pattern: RegExp, wrong: string): Parser<string> =>
  (text) =>
    pattern.test(text) ? { value: text } : { wrong };

const id: Parser<string> = (text) => {
  const value = guid(text);
  return value === undefined ? { wrong: 'must be a GUID' } : { value };
};

/** Commas between, none empty; what stands twice counts once. */
const listOf =
  (parse: Parser<string>): Parser<readonly string[]> =>
  (text) => {
    const items = text.split(',').map((item) => parse(item.trim()));
    const place = items.findIndex((item) => 'wrong' in item);
    const wrong = items[place];
    return wrong && 'wrong' in wrong
      ? { wrong: `has a wrong entry, number ${place + 1}: it ${wrong.wrong}` }
      : { value: [...new Set(items.flatMap((item) => ('value' in item ? [item.value] : [])))] };
  };

const subscriptionList: Parser<Config['door']['subscriptions']> = (text) => {
  const entries = text.split(';').filter((entry, index, all) => entry.trim() !== '' || index < all.length - 1);
  const value = entries.map((entry) => /^\s*([0-9a-fA-F-]{36})\s*=\s*(\P{C}{1,64}?)\s*$/u.exec(entry)).map((match) => ({ id: guid(match?.[1] ?? ''), name: match?.[2] ?? '' }));
  const place = value.findIndex((subscription) => subscription.id === undefined);
  if (place >= 0) return { wrong: `has a wrong entry, number ${place + 1}: it must be {GUID}={name of 1 to 64 characters}` };
  if (new Set(value.map((subscription) => subscription.id)).size < value.length) return { wrong: 'names one subscription twice' };
  return { value: value as Config['door']['subscriptions'] };
};

/** `role=object`, both GUIDs. */
const grantList: Parser<Parameters['grantsAtCreation']> = (text) => {
  const pairs = text.split(',').map((pair) => pair.split('=').map((part) => guid(part.trim())));
  if (pairs.length > GRANTS_MAX || pairs.some((pair) => pair.length !== 2 || pair.includes(undefined)))
    return { wrong: `must be at most ${GRANTS_MAX} entries of {role GUID}={object id}` };
  return { value: pairs.map(([roleGuid, principalId]) => ({ roleGuid: roleGuid as string, principalId: principalId as string })) };
};

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';

/** A host of at least so many labels, with or without a port. */
const host =
  (labels: number): Parser<string> =>
  (text) => {
    const match = new RegExp(`^(${LABEL}(?:\\.${LABEL}){${labels - 1},})(?::([1-9]\\d{0,4}))?$`).exec(text.toLowerCase());
    if (!match || (match[1] ?? '').length > 253 || Number(match[2] ?? 1) > 65_535)
      return { wrong: `must be a host name of ${labels} or more labels, with or without a port, and nothing else` };
    return { value: match[0] };
  };

const isWithin = (hostName: string, suffix: string): boolean => `.${withoutPort(hostName)}`.endsWith(`.${withoutPort(suffix)}`) && suffix !== '';

const withoutPort = (hostName: string): string => hostName.replace(/:\d+$/, '');

/** Printable, so that it may stand in a header: no quotes, commas or spaces. */
const AUDIENCE = /^(?:https|api):\/\/[\w.~:/-]+$/i;

const anyAudience: Parser<string> = (text) => {
  const value = guid(text);
  if (value !== undefined) return { value };
  return AUDIENCE.test(text) && URL.canParse(text) ? { value: text } : { wrong: 'must be a GUID or begin with https:// or api://' };
};

/** Domains under which every cloud of Microsoft's has services of its own that take tokens. */
const MICROSOFT_DOMAINS = [
  'azure.net',
  'azure.com',
  'azure.cn',
  'azure.us',
  'windows.net',
  'chinacloudapi.cn',
  'usgovcloudapi.net',
  'cloudapi.de',
  'microsoftazure.de',
  'microsoft.com',
  'microsoft.us',
  'microsoft.de',
  'microsoft.scloud',
  'eaglex.ic.gov',
];

/** The same services by application id: Managed HSM, Key Vault (and for US government), Resource Manager, Storage, Graph, its elder sister. */
const MICROSOFT_APPLICATIONS = [
  '589d5083-6f11-4d30-a62a-a4b316a14abf',
  'cfa8b339-82a2-471a-a3c9-0fc0be7a4093',
  '7e7c393b-45d0-48b1-a35e-2905ddf8183c',
  '797f4846-ba00-4fd7-ba43-dac1f8f63013',
  'e406a681-f3d4-42a8-90b6-c2b029497af1',
  '00000003-0000-0000-c000-000000000000',
  '00000002-0000-0000-c000-000000000000',
];

/** The challenge decides which token a client sends: one for the real service must never be sent to us. */
const ownAudience: Parser<string> = (text) => {
  const parsed = anyAudience(text);
  if ('wrong' in parsed) return parsed;
  const name = registrationOf(text);
  const isMicrosofts = MICROSOFT_APPLICATIONS.includes(name) || MICROSOFT_DOMAINS.some((domain) => isWithin(hostOf(name).replace(/\.$/, ''), domain));
  return isMicrosofts ? { wrong: "is an audience of Microsoft's own: tokens for the real service must never be sent here" } : parsed;
};

/** `api://{id}` and `{id}` are one registration; case and a slash at the end make no difference. */
const registrationOf = (audience: string): string =>
  audience
    .toLowerCase()
    .replace(/\/$/, '')
    .replace(/^api:\/\//, '');

const isSameAudience = (one: string, other: string): boolean => registrationOf(one) === registrationOf(other);

const hostOf = (name: string): string => withoutPort(name.replace(/^https:\/\//, '').replace(/\/.*$/, ''));

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])$/;

const origin =
  (development: boolean): Parser<string> =>
  (text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url?.protocol !== 'https:' || ![url.origin, `${url.origin}/`].includes(text.toLowerCase()))
      return { wrong: 'must be https:// and a host, with or without a port, and nothing else' };
    return development || !LOOPBACK.test(url.hostname) ? { value: url.origin } : { wrong: 'must be no loopback address outside Development' };
  };

const keysAddress =
  (development: boolean): Parser<string> =>
  (text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url?.username !== '' || url.password !== '' || url.hash !== '') return { wrong: 'must be a URL without user and fragment' };
    const isLocal = LOOPBACK.test(url.hostname);
    if (!development && (isLocal || url.protocol !== 'https:')) return { wrong: 'must be https and no loopback address outside Development' };
    return url.protocol === 'https:' || (isLocal && url.protocol === 'http:') ? { value: url.href } : { wrong: 'must be https, or http to a loopback address' };
  };

const EMULATOR_MEMBERS = ['DefaultEndpointsProtocol', 'AccountName', 'AccountKey', 'BlobEndpoint', 'QueueEndpoint', 'TableEndpoint'];

/** Every endpoint is on this machine, and stands there whole: what is left out, or written otherwise, the storage clients would look for in the cloud. */
const emulator: Parser<string> = (text) => {
  const pairs = text
    .split(';')
    .filter((pair) => pair !== '')
    .map((pair) => [pair.split('=', 1)[0] ?? '', pair.slice(pair.indexOf('=') + 1)] as const);
  const members = pairs.map(([member]) => member);
  const isWhole = members.every((member) => EMULATOR_MEMBERS.includes(member)) && ['QueueEndpoint', 'TableEndpoint'].every((member) => members.includes(member));
  const isLocal = isWhole && pairs.every(([member, value]) => !member.endsWith('Endpoint') || isLoopbackUrl(value));
  return isLocal || text === 'UseDevelopmentStorage=true'
    ? { value: text }
    : { wrong: 'must be the connection string of a storage emulator on this machine, with endpoints of tables and queues' };
};

const isLoopbackUrl = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && LOOPBACK.test(new URL(text).hostname);

const wholeNumber =
  (min: number, max: number): Parser<number> =>
  (text) =>
    /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max ? { value: Number(text) } : { wrong: `must be a whole number from ${min} to ${max}` };

const exactly =
  (value: number): Parser<number> =>
  (text) =>
    text === String(value) ? { value } : { wrong: `must be ${value}, as host.json has it; only Development may lower it` };

/** A hundred years either way are as far as a clock may be moved. */
const OFFSET_MS_MAX = 100 * 365 * DAY_SECONDS * 1000;

const milliseconds: Parser<number> = (text) =>
  /^-?\d{1,13}$/.test(text) && Math.abs(Number(text)) <= OFFSET_MS_MAX ? { value: Number(text) } : { wrong: `must be a whole number of milliseconds, at most ${OFFSET_MS_MAX}` };

const durations: Parser<Parameters['lroSeconds']> = (text) => {
  if (text === 'recorded') return { value: (operation) => RECORDED_SECONDS[operation] };
  const parsed = wholeNumber(0, LRO_SECONDS_MAX)(text);
  return 'wrong' in parsed ? { wrong: `${parsed.wrong}, or recorded` } : { value: () => parsed.value };
};
