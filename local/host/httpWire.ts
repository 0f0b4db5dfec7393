/**
 * HTTP/1.1 on a socket, as strict and as lax as the real host's server: Node's own parser refuses requests which that one takes
 * (unknown methods, lower-case methods) and hides others. It owns framing and limits; what a request means is http.ts's affair.
 */
import { STATUS_CODES } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { isRefusal, parseHead, type Refusal, refuse, type WireRequestHead } from './httpHead';
import { createReader, type Reader } from './httpReader';

export type WireRequest = WireRequestHead & { readonly body: Buffer };
export type WireResponse = { readonly status: number; readonly headers: readonly (readonly [name: string, value: string])[]; readonly body: Buffer };

export type WireServer = {
  /** Listens on 127.0.0.1 and answers the port. Rejects with a clear error if it is in use. */
  listen(port: number): Promise<number>;
  /** Takes no new connection, lets requests in flight finish, then closes. */
  close(): Promise<void>;
};

export type WireOptions = { readonly handle: (request: WireRequest) => Promise<WireResponse>; readonly bodyBytesMax: number };

const HEAD_BYTES_MAX = 8192 + 32_768 + 4;
const KEEP_ALIVE_MS = 130_000;
/** How long a refused client may go on sending before it is cut off: a reset would take the answer with it. */
const LINGER_MS = 1000;

export function createWireServer(options: WireOptions): WireServer {
  const sockets = new Map<Socket, { busy: boolean }>();
  let closing = false;

  const converse = async (socket: Socket, state: { busy: boolean }) => {
    const input = createReader(socket);
    for (;;) {
      const headBytes = await input.until('\r\n\r\n', HEAD_BYTES_MAX);
      if (headBytes === undefined) return;
      state.busy = true;
      socket.setTimeout(0);
      const request = await receive(input, socket, headBytes, options.bodyBytesMax);
      if (isRefusal(request)) return linger(socket, render({ ...request, body: Buffer.alloc(0) }, undefined, true));
      const response = await options.handle(request);
      const last = closing || !request.keepAlive || response.headers.some(([name, value]) => name.toLowerCase() === 'connection' && /close/i.test(value));
      const bytes = render(response, request, last);
      if (last) return linger(socket, bytes);
      socket.write(bytes);
      if (request.chunked && !(await skipChunks(input, options.bodyBytesMax))) return linger(socket, Buffer.alloc(0));
      state.busy = false;
      socket.setTimeout(KEEP_ALIVE_MS);
      if (closing) return;
    }
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const state = { busy: false };
    sockets.set(socket, state);
    socket.setTimeout(KEEP_ALIVE_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    converse(socket, state).then(
      () => socket.end(),
      () => socket.destroy(),
    );
  });

  return {
    listen: (port) =>
      new Promise((resolve, reject) => {
        server.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'EADDRINUSE' ? new Error(`Port ${port} of 127.0.0.1 is in use.`) : error));
        server.listen(port, '127.0.0.1', () => {
          const address = server.address();
          resolve(typeof address === 'object' && address ? address.port : port);
        });
      }),
    close: () =>
      new Promise((resolve) => {
        closing = true;
        server.close(() => resolve());
        for (const [socket, state] of sockets) if (!state.busy) socket.destroy();
      }),
  };
}

async function receive(input: Reader, socket: Socket, headBytes: Buffer, bodyBytesMax: number): Promise<WireRequest | Refusal> {
  const head = parseHead(headBytes);
  if (isRefusal(head)) return head;
  if (head.contentLength > bodyBytesMax) return refuse(500);
  if (head.contentLength > 0 && head.expectsContinue) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
  const body = await input.exactly(head.contentLength);
  return body === undefined ? refuse(400) : { ...head, body };
}

/** The real host never reads a body without a length; it is read here, after the answer, only to find the next request. */
async function skipChunks(input: Reader, bytesMax: number): Promise<boolean> {
  for (let total = 0; total <= bytesMax; ) {
    const line = await input.until('\r\n', 4096);
    const size = /^([0-9a-f]{1,8})(?:;.*)?$/i.exec(line?.toString('latin1') ?? '')?.[1];
    if (size === undefined) return false;
    const length = Number.parseInt(size, 16);
    if (length === 0) return skipTrailers(input);
    total += length;
    if (total > bytesMax || (await input.exactly(length + 2)) === undefined) return false;
  }
  return false;
}

async function skipTrailers(input: Reader): Promise<boolean> {
  for (;;) {
    const line = await input.until('\r\n', 4096);
    if (line === undefined) return false;
    if (line.length === 0) return true;
  }
}

const NO_BODY = [204, 205, 304];

function render(response: WireResponse, request: WireRequest | undefined, last: boolean): Buffer {
  const given = response.headers.filter(([name]) => !['connection', 'transfer-encoding'].includes(name.toLowerCase()));
  const has = (wanted: string) => given.some(([name]) => name.toLowerCase() === wanted);
  const headers: (readonly [string, string])[] = [...given];
  const isHead = request?.method.toUpperCase() === 'HEAD';
  const bodiless = isHead || NO_BODY.includes(response.status);
  const chunked = !bodiless && response.body.length > 0 && !has('content-length') && request?.version !== '1.0';
  if (!bodiless && response.body.length === 0 && !has('content-length')) headers.push(['Content-Length', '0']);
  if (chunked) headers.push(['Transfer-Encoding', 'chunked']);
  if (!has('date')) headers.push(['Date', new Date().toUTCString()]);
  if (!has('server')) headers.push(['Server', 'Kestrel']);
  if (last) headers.push(['Connection', 'close']);
  const head = `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ''}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  const body = bodiless ? [] : chunked ? [Buffer.from(`${response.body.length.toString(16)}\r\n`), response.body, Buffer.from('\r\n0\r\n\r\n')] : [response.body];
  return Buffer.concat([Buffer.from(head, 'latin1'), ...body]);
}

async function linger(socket: Socket, bytes: Buffer): Promise<void> {
  await new Promise<void>((resolve) => {
    if (socket.destroyed) return resolve();
    const cut = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => {
      clearTimeout(cut);
      resolve();
    });
    socket.end(bytes);
    socket.resume();
  });
}
