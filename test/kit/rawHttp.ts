// One HTTP request to the functions' port, exactly as written: header by header, chunked or not, any bytes. A library would mend what a test wants to see refused.
import { connect } from 'node:net';
import type { JsonBody } from './client';
import { parseAnswer } from './rawTls';

export type RawHttp = {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Sends the body in one chunk, without a Content-Length. */
  readonly chunked?: boolean;
};

export type RawReply = { readonly status: number /** As they came, by lower-case name. */; readonly headers: Readonly<Record<string, string>>; readonly json: JsonBody };

export async function rawHttp(port: number, { method, target, headers, body, chunked = false }: RawHttp): Promise<RawReply> {
  const bytes = Buffer.from(body ?? '');
  const framing = body === undefined ? {} : chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(bytes.length) };
  const fields = Object.entries({ ...headers, ...framing, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
  const sent = chunked ? [Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n0\r\n\r\n')] : [bytes];
  const answer = parseAnswer((await exchange(port, Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${fields.join('')}\r\n`), ...sent]))).toString('utf8'));
  const received = answer.head
    .split('\r\n')
    .slice(1)
    .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()] as const);
  return { status: answer.status, headers: Object.fromEntries(received), json: answer.body.startsWith('{') ? JSON.parse(answer.body) : undefined };
}

const exchange = (port: number, bytes: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => {
      socket.end();
      resolve(Buffer.concat(chunks));
    });
  });
