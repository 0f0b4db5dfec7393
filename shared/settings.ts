// Every setting of the app: its meaning, example and default, and the limits of its values. Data only; config.ts reads them.
import { DAY_SECONDS } from './domain/time';

export type Setting = {
  readonly name: string;
  readonly meaning: string;
  readonly example: string;
  /** As a reader of README wants it told. */
  readonly default: string;
  /** Refused outside Development. */
  readonly developmentOnly: boolean;
};

/** The host's own limit (host.json, functionTimeout): two of it are what a debt waits for stalled executions. */
export const FUNCTION_TIMEOUT_SECONDS = 300;
export const LRO_SECONDS_MAX = 3600;
export const ERASE_PAGE_ROWS_MAX = 100;
export const TRANSITION_SECONDS_MAX = 60;
/** With 50 administrators and the record still one transaction. */
export const GRANTS_MAX = 40;

const setting = <N extends string>(name: N, meaning: string, more: { readonly example: string; readonly default: string; readonly developmentOnly?: true }) => ({
  developmentOnly: false,
  ...more,
  name,
  meaning,
});

/** Every setting there is; README's table is made from this one. */
export const settings = [
  setting('TENANT_ID', 'The Entra tenant whose tokens are accepted.', { example: '2b6c1f0e-4d3a-4a57-9f1e-8c7d6b5a4f3e', default: 'none' }),
  setting('SUBSCRIPTIONS', 'The subscriptions that exist: `id=name`, separated by semicolons.', {
    example: '1c9d8e7f-6a5b-4c3d-8e2f-1a0b9c8d7e6f=Production;5a7b1c52-0d0e-4a57-9c3c-0f7d5a1b2c3d=Test',
    default: 'none',
  }),
  setting('ADMIN_OBJECT_IDS', 'Object ids of users, groups and service principals that own every subscription, separated by commas.', {
    example: '3f8e5b1a-6c57-4d0e-9d5b-7f1f0f4f9a11',
    default: 'nobody',
  }),
  setting('CONTROL_HOST', 'The host of the control plane; a port in it appears in links.', {
    example: 'hsm-control.contoso.com',
    default: 'in Development management.azure.com, else none',
  }),
  setting('HSM_SUFFIX', 'What follows `{name}.` in the host of an HSM; a port in it appears in ids.', {
    example: 'hsm.contoso.com',
    default: 'in Development managedhsm.azure.net, else none',
  }),
  setting(
    'CONTROL_AUDIENCES',
    "Audiences of tokens for the control plane, separated by commas, each accepted with and without a slash at its end. Outside Development none of Microsoft's own.",
    {
      example: 'api://hsm-control.contoso.com,6f0d3c1e-95a4-4c87-b0a4-2f9b8e6d1c73',
      default: 'in Development https://management.azure.com,https://management.core.windows.net, else none',
    },
  ),
  setting('HSM_AUDIENCES', 'Audiences of tokens for the data plane, likewise; none of them one of the control plane. The first is the resource that challenges name.', {
    example: 'https://hsm.contoso.com,9a1e7d54-3b0c-4e2f-8d6a-5c4b3a2f1e0d',
    default: 'in Development https://managedhsm.azure.net, else none',
  }),
  setting('AUTHORITY', 'Where clients are sent to sign in.', { example: 'https://login.microsoftonline.com', default: 'https://login.microsoftonline.com' }),
  setting('JWKS_URI', "Where the tenant's signing keys are. Plain http and loopback addresses in Development only.", {
    example: 'https://login.microsoftonline.com/2b6c1f0e-4d3a-4a57-9f1e-8c7d6b5a4f3e/discovery/v2.0/keys',
    default: '{AUTHORITY}/{TENANT_ID}/discovery/v2.0/keys',
  }),
  setting('STORAGE_ACCOUNT', 'The storage account of tables and queue, reached by managed identity. Outside Development only.', { example: 'contosohsmstate', default: 'none' }),
  setting('AzureWebJobsStorage', 'The connection string of a storage emulator on this machine. It stands in the place of STORAGE_ACCOUNT.', {
    example: 'UseDevelopmentStorage=true',
    default: 'none',
    developmentOnly: true,
  }),
  setting('LRO_SECONDS', `How long operations on HSMs show themselves as under way: 0 to ${LRO_SECONDS_MAX} whole seconds, or \`recorded\` for the real service's durations.`, {
    example: 'recorded',
    default: '0',
  }),
  setting('FUNCTION_TIMEOUT_SECONDS', `The functionTimeout of host.json. Development may lower it.`, {
    example: String(FUNCTION_TIMEOUT_SECONDS),
    default: String(FUNCTION_TIMEOUT_SECONDS),
  }),
  setting('TRANSITION_SECONDS', `How long a key is neither active nor deleted after its deletion and its recovery: 0 to ${TRANSITION_SECONDS_MAX} whole seconds.`, {
    example: '3',
    default: '0',
  }),
  setting('ROOT_KEY_FILE', 'The file of the root key, under which all keys are sealed. Made for an empty store; without it no HSM can be created or opened.', {
    example: '/home/me/.local/root.key',
    default: 'none',
    developmentOnly: true,
  }),
  setting('ROLES_AT_CREATION', 'Local roles that each new HSM grants beside those of its administrators: `role id=object id`, separated by commas.', {
    example: '21dbd100-6940-42c2-9190-5d6cb909625b=3f8e5b1a-6c57-4d0e-9d5b-7f1f0f4f9a11',
    default: 'none',
    developmentOnly: true,
  }),
  setting('ERASE_PAGE_ROWS', `Rows that one clean-up message erases at most: 1 to ${ERASE_PAGE_ROWS_MAX}.`, { example: '50', default: String(ERASE_PAGE_ROWS_MAX) }),
  setting('CLOCK_OFFSET_MS', "What is added to the storage's clock, in whole milliseconds. It may change while the app runs.", {
    example: '86400000',
    default: '0',
    developmentOnly: true,
  }),
  setting('SECONDS_PER_RETENTION_DAY', `How long a day of retention lasts: 1 to ${DAY_SECONDS} whole seconds.`, {
    example: '1',
    default: String(DAY_SECONDS),
    developmentOnly: true,
  }),
] as const satisfies readonly Setting[];

export type SettingName = (typeof settings)[number]['name'];
