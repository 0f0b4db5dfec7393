// The queues behind a service, past it: how many messages wait, and messages of a test's own.
import { QueueServiceClient } from '@azure/storage-queue';

/** Messages in each queue, those under way included. */
export async function queueLengths(connectionString: string): Promise<Readonly<Record<string, number>>> {
  const service = QueueServiceClient.fromConnectionString(connectionString);
  const lengths: Record<string, number> = {};
  for await (const { name } of service.listQueues()) lengths[name] = (await service.getQueueClient(name).getProperties()).approximateMessagesCount ?? 0;
  return lengths;
}

/** Sends a value as base64 JSON; a text is sent as it is, in base64. */
export async function sendMessage(connectionString: string, queue: string, message: unknown): Promise<void> {
  const text = typeof message === 'string' ? message : JSON.stringify(message);
  await QueueServiceClient.fromConnectionString(connectionString).getQueueClient(queue).sendMessage(Buffer.from(text).toString('base64'));
}
