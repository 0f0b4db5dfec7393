/** HTTP beyond the recordings: connections that stay, limits, bodies in pieces, and how paths and queries are read. */
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { decodePath, encodePath, parseQuery } from '../paths';
import { type Child, exchange, parseAnswer, startChild } from './child';

let child: Child;
beforeAll(async () => {
  child = await startChild({ appRoot: join(__dirname, 'http-traces') });
}, 30_000);
afterAll(() => child?.stop());

const ask = async (text: string) => parseAnswer(await exchange(child.port, Buffer.from(text, 'latin1')));
const HOST = 'Host: h.example\r\n';
const LAST = 'Connection: close\r\n\r\n';

/** Waits until so many answers have begun on a socket. */
function answers(socket: Socket, count: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += String(chunk);
      if (text.split('HTTP/1.1 200').length - 1 >= count && text.endsWith('0\r\n\r\n')) resolve(text);
    });
    socket.on('error', reject);
  });
}

test('one connection carries requests one after the other, sent at once, bodies and chunks between them', async () => {
  const post = (framing: string, body: string) => `POST /echo/1 HTTP/1.1\r\n${HOST}${framing}\r\n\r\n${body}`;
  const get = `GET /keys HTTP/1.1\r\n${HOST}\r\n`;
  const socket = connect(child.port, '127.0.0.1');
  socket.write(post('Content-Length: 5', 'hello') + post('Transfer-Encoding: chunked', '3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n') + get);
  const text = await answers(socket, 3);
  socket.destroy();
  expect([...text.matchAll(/"fn":"(\w+)".*?"bodyLength":(\d+)/g)].map(([, fn, length]) => `${fn} ${length}`)).toEqual(['echo 5', 'echo 0', 'keysList 0']);
});

test('a request that comes byte by byte is read whole', async () => {
  const socket = connect(child.port, '127.0.0.1');
  const found = answers(socket, 1);
  for (const byte of `POST /echo/1 HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`) {
    socket.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await found).toContain('"bodyLength":3');
  socket.destroy();
});

test('a client that asks first is told to go on', async () => {
  const socket = connect(child.port, '127.0.0.1');
  socket.write(`POST /echo/1 HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`);
  await new Promise<void>((resolve) => void socket.once('data', (chunk) => (String(chunk).startsWith('HTTP/1.1 100') ? resolve() : undefined)));
  const found = answers(socket, 1);
  socket.write('abc');
  expect(await found).toContain('"bodyLength":3');
  socket.destroy();
});

test('an HTTP/1.0 answer ends with the connection and has no chunks', async () => {
  const { status, headers } = await ask('GET /keys HTTP/1.0\r\nHost: h.example\r\n\r\n');
  expect({ status, chunked: headers.some((header) => /chunked/.test(header)) }).toEqual({ status: 200, chunked: false });
});

const many = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: v\r\n`).join('');

test.each([
  ['98 headers and two more', 200, `GET /keys HTTP/1.1\r\n${HOST}${many(98)}${LAST}`],
  ['99 headers and two more', 431, `GET /keys HTTP/1.1\r\n${HOST}${many(99)}${LAST}`],
  ['headers of 32,000 bytes', 200, `GET /keys HTTP/1.1\r\n${HOST}X-Long: ${'a'.repeat(32_000)}\r\n${LAST}`],
  ['headers over 32 kB', 431, `GET /keys HTTP/1.1\r\n${HOST}X-Long: ${'a'.repeat(33_000)}\r\n${LAST}`],
  ['a request line of 8,192 bytes', 200, `GET /keys?${'a'.repeat(8192 - 'GET /keys? HTTP/1.1\r\n'.length)} HTTP/1.1\r\n${HOST}${LAST}`],
  ['a request line of 8,193 bytes', 414, `GET /keys?${'a'.repeat(8193 - 'GET /keys? HTTP/1.1\r\n'.length)} HTTP/1.1\r\n${HOST}${LAST}`],
  ['a name without a colon', 400, `GET /keys HTTP/1.1\r\n${HOST}Nothing\r\n${LAST}`],
  ['a space before the colon', 400, `GET /keys HTTP/1.1\r\n${HOST}Name : v\r\n${LAST}`],
  ['a folded header', 400, `GET /keys HTTP/1.1\r\n${HOST}A: b\r\n c\r\n${LAST}`],
  ['a length that is no number', 400, `POST /echo/1 HTTP/1.1\r\n${HOST}Content-Length: +1\r\n${LAST}a`],
  ['a coding that is not chunked', 400, `POST /echo/1 HTTP/1.1\r\n${HOST}Transfer-Encoding: gzip\r\n${LAST}`],
  ['a raw character beyond ASCII in the path', 400, `GET /keys/\xe9 HTTP/1.1\r\n${HOST}${LAST}`],
  ['another version', 505, `GET /keys HTTP/3.0\r\n${HOST}${LAST}`],
])('%s: %i', async (_, status, text) => expect((await ask(text)).status).toBe(status));

test.each([
  ['/a%2Fb', '/a%2Fb', '/a%2Fb'],
  ['/a%252Fb', '/a%2Fb', '/a%2Fb'],
  ['/%E2%82%AC', '/€', '/%E2%82%AC'],
  ['/%E2%82x', '/%E2%82x', '/%E2%82x'],
  ['/%C0%AF', '/%C0%AF', '/%C0%AF'],
  ['/%F0%9F%94%91', '/🔑', '/%F0%9F%94%91'],
  ['/a/b/../c/.', '/a/c/', '/a/c/'],
  ['/../../a', '/a', '/a'],
  ['/a/..//b', '//b', '//b'],
  ['/%', '/%', '/%25'],
])('the path %s is %s and is written %s', (raw, decoded, written) => {
  expect(decodePath(raw)).toBe(decoded);
  expect(encodePath(decoded)).toBe(written);
});

test('a path with a NUL is none', () => expect(decodePath('/a%00')).toBeUndefined());

test.each([
  ['', []],
  ['?', []],
  [
    '?a=1&&b',
    [
      ['a', '1'],
      ['b', ''],
    ],
  ],
  ['?a=1&A=2&a=3', [['A', '1,2,3']]],
  ['?%61=%2B+%zz', [['a', '+ %zz']]],
])('the query %s', (raw, entries) => expect([...parseQuery(raw)]).toEqual(entries));
