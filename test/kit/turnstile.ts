// Stops single requests between a host and its storage, so that a test says which goes on first, or kills the host while they stand. It also tells whose a request is, and what it does.
import { type Fate, isTableRead, isTableWrite, type Matches, type StorageProxy, type StorageRequest } from './storageProxy';

/** A request that stands still. */
export type Stopped = {
  readonly request: StorageRequest;
  /** Lets it go on, or says what becomes of it instead. */
  go(fate?: Fate): void;
  /** Lets it go on to the storage, whoever still waits for it; resolves when it has been answered there. */
  store(): Promise<void>;
};

export type Stop = {
  readonly reached: Promise<Stopped>;
  /** Stops nothing any more. */
  cancel(): void;
};

/**
 * Stops the n-th request that matches, counted from now.
 * @param where `before` it reaches the storage, or `after` it is stored: then only its answer stands still.
 */
export function stopNth(proxy: Pick<StorageProxy, 'rule'>, n: number, matches: Matches, where: 'before' | 'after' = 'before'): Stop {
  let cancel: () => void = () => {};
  const reached = new Promise<Stopped>((stopped) => {
    cancel = proxy.rule(matches, (request, nth): Fate | Promise<Fate> => {
      if (nth !== n) return 'forward';
      cancel();
      const stop = () =>
        new Promise<Fate>((go) => {
          stopped({ request, go: (fate = 'forward') => go(fate), store: () => new Promise<void>((stored) => go({ beforeAnswer: async () => stored() })) });
        });
      return where === 'before' ? stop() : { beforeAnswer: async () => void (await stop()) };
    });
  });
  return { reached, cancel };
}

/** Stops the next request that matches. */
export const stopNext = (proxy: Pick<StorageProxy, 'rule'>, matches: Matches, where: 'before' | 'after' = 'before'): Promise<Stopped> => stopNth(proxy, 1, matches, where).reached;

/** What a request does for the app: reads or writes rows, sends a message. Polling a queue, and creating tables and queues, is the host's own affair. */
export type Kind = 'read' | 'write' | 'send';

export function kindOf(request: StorageRequest): Kind | undefined {
  if (request.service === 'queue') return request.method === 'POST' && /\/messages(\?|$)/.test(request.path) ? 'send' : undefined;
  return isTableRead(request) ? 'read' : isTableWrite(request) ? 'write' : undefined;
}

/** The app's own requests in which one of these texts stands: in path, body or message. */
export const mentions =
  (...texts: readonly string[]): Matches =>
  (request) => {
    if (kindOf(request) === undefined) return false;
    const message = /<MessageText>([^<]*)</.exec(request.body)?.[1] ?? '';
    const whole = `${decodeURIComponent(request.path)} ${request.body} ${Buffer.from(message, 'base64').toString()}`;
    return texts.some((text) => whole.includes(text));
  };
