// Passes one request on to a server on loopback and its answer back: bodies streamed, end-to-end headers as they came, hop-by-hop headers left to each hop.
import { type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http';

export type Refuse = (response: ServerResponse, status: number, code: string, message: string) => void;

/** Of one hop only (RFC 9110 §7.6.1). Expect is one too here: the edge has answered it. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

/** A Connection header cannot take these away: without them the request would be another. */
const KEPT: ReadonlySet<string> = new Set(['host', 'content-length', 'authorization']);

const METHODS_WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** Said to a server that is asked once per connection: one that is told to close would reset the rest of a body under its own early answer. */
const KEEP_ALIVE = ['Connection', 'keep-alive'] as const;

/** Sends the request to 127.0.0.1:`port` with `path` in place of its own. A server that is down is 503, one that breaks off before it answers 502; a later break ends the connection. */
export function forward(request: IncomingMessage, response: ServerResponse, port: number, path: string, refuse: Refuse): void {
  const upstream = sendRequest({ host: '127.0.0.1', port, method: request.method, path, headers: requestHeaders(request), agent: false });
  upstream.on('response', (answer) => {
    response.sendDate = false;
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', endToEnd(answer));
    answer.on('error', () => response.destroy()).pipe(response);
  });
  upstream.on('error', (error: NodeJS.ErrnoException) => {
    if (response.headersSent) return; // an answer before the body's end, whole all the same: if it is cut off, it says so itself
    if (error.code === 'ECONNREFUSED') refuse(response, 503, 'ServiceUnavailable', 'The service is not up. Try again.');
    else refuse(response, 502, 'BadGateway', 'The service broke off before it answered.');
  });
  response.on('close', () => upstream.destroy());
  request.pipe(upstream);
  // After pipe, whose own listener pauses: the rest of a body must pass before the connection's next request can.
  upstream.on('close', () => request.resume());
}

function requestHeaders(request: IncomingMessage): string[] {
  const headers = [...endToEnd(request), ...KEEP_ALIVE];
  const { 'transfer-encoding': encoding, 'content-length': length } = request.headers;
  if (encoding !== undefined) return [...headers, 'Transfer-Encoding', 'chunked'];
  // Said aloud, for node would otherwise send an empty body in chunks, which is another request.
  if (length === undefined && METHODS_WITH_BODY.has(request.method ?? '')) return [...headers, 'Content-Length', '0'];
  return headers;
}

/** Names and values in turn, in the order and spelling in which they came. */
function endToEnd(message: IncomingMessage): string[] {
  const named = (message.headers.connection ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
  const dropped = new Set([...HOP_BY_HOP, ...named.filter((name) => !KEPT.has(name))]);
  const kept: string[] = [];
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    const [name, value] = message.rawHeaders.slice(at, at + 2) as [string, string];
    if (!dropped.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}
