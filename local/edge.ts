// The one port that clients see: an HTTPS proxy for the emulated names, which ends them in TLS here and refuses every other name at once, and the same TLS without a proxy. It routes by name; it knows nothing of what it carries.
import { createServer as createHttpServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { collapseSlashes, destinationOf, destinationOfRequest, hostName, tunnelName } from './edgeHosts';
import { forward } from './forward';

/** One line of the request log. `method` CONNECT has an empty path; elsewhere path and query as they were passed on. Never a header, never a body. */
export type LogLine = { readonly host: string; readonly method: string; readonly path: string; readonly status: number };

export type EdgeOptions = {
  /** 0 for an ephemeral one. */
  readonly port: number;
  /** Where the functions listen, on 127.0.0.1. */
  readonly functionsPort: number;
  readonly entra: (request: IncomingMessage, response: ServerResponse) => void;
  /** PEM. */
  readonly certificate: { readonly leaf: string; readonly leafKey: string };
  readonly log?: Log;
};

export type Edge = { readonly port: number; stop(): Promise<void> };

type Log = (line: LogLine) => void;

type Problem = { readonly status: number; readonly code: string; readonly message: string };

/** The first byte of every TLS connection: a handshake record. */
const TLS_HANDSHAKE = 0x16;
const HANDSHAKE_MS_MAX = 10_000;
/** Longer than clients keep idle connections themselves, so that none is closed under a request. */
const KEEP_ALIVE_MS = 120_000;
const RETRY_AFTER_SECONDS = 1;

const misdirected = (message: string): Problem => ({ status: 421, code: 'MisdirectedRequest', message });
const malformed = (message: string): Problem => ({ status: 400, code: 'BadRequest', message });

/** Listens on 127.0.0.1 only. @throws the system's error if the port is taken */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const sockets = new Set<Socket>();
  const log = options.log ?? (() => undefined);
  const direct = createTlsServer(options, log, undefined);
  const proxy = createProxy(log, (socket, tunnel) => createTlsServer(options, log, tunnel).emit('connection', socket));
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    sortByFirstByte(socket, (isTls) => (isTls ? direct : proxy).emit('connection', socket));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port, '127.0.0.1', resolve));
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return { port: (server.address() as AddressInfo).port, stop };
}

function sortByFirstByte(socket: Socket, sorted: (isTls: boolean) => void): void {
  const giveUp = () => socket.destroy();
  socket.setTimeout(HANDSHAKE_MS_MAX, giveUp);
  socket.once('readable', () => {
    const head = socket.read() as Buffer | null;
    if (head === null) return void socket.destroy(); // closed without a word
    socket.setTimeout(0, giveUp);
    socket.unshift(head);
    sorted(head[0] === TLS_HANDSHAKE);
  });
}

/** Ends the emulated names: behind a tunnel that one, else all. It never listens: connections are handed to it. One for each tunnel, so that it knows its name. */
function createTlsServer(options: EdgeOptions, log: Log, tunnel: string | undefined): HttpsServer {
  const { leaf, leafKey } = options.certificate;
  const settings = { cert: leaf, key: leafKey, minVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'], handshakeTimeout: HANDSHAKE_MS_MAX, keepAliveTimeout: KEEP_ALIVE_MS } as const;
  const server = createHttpsServer(settings, (request, response) => {
    const socket = request.socket as TLSSocket & { readonly servername?: string | false };
    answer(options, log, request, response, { tunnel, sni: (socket.servername || '').toLowerCase() });
  });
  return server.on('tlsClientError', (_error, socket) => socket.destroy());
}

/** Opens tunnels to the emulated names and refuses all else. It never listens either. */
function createProxy(log: Log, opened: (socket: Socket, tunnel: string) => void): HttpServer {
  const server = createHttpServer((_request, response) => refuse(response, 400, 'BadRequest', 'This port speaks CONNECT and TLS: source env.sh of the data folder.'));
  return server.on('connect', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const socket = stream as Socket;
    const name = tunnelName(request.url ?? '');
    log({ host: name ?? request.url ?? '', method: 'CONNECT', path: '', status: name ? 200 : 502 });
    if (name === undefined) return void socket.end('HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    if (head.length > 0) socket.unshift(head);
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    opened(socket, name);
  });
}

type Names = { readonly tunnel: string | undefined; readonly sni: string };

function answer(options: EdgeOptions, log: Log, request: IncomingMessage, response: ServerResponse, names: Names): void {
  const path = collapseSlashes(request.url ?? '');
  const host = hostName(request.headers.host ?? '') ?? '';
  response.on('close', () => log({ host, method: request.method ?? '', path, status: response.statusCode }));
  const problem = problemOf(request, host, names);
  if (problem) {
    refuse(response, problem.status, problem.code, problem.message);
  } else if (destinationOfRequest(host, path) === 'functions') {
    forward(request, response, options.functionsPort, path, refuse);
  } else {
    request.url = path;
    options.entra(request, response);
  }
}

/** What is wrong with the names of a request, or undefined. CONNECT name (if there was one), SNI and Host must be one name of ours. */
function problemOf(request: IncomingMessage, host: string, { tunnel, sni }: Names): Problem | undefined {
  const given = request.rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length;
  if (given !== 1 || host === '') return malformed('One Host header is wanted, with a host name and no trailing dot.');
  if (!request.url?.startsWith('/')) return malformed('The request target must be a path.');
  if (!destinationOf(host)) return misdirected(`${host} is not served here.`);
  if (host !== sni || (tunnel !== undefined && tunnel !== host)) return misdirected('CONNECT name, server name (SNI) and Host must agree.');
  return undefined;
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  const body = JSON.stringify({ error: { code, message } });
  response.req.resume(); // a client that still sends would not see the answer
  const retry = status === 503 ? { 'Retry-After': RETRY_AFTER_SECONDS } : {};
  response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': Buffer.byteLength(body), Connection: 'close', ...retry }).end(body);
}
