// A plain client of the control plane: it speaks to the functions' port under the name of the management endpoint, and follows long-running operations as SDKs do.
import { type IncomingHttpHeaders, request } from 'node:http';

// biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of a body by asserting it
export type JsonBody = any;

export type Reply = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string /** The body where it is a JSON object. */; readonly json: JsonBody };

export type Client = {
  /** One request; `path` begins with `/`. `api-version` is added unless the path has one. */
  send(method: string, path: string, body?: unknown, more?: { readonly headers?: Readonly<Record<string, string>>; readonly host?: string }): Promise<Reply>;
  /** The request and, while it is answered 202, its Location; the last answer. */
  finish(method: string, path: string, body?: unknown): Promise<Reply>;
};

const CONTROL_HOST = 'management.azure.com';
const API_VERSION = '2023-07-01';
const POLLS_MAX = 50;

export function createClient(port: () => number, token: string | undefined): Client {
  const send: Client['send'] = (method, path, body, { headers = {}, host = CONTROL_HOST } = {}) => {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const url = /[?&]api(-|%2D)version=/i.test(path) ? path : `${path}${path.includes('?') ? '&' : '?'}api-version=${API_VERSION}`;
    return exchange(port(), method, url, text, {
      host,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(text !== undefined && { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
      ...headers,
    });
  };
  return {
    send,
    async finish(method, path, body) {
      let reply = await send(method, path, body);
      for (let polls = 0; reply.status === 202 && polls < POLLS_MAX; polls++) {
        const { pathname, search } = new URL(String(reply.headers.location));
        reply = await send('GET', pathname + search);
      }
      return reply;
    },
  };
}

/** One request as it is, on a connection of its own. */
export function exchange(port: number, method: string, path: string, body: string | undefined, headers: Readonly<Record<string, string>>): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: text.startsWith('{') ? JSON.parse(text) : undefined });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
