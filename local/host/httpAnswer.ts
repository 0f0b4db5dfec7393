/** What a function's result becomes on the wire: status, header names in the real host's spelling, cookies. */
import type { RpcHttpCookie, RpcHttpData, RpcTypedData } from './functionsCore';
import type { WireResponse } from './httpWire';

/** Names that the real host's server knows come out in this spelling, all others in lower case. */
const KNOWN_HEADERS: ReadonlyMap<string, string> = new Map(
  [
    ...[
      'Accept-Ranges',
      'Access-Control-Allow-Credentials',
      'Access-Control-Allow-Headers',
      'Access-Control-Allow-Methods',
      'Access-Control-Allow-Origin',
      'Access-Control-Expose-Headers',
    ],
    ...[
      'Access-Control-Max-Age',
      'Age',
      'Allow',
      'Alt-Svc',
      'Cache-Control',
      'Connection',
      'Content-Encoding',
      'Content-Language',
      'Content-Length',
      'Content-Location',
      'Content-MD5',
    ],
    ...[
      'Content-Range',
      'Content-Type',
      'Date',
      'ETag',
      'Expires',
      'Keep-Alive',
      'Last-Modified',
      'Location',
      'Pragma',
      'Proxy-Authenticate',
      'Retry-After',
      'Server',
      'Set-Cookie',
      'Trailer',
    ],
    ...['Transfer-Encoding', 'Upgrade', 'Vary', 'Via', 'Warning', 'WWW-Authenticate'],
  ].map((name) => [name.toLowerCase(), name]),
);

export const emptyAnswer = (status: number, headers: WireResponse['headers'] = []): WireResponse => ({ status, headers, body: Buffer.alloc(0) });

/** The answer for a return value; none is 204, and one that cannot be sent is 500. */
export function answerOf(returnValue: RpcTypedData | undefined): WireResponse {
  const http = returnValue?.http;
  if (!http) return emptyAnswer(204);
  const body = bytesOf(http.body);
  const status = Number(http.statusCode ?? 200);
  const headers = [...plainHeaders(http), ...(http.cookies ?? []).map((cookie) => ['Set-Cookie', cookieText(cookie)] as const)];
  const length = headers.find(([name]) => name === 'Content-Length')?.[1];
  const isSendable = headers.every(([, value]) => /^[\t -~]*$/.test(value)) && (length === undefined || Number(length) === body.length);
  return isSendable && status >= 100 && status <= 999 ? { status, headers, body } : emptyAnswer(500);
}

const plainHeaders = (http: RpcHttpData) =>
  Object.entries(http.headers ?? {}).map(([name, value]) => [KNOWN_HEADERS.get(name.toLowerCase()) ?? name.toLowerCase(), value] as const);

function bytesOf(data: RpcTypedData | null | undefined): Buffer {
  if (data?.bytes) return Buffer.from(data.bytes);
  return Buffer.from(data?.string ?? data?.json ?? '');
}

function cookieText(cookie: RpcHttpCookie): string {
  const parts = [`${cookie.name}=${encodeURIComponent(cookie.value ?? '')}`];
  if (cookie.expires) parts.push(`expires=${new Date(Number(cookie.expires.value.seconds) * 1000).toUTCString()}`);
  if (cookie.maxAge) parts.push(`max-age=${cookie.maxAge.value}`);
  if (cookie.domain) parts.push(`domain=${cookie.domain.value}`);
  parts.push(`path=${cookie.path?.value ?? '/'}`);
  if (cookie.secure?.value) parts.push('secure');
  if (cookie.sameSite && cookie.sameSite !== 'none') parts.push(`samesite=${cookie.sameSite === 'explicitNone' ? 'none' : cookie.sameSite}`);
  if (cookie.httpOnly?.value) parts.push('httponly');
  return parts.join('; ');
}
