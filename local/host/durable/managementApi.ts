/**
 * The Durable extension's HTTP management API as the client of durable-functions 3.x calls it, on 127.0.0.1 behind a path that cannot be guessed.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Instances, Sent } from './engine';
import type { InstanceFilter } from './status';
import { historyShown } from './status';

type Reply = { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> };
type Call = { readonly method: string; readonly path: readonly string[]; readonly query: URLSearchParams; readonly headers: IncomingMessage['headers']; readonly body: string };

const PAGE_ROWS = 100;
const BODY_BYTES_MAX = 16 * 1024 * 1024;
const CONTINUATION = 'x-ms-continuation-token';

const ID = 'INSTANCEID';

const managementUrls = (base: string, id: string) => {
  const instance = `${base}instances/${id}`;
  return {
    statusQueryGetUri: instance,
    sendEventPostUri: `${instance}/raiseEvent/{eventName}`,
    terminatePostUri: `${instance}/terminate?reason={text}`,
    rewindPostUri: `${instance}/rewind?reason={text}`,
    purgeHistoryDeleteUri: instance,
    restartPostUri: `${instance}/restart`,
    suspendPostUri: `${instance}/suspend?reason={text}`,
    resumePostUri: `${instance}/resume?reason={text}`,
  };
};

/** The `durableClient` input binding; the client uses `rpcBaseUrl` for all calls. */
export const clientBinding = (base: string, hubName: string): string => {
  const create = `${base}orchestrators/{functionName}[/{instanceId}]`;
  return JSON.stringify({
    taskHubName: hubName,
    creationUrls: { createNewInstancePostUri: create, createAndWaitOnNewInstancePostUri: create },
    managementUrls: { id: ID, ...managementUrls(base, ID) },
    baseUrl: base.slice(0, -1),
    requiredQueryStringParameters: '',
    rpcBaseUrl: base,
  });
};

const sent = (outcome: Sent): Reply => ({ status: { accepted: 202, gone: 410, unknown: 404 }[outcome] });
const refusal = (status: number, message: string): Reply => ({ status, body: { Message: message } });

/** Throws on a date that is none: a filter that is silently wider would purge too much. */
function filterOf(query: URLSearchParams): InstanceFilter {
  const instant = (name: string) => {
    const text = query.get(name);
    if (text === null || text === '') return undefined;
    const at = Date.parse(text);
    if (Number.isNaN(at)) throw new SyntaxError(`${name} is no date: ${text}`);
    return at;
  };
  const createdFrom = instant('createdTimeFrom');
  const createdTo = instant('createdTimeTo');
  const states = query.get('runtimeStatus');
  return { ...(createdFrom !== undefined && { createdFrom }), ...(createdTo !== undefined && { createdTo }), ...(states && { states: states.split(',') }) };
}

/** The text of a JSON body, null for an empty one. Throws a SyntaxError on anything else. */
function jsonText(body: string): string | null {
  if (body.trim() === '') return null;
  JSON.parse(body);
  return body;
}

async function start(engine: Instances, base: string, name: string, id: string | undefined, body: string): Promise<Reply> {
  const started = await engine.startNew(name, id, jsonText(body));
  if (started.kind === 'exists') return refusal(409, `An Orchestration instance with the status ${started.status} already exists.`);
  const urls = managementUrls(base, started.instanceId);
  return { status: 202, body: { id: started.instanceId, ...urls }, headers: { location: urls.statusQueryGetUri, 'retry-after': '10' } };
}

/** Pages are cut by id, so that what is purged between two of them moves nothing. */
function list(engine: Instances, { query, headers }: Call): Reply {
  const after = Buffer.from(String(headers[CONTINUATION] ?? ''), 'base64url').toString('utf8');
  const rows = engine.instances(filterOf(query)).filter(({ instanceId }) => after === '' || instanceId > after);
  const page = rows.slice(0, PAGE_ROWS);
  const last = page.at(-1)?.instanceId ?? '';
  return { status: 200, body: page, ...(rows.length > page.length && { headers: { [CONTINUATION]: Buffer.from(last).toString('base64url') } }) };
}

async function show(engine: Instances, base: string, id: string, query: URLSearchParams): Promise<Reply> {
  const status = engine.get(id);
  if (!status) return refusal(404, `No instance with ID '${id}' found.`);
  const isGoingOn = ['Pending', 'Running', 'Suspended'].includes(status.runtimeStatus);
  const history = query.get('showHistory') === 'true' ? { historyEvents: historyShown(await engine.history(id), query.get('showHistoryOutput') === 'true') } : {};
  return { status: isGoingOn ? 202 : 200, body: { ...status, ...history }, ...(isGoingOn && { headers: { location: `${base}instances/${id}`, 'retry-after': '5' } }) };
}

async function purge(engine: Instances, id: string): Promise<Reply> {
  const outcome = await engine.purge(id);
  if (outcome === 'purged') return { status: 200, body: { instancesDeleted: 1 } };
  return outcome === 'running' ? refusal(412, 'Only orchestrations in a terminal state can be purged') : refusal(404, `No instance with ID '${id}' found.`);
}

async function purgeBy(engine: Instances, query: URLSearchParams): Promise<Reply> {
  const instancesDeleted = await engine.purgeBy(filterOf(query));
  return { status: instancesDeleted > 0 ? 200 : 404, body: { instancesDeleted } };
}

async function operate(engine: Instances, id: string, operation: string, { path, query, body }: Call): Promise<Reply> {
  const reason = query.get('reason') ?? '';
  switch (operation) {
    case 'terminate':
      return sent(await engine.terminate(id, reason));
    case 'suspend':
      return sent(await engine.suspend(id, reason));
    case 'resume':
      return sent(await engine.resume(id, reason));
    case 'raiseEvent':
      return path[3] ? sent(await engine.raiseEvent(id, path[3], jsonText(body))) : refusal(400, 'An event needs a name');
    default:
      return { status: 501, body: `The embedded Durable engine does not support ${operation}.` };
  }
}

async function answer(engine: Instances, base: string, call: Call): Promise<Reply> {
  const [kind, first, second] = call.path;
  const is = (method: string, wanted: string) => call.method === method && kind === wanted;
  if (is('POST', 'orchestrators') && first) return start(engine, base, first, second, call.body);
  if (is('GET', 'instances')) return first ? show(engine, base, first, call.query) : list(engine, call);
  if (is('DELETE', 'instances')) return first ? purge(engine, first) : purgeBy(engine, call.query);
  if (is('POST', 'instances') && first && second) return operate(engine, first, second, call);
  if (kind === 'entities') return { status: 501, body: 'The embedded Durable engine does not support entities.' };
  return { status: 404 };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new SyntaxError('The body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function write(response: ServerResponse, { status, body, headers }: Reply): void {
  response.writeHead(status, { ...(body !== undefined && { 'content-type': 'application/json; charset=utf-8' }), ...headers });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}

const listening = (server: Server): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });

/** Listens on an ephemeral port; `url` ends with a slash. A request that a browser sent is refused, whatever it asks for. */
export async function startManagementApi(engine: Instances, log: (line: string) => void): Promise<{ readonly url: string; close(): Promise<void> }> {
  const prefix = `/${randomBytes(24).toString('base64url')}/durabletask/`;
  let base = '';
  const handle = async (request: IncomingMessage): Promise<Reply> => {
    if (request.headers.origin !== undefined || request.headers['sec-fetch-site'] !== undefined) return { status: 403 };
    if (!request.url?.startsWith(prefix)) return { status: 404 };
    try {
      const url = new URL(request.url, base);
      const path = url.pathname.slice(prefix.length).split('/').map(decodeURIComponent);
      return await answer(engine, base, { method: request.method ?? '', path, query: url.searchParams, headers: request.headers, body: await read(request) });
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof URIError) return refusal(400, error.message);
      log(`Durable management API: ${(error as Error).message}`);
      return { status: 500 };
    }
  };
  const server = createServer((request, response) => {
    handle(request).then(
      (reply) => write(response, reply),
      () => response.destroy(),
    );
  });
  await listening(server);
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`;
  return {
    url: base,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
