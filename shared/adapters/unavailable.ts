// What every adapter says when its service does not answer as it should, and the bound on calls that have none of their own.
import { refuse, type ServiceError } from '../domain/errors';

/** What SDK errors may carry; `details.errorCode` is the service's own code. */
type Failure = { readonly code?: unknown; readonly statusCode?: unknown; readonly name?: unknown; readonly details?: { readonly errorCode?: unknown } };

/** Unavailable, with the code of what went wrong as its `cause`, for the log: a code only, since messages and requests of libraries may hold more than a log should. */
export function unavailable(error: unknown): ServiceError {
  const { code, statusCode, name, details } = (error ?? {}) as Failure;
  return Object.assign(refuse('Unavailable'), { cause: String(details?.errorCode ?? code ?? statusCode ?? name ?? 'unknown').slice(0, 64) });
}

/**
 * Bounds a call that knows no time-out. The call itself goes on: whatever it does late must be harmless.
 * @throws Error with code ETIMEDOUT after `milliseconds`, or what the call throws
 */
export async function within<T>(milliseconds: number, call: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })), milliseconds);
  });
  try {
    return await Promise.race([call, limit]);
  } finally {
    clearTimeout(timer);
  }
}
