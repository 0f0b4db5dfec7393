// The queue of clean-up messages on Azure Queue Storage or Azurite: each names a debt, nothing more. Sending one twice is harmless, so the SDK may repeat.
import { QueueServiceClient, type StoragePipelineOptions } from '@azure/storage-queue';
import type { CleanupQueue } from '../ports';
import type { StorageAccount } from './tables';
import { unavailable } from './unavailable';

/** Milliseconds that one call may take, its repeats included. */
const CALL_MS = 10_000;
const OPTIONS: StoragePipelineOptions = { retryOptions: { maxTries: 3, retryDelayInMs: 200, maxRetryDelayInMs: 1_000 } };

/**
 * Messages are base64 JSON `{hsm, incarnation, key?}`, as the queue trigger expects them, and never expire.
 * @returns the queue, and `createQueue`, which may be repeated. Both throw Unavailable.
 */
export function cleanupQueue(account: StorageAccount, queueName: string): { readonly queue: CleanupQueue; createQueue(): Promise<void> } {
  const service =
    'credential' in account
      ? new QueueServiceClient(account.queueEndpoint, account.credential, OPTIONS)
      : QueueServiceClient.fromConnectionString(account.connectionString, OPTIONS);
  const client = service.getQueueClient(queueName);

  async function call(send: (options: { readonly abortSignal: AbortSignal }) => Promise<unknown>): Promise<void> {
    try {
      await send({ abortSignal: AbortSignal.timeout(CALL_MS) });
    } catch (error) {
      throw unavailable(error);
    }
  }

  return {
    queue: {
      send: ({ hsm, incarnation, key }) =>
        call((options) => client.sendMessage(Buffer.from(JSON.stringify({ hsm, incarnation, key })).toString('base64'), { ...options, messageTimeToLive: -1 })),
    },
    createQueue: () => call((options) => client.createIfNotExists(options)),
  };
}
