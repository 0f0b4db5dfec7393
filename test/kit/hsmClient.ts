// A plain client of one HSM's data plane: it speaks to the functions' port under the host of the HSM.
import { exchange, type Reply } from './client';

export type HsmClient = {
  readonly name: string;
  readonly host: string;
  /** One request; `path` begins with `/`. `api-version` is added unless the path has one. */
  send(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Reply>;
  /** The same with the path as it is. */
  sendTo(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Reply>;
  /** Creates a key, or a version of one; an EC key unless `body` says otherwise. */
  create(key: string, body?: object): Promise<Reply>;
  /** Every item of a list, read by its links to the end, and how many came in each page. */
  all(path: string): Promise<{ readonly items: readonly ListItem[]; readonly pages: readonly number[] }>;
};

type ListItem = { readonly kid: string; readonly [member: string]: unknown };

const API_VERSION = '7.4';
const PAGES_MAX = 500;

/** @param token none for a request without one */
export function createHsmClient(port: () => number, name: string, token: string | undefined): HsmClient {
  const host = `${name}.managedhsm.azure.net`;
  /** The path as it is. */
  const sendTo = (method: string, url: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Reply> => {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    return exchange(port(), method, url, text, {
      host,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(text !== undefined && { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
      ...headers,
    });
  };
  const send: HsmClient['send'] = (method, path, body, headers) =>
    sendTo(method, /[?&]api(-|%2D)version=/i.test(path) ? path : `${path}${path.includes('?') ? '&' : '?'}api-version=${API_VERSION}`, body, headers);
  return {
    name,
    host,
    send,
    sendTo,
    create: (key, body = { kty: 'EC-HSM' }) => send('POST', `/keys/${key}/create`, body),
    async all(path) {
      const items: ListItem[] = [];
      const pages: number[] = [];
      let reply = await send('GET', path);
      while (pages.length < PAGES_MAX) {
        if (reply.status !== 200) throw new Error(`a list answered ${reply.status} ${reply.text}`);
        items.push(...reply.json.value);
        pages.push(reply.json.value.length);
        if (reply.json.nextLink === undefined) return { items, pages };
        const link = new URL(reply.json.nextLink);
        if (link.origin !== `https://${host}`) throw new Error(`a link to ${link.origin}`);
        // Clients follow it as it is, with no api-version of their own.
        reply = await sendTo('GET', link.pathname + link.search);
      }
      throw new Error('a list without an end');
    },
  };
}
