// The composition root: configuration, adapters and services put together. Functions are its only users.
import { randomUUID } from 'node:crypto';
import { type HttpRequest, app as host, type InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';
import { cleanupQueue } from './adapters/cleanupQueue';
import { type FinishedTimers, purgeTimers } from './adapters/purgeTimers';
import { storageAccount } from './adapters/storageAccount';
import { tables } from './adapters/tables';
import { tokens } from './adapters/tokens';
import { readConfig } from './config';
import { refuse } from './domain/errors';
import { type Door, type Operation, type Services, serve } from './http/operation';
import type { Log, Ports, PurgeTimers } from './ports';
import { groups } from './service/groups';
import { hsms } from './service/hsms';
import { type Retention, retention } from './service/retention';

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

let checked: Promise<void> | undefined;

/** Tables and queue exist. Asked again after a failure; until it has passed once every function answers 503. @throws Unavailable */
export async function ready(): Promise<void> {
  checked ??= Promise.all([createTables(), createQueue()]).then(() => undefined);
  try {
    await checked;
  } catch {
    checked = undefined;
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

const portsWith = (timers: PurgeTimers): Ports => ({ store, queue, timers, ids, hostClock, log });

function servicesWith(timers: PurgeTimers): Services & { readonly retention: Retention } {
  const ports = portsWith(timers);
  const kept = retention(ports, config.parameters);
  return { hsms: hsms(ports, config.parameters, kept), groups: groups(ports, kept), retention: kept };
}

/** The deadlines' work, for the timer's activity and the clean-up, which need no Durable client. */
export const retentionService = (): Retention => servicesWith(noTimers).retention;

/** The sweeper's work, inside its invocation. */
export function sweeperOf(context: InvocationContext): Pick<Retention, 'sweep'> & FinishedTimers {
  const timers = purgeTimers(context, PURGE_AT_DEADLINE);
  return { sweep: servicesWith(timers).retention.sweep, purgeFinished: timers.purgeFinished };
}

const door: Door = { ...config.door, ids, log, authenticate, ready };

/** Answers a request of an operation inside an invocation. */
export const answer = (operation: Operation, request: HttpRequest, context: InvocationContext, params?: Readonly<Record<string, string>>) =>
  serve(operation, door, () => servicesWith(operation.timers ? purgeTimers(context, PURGE_AT_DEADLINE) : noTimers), request, params);

/** Registers a table of operations: a function for each row. */
export function operations(table: readonly Operation[]): readonly Operation[] {
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
