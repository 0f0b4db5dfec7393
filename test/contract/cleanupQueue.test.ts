// The clean-up queue on Azurite: what stands in a message, that it never expires, and that a send is known to be accepted or refused.
import { QueueServiceClient } from '@azure/storage-queue';
import { type Azurite, startAzurite } from '../../local/azurite';
import { cleanupQueue } from '../../shared/adapters/cleanupQueue';
import { type Matches, type StorageProxy, startStorageProxy } from '../kit/storageProxy';

const DEBT = { hsm: 'contoso', incarnation: '3a6bd6a1-6c61-4aa3-8c35-2c4b1e1a0c11' };
const YEAR_MS = 365 * 86_400_000;
const isSend: Matches = ({ service, method, path }) => service === 'queue' && method === 'POST' && path.includes('/messages');

let azurite: Azurite;
let proxy: StorageProxy;
let queues = 0;

beforeAll(async () => {
  azurite = await startAzurite();
  proxy = await startStorageProxy(azurite);
}, 60_000);
afterAll(async () => {
  await proxy.stop();
  await azurite.stop();
}, 60_000);

function given() {
  const name = `cleanup-${++queues}`;
  const raw = QueueServiceClient.fromConnectionString(azurite.connectionString).getQueueClient(name);
  const received = async () => (await raw.receiveMessages({ numberOfMessages: 32 })).receivedMessageItems;
  return { ...cleanupQueue({ connectionString: proxy.connectionString }, name), received };
}

test('a message is base64 JSON, names the debt and nothing more, and never expires', async () => {
  const { queue, createQueue, received } = given();
  await createQueue();
  await queue.send({ ...DEBT, more: 'left out' } as typeof DEBT);
  const messages = await received();
  expect(messages.map(({ messageText }) => JSON.parse(Buffer.from(messageText, 'base64').toString()))).toEqual([DEBT]);
  expect(Buffer.from(messages[0]?.messageText ?? '', 'base64').toString('base64')).toBe(messages[0]?.messageText);
  expect((messages[0]?.expiresOn.getTime() ?? 0) - Date.now()).toBeGreaterThan(100 * YEAR_MS);
});

test('creating the queue may be repeated and keeps its messages', async () => {
  const { queue, createQueue, received } = given();
  await Promise.all([createQueue(), createQueue()]);
  await queue.send(DEBT);
  await createQueue();
  expect(await received()).toHaveLength(1);
});

test('without its queue a send is Unavailable', async () => {
  await expect(given().queue.send(DEBT)).rejects.toMatchObject({ error: 'Unavailable', cause: 'QueueNotFound' });
});

test('a send whose answer is lost is sent again: twice is harmless, never is not', async () => {
  const { queue, createQueue, received } = given();
  await createQueue();
  proxy.loseAnswers(isSend);
  await queue.send(DEBT);
  expect(await received()).toHaveLength(2);
});

test('a send that is never accepted is Unavailable in the end', async () => {
  const { queue, createQueue, received } = given();
  await createQueue();
  const takeAway = proxy.rule(isSend, () => ({ status: 503 }));
  await expect(queue.send(DEBT)).rejects.toMatchObject({ error: 'Unavailable' });
  takeAway();
  expect(await received()).toHaveLength(0);
});
