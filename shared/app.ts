// The composition root: configuration, adapters and services put together. Functions are its only users.
import { randomUUID } from 'node:crypto';
import { type HttpRequest, app as host, type InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';
import { cleanupQueue } from './adapters/cleanupQueue';
import { keyMaterial } from './adapters/keyMaterial';
import { type FinishedTimers, purgeTimers } from './adapters/purgeTimers';
import { fileRootKey, type RootKey } from './adapters/rootKey';
import { sealing } from './adapters/sealing';
import { storageAccount } from './adapters/storageAccount';
import { tables } from './adapters/tables';
import { tokens } from './adapters/tokens';
import { readConfig } from './config';
import { refuse, ServiceError } from './domain/errors';
import { ranges } from './domain/rows';
import type { KeyOperation, Refusing } from './http/dataPlane';
import type { Door, Services } from './http/door';
import { type Operation, serve } from './http/operation';
import type { Log, Ports, PurgeTimers } from './ports';
import { groups } from './service/groups';
import { hsms } from './service/hsms';
import { keys } from './service/keys';
import { type Retention, retention } from './service/retention';
import { rights } from './service/rights';
import { type SweepReport, sweeper } from './service/sweep';

/** The name of the orchestrator that purges at a deadline; its instances outlive releases. */
export const PURGE_AT_DEADLINE = 'purgeAtDeadline';

/** The queue of clean-up messages; with `-poison` behind it the one that raises the alarm. */
export const CLEANUP_QUEUE = 'managed-hsm-cleanup';

const config = readConfig(process.env);

const ids = { guid: (): string => randomUUID() };
const hostClock = { now: (): number => Math.floor(Date.now() / 1000) + config.clockOffsetSeconds() };
const log: Log = (level, line) => (level === 'error' ? console.error(line) : level === 'warning' ? console.warn(line) : console.log(line));

const account = storageAccount(config.storage);
const { store, createTables } = tables(account, { offsetSeconds: config.clockOffsetSeconds });
const { queue, createQueue } = cleanupQueue(account, CLEANUP_QUEUE);
const { authenticate } = tokens(config.tokens);

let rootKey: RootKey | undefined;

/** The root key is opened with the checks of {@link ready}, which stand before everything that seals. */
const openedRootKey: RootKey = {
  get id() {
    return opened().id;
  },
  wrap: (secret, facts) => opened().wrap(secret, facts),
  unwrap: (blob, facts) => opened().unwrap(blob, facts),
};

function opened(): RootKey {
  if (!rootKey) throw refuse('Unavailable');
  return rootKey;
}

const seals = sealing(openedRootKey, { now: hostClock.now });
const material = keyMaterial();

async function check(): Promise<void> {
  await Promise.all([createTables(), createQueue()]);
  if (config.rootKeyFile === '') throw new Error('no root key: set ROOT_KEY_FILE');
  const isEmpty = async (table: 'hsms' | 'keys'): Promise<boolean> => (await store.page({ table, ...ranges.everything }, 1)).found.rows.length === 0;
  const isStoreEmpty = async (): Promise<boolean> => (await isEmpty('hsms')) && (await isEmpty('keys'));
  rootKey ??= await fileRootKey(config.rootKeyFile, { isStoreEmpty });
}

let checked: Promise<void> | undefined;

/** Tables and queue exist, the root key is there. Asked again after a failure; until it has passed once every function answers 503. @throws Unavailable */
export async function ready(): Promise<void> {
  checked ??= check();
  try {
    await checked;
  } catch (error) {
    checked = undefined;
    if (error instanceof ServiceError) throw error;
    log('error', error instanceof Error ? error.message : 'start failed');
    throw refuse('Unavailable');
  }
}

/** A function without the Durable client neither starts nor ends a timer. */
const noTimers: PurgeTimers = {
  start: async () => {
    throw refuse('Unavailable');
  },
  end: async () => {
    throw refuse('Unavailable');
  },
};

const portsWith = (timers: PurgeTimers): Ports => ({ store, queue, timers, sealing: seals, material, ids, hostClock, log });

function servicesWith(timers: PurgeTimers): Services & { readonly retention: Retention; sweep(): Promise<SweepReport> } {
  const ports = portsWith(timers);
  const kept = retention(ports, config.parameters);
  const { parameters } = config;
  return {
    hsms: hsms(ports, parameters, kept),
    groups: groups(ports, kept),
    keys: keys(ports, parameters, kept),
    rights: rights(ports),
    retention: kept,
    ...sweeper(ports, parameters, kept),
  };
}

/** The deadlines' work, for the timer's activity and the clean-up, which need no Durable client. */
export const retentionService = (): Retention => servicesWith(noTimers).retention;

/** The sweeper's work, inside its invocation. */
export function sweeperOf(context: InvocationContext): { sweep(): Promise<SweepReport> } & FinishedTimers {
  const timers = purgeTimers(context, PURGE_AT_DEADLINE);
  return { sweep: servicesWith(timers).sweep, purgeFinished: timers.purgeFinished };
}

const door: Door = { ...config.door, ids, log, authenticate, ready };

/** Answers a request of an operation inside an invocation. */
export const answer = (operation: Operation | KeyOperation | Refusing, request: HttpRequest, context: InvocationContext, params?: Readonly<Record<string, string>>) =>
  serve(operation, door, () => servicesWith(operation.plane !== 'any' && operation.timers ? purgeTimers(context, PURGE_AT_DEADLINE) : noTimers), request, params);

/** Registers a table of control-plane operations: a function for each row. */
export const operations = (table: readonly Operation[]): readonly Operation[] => registered(table);

/** The same for the data plane. */
export const keyOperations = (table: readonly KeyOperation[]): readonly KeyOperation[] => registered(table);

function registered<O extends Operation | KeyOperation>(table: readonly O[]): readonly O[] {
  for (const operation of table)
    host.http(operation.name, {
      methods: [operation.method],
      route: operation.route,
      authLevel: 'anonymous',
      ...(operation.timers && { extraInputs: [df.input.durableClient()] }),
      handler: (request, context) => answer(operation, request, context),
    });
  return table;
}

/** The host's clock with the development offset, for ages that nothing stored depends on. */
export const hostNow = (): Date => new Date(hostClock.now() * 1000);

host.hook.appStart(async () => {
  try {
    await ready();
  } catch {
    log('error', 'storage is not reachable yet; every request answers 503 until it is');
  }
});
