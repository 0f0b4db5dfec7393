// The Durable client behind the timers, against an HTTP server that answers as the real extension does (recorded on 3.14): what is success, what is Unavailable, what is asked.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InvocationContext } from '@azure/functions';
import * as df from 'durable-functions';
import { purgeTimers } from '../../shared/adapters/purgeTimers';

type Answer = { readonly status: number; readonly body?: unknown };

const DELETION_ID = '0d7d1f2e-97d5-4f0a-9f7e-2f7b8f5a3c11';
const TIMER = { deletionId: DELETION_ID, hsm: 'contoso', incarnation: '3a6bd6a1-6c61-4aa3-8c35-2c4b1e1a0c11', purgeAt: 1_798_761_600 };
const STARTED: Answer = { status: 202, body: { id: DELETION_ID } };
const RUNNING: Answer = { status: 409, body: { Message: 'An Orchestration instance with the status Running already exists.' } };
const RUNNING_IN_OLD_EXTENSIONS: Answer = {
  status: 500,
  body: { Message: 'Something went wrong', ExceptionMessage: 'An Orchestration instance with the status Running already exists.' },
};

let server: Server;
let asked: { readonly line: string; readonly body: string }[];
/** Undefined: it never answers. */
let answer: Answer | undefined;

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    void textOf(request).then((body) => {
      asked.push({ line: `${request.method} ${request.url}`, body });
      if (answer) response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body === undefined ? '' : JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
});

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

const port = () => (server.address() as AddressInfo).port;

function invocation(rpcBaseUrl = `http://127.0.0.1:${port()}/durabletask/`): InvocationContext {
  const input = df.input.durableClient();
  const context = new InvocationContext({ options: { extraInputs: [input], extraOutputs: [], trigger: { type: 'httpTrigger', name: 'request' } } as never });
  context.extraInputs.set(input, {
    taskHubName: 'hub',
    creationUrls: {},
    managementUrls: { id: 'INSTANCEID' },
    baseUrl: rpcBaseUrl,
    requiredQueryStringParameters: '',
    rpcBaseUrl,
  });
  return context;
}

const timers = (timeouts = { callMs: 5_000, purgeFinishedMs: 5_000 }) => purgeTimers(invocation(), 'purgeAtDeadline', timeouts);
const unavailable = { error: 'Unavailable', status: 503 };

test('start asks for an orchestration under the deletion id, with the whole timer as its input', async () => {
  answer = STARTED;
  await timers().start(TIMER);
  expect(asked).toEqual([{ line: `POST /durabletask/orchestrators/purgeAtDeadline/${DELETION_ID}`, body: JSON.stringify(TIMER) }]);
});

test.each([
  ['409', RUNNING],
  ['500 with the same words, as older extensions', RUNNING_IN_OLD_EXTENSIONS],
])('start of an id of our own that exists is success: %s', async (_, exists) => {
  answer = exists;
  await expect(timers().start(TIMER)).resolves.toBeUndefined();
});

test.each<[string, Answer]>([
  ['500', { status: 500, body: { Message: 'Something went wrong' } }],
  ['503', { status: 503 }],
  ['404', { status: 404 }],
  ['400', { status: 400, body: { Message: 'Invalid instance id' } }],
])('start that fails otherwise is Unavailable: %s', async (_, failure) => {
  answer = failure;
  await expect(timers().start(TIMER)).rejects.toMatchObject(unavailable);
});

test('no answer within the time-out is Unavailable, for every call', async () => {
  answer = undefined;
  const { start, end, purgeFinished } = timers({ callMs: 50, purgeFinishedMs: 50 });
  for (const call of [start(TIMER), end(DELETION_ID), purgeFinished(new Date(0))]) await expect(call).rejects.toMatchObject({ ...unavailable, cause: 'ETIMEDOUT' });
});

test('nothing listens: Unavailable', async () => {
  await expect(purgeTimers(invocation('http://127.0.0.1:1/durabletask/'), 'purgeAtDeadline').start(TIMER)).rejects.toMatchObject({ ...unavailable, cause: 'ECONNREFUSED' });
});

test('an invocation without the Durable client is Unavailable', () => {
  const context = new InvocationContext({ options: { extraInputs: [], extraOutputs: [], trigger: { type: 'httpTrigger', name: 'request' } } as never });
  expect(() => purgeTimers(context, 'purgeAtDeadline')).toThrow(expect.objectContaining(unavailable));
});

test.each([
  ['202', 202],
  ['404, unknown', 404],
  ['410, finished', 410],
])('end terminates; it is no error when the answer is %s', async (_, status) => {
  answer = { status };
  await expect(timers().end(DELETION_ID)).resolves.toBeUndefined();
  expect(asked).toEqual([{ line: `POST /durabletask/instances/${DELETION_ID}/terminate?reason=deletion-ended`, body: '' }]);
});

test('end that fails otherwise is Unavailable', async () => {
  answer = { status: 500 };
  await expect(timers().end(DELETION_ID)).rejects.toMatchObject(unavailable);
});

test('purgeFinished always names the four states of what has ended', async () => {
  answer = { status: 200, body: { instancesDeleted: 3 } };
  expect(await timers().purgeFinished(new Date('2027-01-01T00:00:00Z'))).toBe(3);
  const query = new URL(`http://x${asked[0]?.line.replace('DELETE ', '')}`).searchParams;
  expect(query.get('runtimeStatus')?.split(',').sort()).toEqual(['Canceled', 'Completed', 'Failed', 'Terminated']);
  expect(query.get('createdTimeTo')).toBe('2027-01-01T00:00:00.000Z');
});

test('purgeFinished with nothing to remove is 0, and a failure is Unavailable', async () => {
  answer = { status: 404 };
  expect(await timers().purgeFinished(new Date())).toBe(0);
  answer = { status: 500 };
  await expect(timers().purgeFinished(new Date())).rejects.toMatchObject(unavailable);
});
