// Answers in the control plane's own form: headers of every answer, the error envelope, lists with their links.
import { refuse, ServiceError } from '../domain/errors';
import type { Listed, Seen } from '../service/hsms';
import type { Door } from './door';

export type Answer = { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> };

export const ok = (body: unknown): Answer => ({ status: 200, body });

/** Version of the real service whose answers these are (contract.md §2.7). */
const SERVICE_VERSION = '1.5.1361.0';

/** @NOTE differs: nothing is throttled, so what remains never falls. */
const REQUESTS_REMAINING = '11999';

/** Headers of every control-plane answer (contract.md §2.7). Lists over a whole subscription are gathered by the resource manager and lack the provider's own. */
export function headersOf(requestId: string, correlationId: string, method: string, aggregated: boolean): Record<string, string> {
  const remaining = method === 'GET' || method === 'HEAD' ? 'reads' : method === 'DELETE' ? 'deletes' : 'writes';
  return {
    'Cache-Control': 'no-cache',
    Pragma: 'no-cache',
    Expires: '-1',
    'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
    'X-Content-Type-Options': 'nosniff',
    ...(aggregated
      ? { 'x-ms-original-request-ids': requestId }
      : { 'x-ms-keyvault-service-version': SERVICE_VERSION, Server: 'Microsoft-IIS/10.0', 'X-AspNet-Version': '4.0.30319' }),
    'x-ms-request-id': requestId,
    'x-ms-correlation-request-id': correlationId,
    'x-ms-routing-request-id': `LOCAL:${requestId}`,
    [`x-ms-ratelimit-remaining-subscription-${remaining}`]: REQUESTS_REMAINING,
  };
}

/** The one catch: a refusal says what to do, anything else says nothing of the inside and leaves a line in the log without its message. */
export function renderError(error: unknown, door: Pick<Door, 'log' | 'authority' | 'tenantId'>): Answer {
  const refusal = serviceErrorOf(error, door);
  return {
    status: refusal.status,
    body: { error: { code: refusal.code, message: refusal.message } },
    headers: {
      ...(refusal.retryAfterSeconds !== undefined && { 'Retry-After': String(refusal.retryAfterSeconds) }),
      ...(refusal.status === 401 && {
        'WWW-Authenticate': `Bearer authorization_uri="${door.authority}/${door.tenantId}", error="invalid_token", error_description="${refusal.message}"`,
      }),
    },
  };
}

/** What was thrown, if on purpose; else 500. */
export const serviceErrorOf = (error: unknown, door: Pick<Door, 'log'>): ServiceError => (error instanceof ServiceError ? error : unexpected(error, door));

function unexpected(error: unknown, { log }: Pick<Door, 'log'>): ServiceError {
  log('error', `unexpected ${error instanceof Error ? `${error.name} ${placeOf(error)}` : typeof error}`);
  return refuse('Internal');
}

/** The first frame of the stack; the message in front of it may have lines of any form. */
function placeOf({ stack = '', message }: Error): string {
  const frames = stack.replace(message, '').split('\n');
  return frames.find((line) => line.trimStart().startsWith('at '))?.trim() ?? '';
}

/** `{"value":[…],"nextLink"?}`; the link repeats the request with the name of the last row shown. */
export function listAnswer({ items, next }: Listed, itemOf: (seen: Seen) => unknown, link: (skipToken: string) => string): Answer {
  return ok({ value: items.map(itemOf), ...(next !== undefined && { nextLink: link(next) }) });
}
