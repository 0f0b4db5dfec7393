/**
 * Queue triggers and queue outputs on Azure Storage queues: polling, leases, retries by visibility, poison queues.
 * Visibility follows the storage's clock, never the host's: a message that was made invisible is not waited for by an advance.
 */
import { type DequeuedMessageItem, type QueueClient, QueueServiceClient } from '@azure/storage-queue';
import type { HostClock } from './clock';
import type { Binding, FunctionsCore, RegisteredFunction, RpcTypedData } from './functionsCore';
import { type QueueSettings, resolveSettings } from './settings';

export type QueueTrigger = {
  /** Creates the queue if it is missing and begins to poll. Rejects with a clear error if the storage cannot be reached. */
  start(): Promise<void>;
  /** Polls at once instead of waiting out the interval. */
  wake(): void;
  /** Takes no more messages; those in flight finish. */
  stop(): Promise<void>;
};

export type QueueOptions = {
  readonly core: Pick<FunctionsCore, 'invoke'>;
  readonly clock: Pick<HostClock, 'track' | 'onSettle'>;
  readonly settings: QueueSettings;
  readonly log: (line: string) => void;
};

const POLLING_INTERVAL_MS_MIN = 100;
const LEASE_SECONDS = 600;
/** A stop waits so long for a poll under way; cutting it off at once could leave messages leased by nobody. */
const STOP_MS = 2000;
const DEFAULT_CONNECTION = 'AzureWebJobsStorage';

/** The listener of one queue trigger. Throws an Error that names the function if queue or connection cannot be resolved. */
export function createQueueTrigger(fn: RegisteredFunction, options: QueueOptions): QueueTrigger {
  const { settings, log } = options;
  const queue = queueOf(fn.name, fn.trigger);
  const poison = queueOf(fn.name, fn.trigger, '-poison');
  const inFlight = new Map<string, Promise<void>>();
  const abort = new AbortController();
  let stopped = false;
  let interval = POLLING_INTERVAL_MS_MIN;
  let polling: Promise<number> = Promise.resolve(0);
  let rest: { done: () => void } | undefined;
  let forget: () => void = () => undefined;
  let loop: Promise<void> = Promise.resolve();

  const receive = async (): Promise<number> => {
    const numberOfMessages = Math.min(settings.batchSize, 32);
    const { receivedMessageItems } = await queue.receiveMessages({ numberOfMessages, visibilityTimeout: LEASE_SECONDS, abortSignal: abort.signal });
    for (const message of receivedMessageItems) {
      const work = options.clock.track(handleMessage(message));
      inFlight.set(message.messageId, work);
      const done = () => {
        inFlight.delete(message.messageId);
        rest?.done();
      };
      work.then(done, done);
    }
    return receivedMessageItems.length;
  };

  /** One poll after the other; a new one begins after the call, so that it sees what was sent before. */
  const poll = (): Promise<number> => {
    polling = polling
      .then(() => (stopped ? 0 : receive()))
      .catch((error: unknown) => {
        if (!stopped) log(`[error] Queue ${queue.name} cannot be polled: ${(error as Error).message}`);
        return 0;
      });
    return polling;
  };

  const handleMessage = async (message: DequeuedMessageItem): Promise<void> => {
    const lease = keepLease(queue, message);
    try {
      const text = decode(message.messageText, settings.messageEncoding);
      if (text === undefined) {
        await lease.end();
        return await moveToPoison(message, 'it is not base64');
      }
      const failure = await attempt(fn, message, text, options);
      const popReceipt = await lease.end();
      if (!failure) await queue.deleteMessage(message.messageId, popReceipt);
      else if (message.dequeueCount >= settings.maxDequeueCount) await moveToPoison({ ...message, popReceipt }, `it failed ${message.dequeueCount} times`);
      else await queue.updateMessage(message.messageId, popReceipt, message.messageText, Math.ceil(settings.visibilityTimeoutMs / 1000));
    } catch (error) {
      log(`[error] Queue ${queue.name}: message ${message.messageId} could not be settled and will come again: ${(error as Error).message}`);
      await lease.end();
    }
  };

  const moveToPoison = async (message: DequeuedMessageItem, why: string) => {
    log(`[error] Queue ${queue.name}: message ${message.messageId} goes to ${poison.name}, ${why}.`);
    await poison.createIfNotExists();
    await poison.sendMessage(message.messageText);
    await queue.deleteMessage(message.messageId, message.popReceipt);
  };

  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(() => rest?.done(), ms);
      rest = {
        done: () => {
          clearTimeout(timer);
          rest = undefined;
          resolve();
        },
      };
    });

  const run = async () => {
    while (!stopped) {
      if (inFlight.size > settings.newBatchThreshold) {
        await pause(interval);
        continue;
      }
      const found = await poll();
      interval = found > 0 ? POLLING_INTERVAL_MS_MIN : Math.min(interval * 2, Math.max(settings.maxPollingIntervalMs, POLLING_INTERVAL_MS_MIN));
      if (found === 0 && !stopped) await pause(interval);
    }
  };

  const idle = async () => {
    while (!stopped) {
      const found = await poll();
      if (found === 0 && inFlight.size === 0) return;
      await Promise.allSettled([...inFlight.values()]);
    }
  };

  return {
    start: async () => {
      try {
        await queue.createIfNotExists();
      } catch (error) {
        throw new Error(`function "${fn.name}": its queue "${queue.name}" cannot be reached: ${(error as Error).message}`);
      }
      forget = options.clock.onSettle(idle);
      loop = run();
    },
    wake: () => {
      interval = POLLING_INTERVAL_MS_MIN;
      rest?.done();
    },
    stop: async () => {
      stopped = true;
      forget();
      rest?.done();
      const cut = setTimeout(() => abort.abort(), STOP_MS);
      await loop;
      clearTimeout(cut);
      await Promise.allSettled([...inFlight.values()]);
    },
  };
}

/** Sends what a function gave to a `queue` output: an array is one message for each of its members. */
export function createQueueSender(settings: QueueSettings): (binding: Binding, data: RpcTypedData) => Promise<void> {
  return async (binding, data) => {
    const queue = queueOf('output', binding);
    await queue.createIfNotExists();
    for (const text of outgoing(data)) await queue.sendMessage(settings.messageEncoding === 'base64' ? Buffer.from(text).toString('base64') : text);
  };
}

function outgoing(data: RpcTypedData): readonly string[] {
  if (data.bytes) return [Buffer.from(data.bytes).toString()];
  if (data.string !== undefined) return [data.string];
  if (data.json === undefined) return [String(data.int ?? data.double)];
  const value: unknown = JSON.parse(data.json);
  if (!Array.isArray(value)) return [data.json];
  return value.map((item) => (typeof item === 'string' ? item : JSON.stringify(item)));
}

function queueOf(functionName: string, binding: Binding, suffix = ''): QueueClient {
  try {
    const setting = String(binding.connection || DEFAULT_CONNECTION);
    const connection = process.env[setting] ?? process.env[`AzureWebJobs${setting}`];
    if (!connection) throw new Error(`the setting ${setting}, its storage connection, is not set`);
    const name = resolveSettings(String(binding.queueName ?? ''));
    if (!/^[a-z0-9](?:-?[a-z0-9])+$/.test(name) || name.length < 3 || name.length > 63) throw new Error(`"${name}" is no name for a queue`);
    return QueueServiceClient.fromConnectionString(connection).getQueueClient(`${name}${suffix}`);
  } catch (error) {
    throw new Error(`function "${functionName}", binding "${binding.name}": ${(error as Error).message}`);
  }
}

/** What the function threw, or undefined. */
async function attempt(fn: RegisteredFunction, message: DequeuedMessageItem, text: string, options: QueueOptions): Promise<{ readonly error: unknown } | undefined> {
  try {
    const data: RpcTypedData = fn.trigger.dataType === 'binary' ? { bytes: Buffer.from(text) } : { string: text };
    await options.core.invoke(fn, [{ name: fn.trigger.name, data }], metadataOf(message, text));
    return undefined;
  } catch (error) {
    options.log(`[error] Functions.${fn.name} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return { error };
  }
}

/** The trigger's own values; the members of a JSON object come first, as binding data. */
function metadataOf(message: DequeuedMessageItem, text: string): Record<string, RpcTypedData> {
  const json = (value: unknown): RpcTypedData => ({ json: JSON.stringify(value) });
  return {
    ...membersOf(text),
    QueueTrigger: { string: text },
    DequeueCount: json(message.dequeueCount),
    ExpirationTime: json(message.expiresOn),
    Id: { string: message.messageId },
    InsertionTime: json(message.insertedOn),
    NextVisibleTime: json(message.nextVisibleOn),
    PopReceipt: { string: message.popReceipt },
  };
}

function membersOf(text: string): Record<string, RpcTypedData> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, { json: JSON.stringify(member) }]));
  } catch {
    return {};
  }
}

function decode(text: string, encoding: 'base64' | 'none'): string | undefined {
  if (encoding === 'none') return text;
  const isBase64 = text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
  return isBase64 ? Buffer.from(text, 'base64').toString('utf8') : undefined;
}

/** Renews the lease at half its time; `end` answers the pop receipt that is valid then. */
function keepLease(queue: QueueClient, message: DequeuedMessageItem): { end(): Promise<string> } {
  let receipt = message.popReceipt;
  let renewal: Promise<void> = Promise.resolve();
  const renew = async () => {
    const answer = await queue.updateMessage(message.messageId, receipt, message.messageText, LEASE_SECONDS);
    receipt = answer.popReceipt ?? receipt;
  };
  const timer = setInterval(
    () => {
      renewal = renew().catch(() => undefined); // a lost lease shows itself when the message is settled
    },
    (LEASE_SECONDS * 1000) / 2,
  );
  return {
    end: async () => {
      clearInterval(timer);
      await renewal;
      return receipt;
    },
  };
}
