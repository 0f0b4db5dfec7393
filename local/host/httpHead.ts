/** Request line and header fields, with the limits and refusals of the real host's server. */

export type WireRequestHead = {
  readonly method: string;
  /** The path as sent, still encoded, and the query with its question mark, or ''. */
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly version: '1.0' | '1.1';
  /** Names in lower case, repeated ones joined by a comma. */
  readonly headers: ReadonlyMap<string, string>;
  readonly host: string;
  readonly contentLength: number;
  readonly chunked: boolean;
  readonly expectsContinue: boolean;
  readonly keepAlive: boolean;
};

/** An answer without body that ends the connection. */
export type Refusal = { readonly refused: true; readonly status: number; readonly headers: readonly (readonly [name: string, value: string])[] };

const REQUEST_LINE_BYTES_MAX = 8192;
const HEADER_BYTES_MAX = 32_768;
const HEADER_COUNT_MAX = 100;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]*)(?::\d*)?$/;

export const refuse = (status: number, headers: Refusal['headers'] = []): Refusal => ({ refused: true, status, headers });
export const isRefusal = (value: object): value is Refusal => 'refused' in value;

/** The head without its last empty line, or the refusal it deserves. */
export function parseHead(bytes: Buffer): WireRequestHead | Refusal {
  const lineEnd = bytes.indexOf('\r\n');
  const lineBytes = lineEnd < 0 ? bytes.length : lineEnd;
  if (lineBytes + 2 > REQUEST_LINE_BYTES_MAX) return refuse(414);
  if (bytes.length - lineBytes > HEADER_BYTES_MAX) return refuse(431);
  const line = /^([^ ]+) ([!-~]+) HTTP\/(\d\.\d)$/.exec(bytes.toString('latin1', 0, lineBytes));
  if (!line) return refuse(400);
  const [, method = '', target = '', version = ''] = line;
  if (!TOKEN.test(method)) return refuse(400);
  if (version !== '1.0' && version !== '1.1') return refuse(505);

  const fields = parseFields(bytes.subarray(lineBytes + 2));
  if (isRefusal(fields)) return fields;
  const hosts = fields.filter(([name]) => name === 'host').map(([, value]) => value);
  if (hosts.length > 1 || (hosts.length === 0 && version === '1.1') || !HOST.test(hosts[0] ?? '')) return refuse(400);
  const path = parseTarget(method, target, hosts[0] ?? '');
  if (isRefusal(path)) return path;
  const framing = parseFraming(fields);
  if (isRefusal(framing)) return framing;

  const headers = new Map<string, string>();
  for (const [name, value] of framing.fields) headers.set(name, headers.has(name) ? `${headers.get(name)},${value}` : value);
  const connection = headers.get('connection')?.toLowerCase() ?? '';
  return {
    ...path,
    method,
    version,
    headers,
    host: hosts[0] ?? '',
    contentLength: framing.contentLength,
    chunked: framing.chunked,
    expectsContinue: headers.get('expect')?.toLowerCase() === '100-continue',
    keepAlive: version === '1.1' ? !connection.includes('close') : connection.includes('keep-alive'),
  };
}

type Field = readonly [name: string, value: string];

function parseFields(bytes: Buffer): readonly Field[] | Refusal {
  if (bytes.length === 0) return [];
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse(400);
  }
  const lines = text.split('\r\n');
  if (lines.length > HEADER_COUNT_MAX) return refuse(431);
  const fields: Field[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that end or hide a header
    if (colon < 0 || !TOKEN.test(name) || /[\u0000\r\n]/.test(value)) return refuse(400);
    fields.push([name.toLowerCase(), value.replace(/^[ \t]+|[ \t]+$/g, '')]);
  }
  return fields;
}

function parseTarget(method: string, target: string, host: string): { readonly rawPath: string; readonly rawQuery: string } | Refusal {
  if (target === '*') return method === 'OPTIONS' ? { rawPath: '', rawQuery: '' } : refuse(405, [['Allow', 'OPTIONS']]);
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target);
  if (absolute && absolute[1]?.toLowerCase() !== host.toLowerCase()) return refuse(400);
  const origin = absolute ? absolute[2] || '/' : target;
  if (!origin.startsWith('/')) return refuse(400);
  const mark = origin.indexOf('?');
  return mark < 0 ? { rawPath: origin, rawQuery: '' } : { rawPath: origin.slice(0, mark), rawQuery: origin.slice(mark) };
}

function parseFraming(fields: readonly Field[]): { readonly contentLength: number; readonly chunked: boolean; readonly fields: readonly Field[] } | Refusal {
  const lengths = fields.filter(([name]) => name === 'content-length');
  if (lengths.length > 1 || lengths.some(([, value]) => !/^\d{1,15}$/.test(value))) return refuse(400);
  const codings = fields.filter(([name]) => name === 'transfer-encoding').flatMap(([, value]) => value.toLowerCase().split(/\s*,\s*/));
  if (codings.length === 0) return { contentLength: Number(lengths[0]?.[1] ?? 0), chunked: false, fields };
  if (codings.at(-1) !== 'chunked' || codings.slice(0, -1).includes('chunked')) return refuse(400);
  // Two framings: the length loses, but stays visible under another name.
  return { contentLength: 0, chunked: true, fields: fields.map(([name, value]) => [name === 'content-length' ? 'x-content-length' : name, value]) };
}
