// Where a host can be killed while it does one thing: at each of the storage requests that this takes, unstored, stored but unanswered, or stored long after. Each point is tried on a subject of its own, so that one kill serves them all.
import { setTimeout as pause } from 'node:timers/promises';
import type { StorageProxy } from './storageProxy';
import { type Kind, kindOf, mentions, type Stopped, stopNth } from './turnstile';

export type KillPoint = {
  /** The request, counted from 1, at which it stands when the host is killed; one more than there are: it has ended before. */
  readonly n: number;
  /** What becomes of that request: reset; stored before the kill, unanswered; stored after all else, as if it had stalled. */
  readonly fate: 'reset' | 'stored' | 'late' | 'never sent';
};

/** Every point of something that makes these requests in this order. A read has no effect, so that it can only be reset. */
export const killPoints = (requests: readonly Kind[]): readonly KillPoint[] => [
  ...requests.flatMap((kind, index) => (kind === 'read' ? (['reset'] as const) : (['reset', 'stored', 'late'] as const)).map((fate) => ({ n: index + 1, fate }))),
  { n: requests.length + 1, fate: 'never sent' },
];

/** Whether the first `write` of the requests was stored by the time of the kill. */
export function isCommitted({ n, fate }: KillPoint, requests: readonly Kind[]): boolean {
  const commit = requests.indexOf('write') + 1;
  return n > commit || (n === commit && fate === 'stored');
}

/** A name for the subject of a point. */
export const nameOf = (what: string, { n, fate }: KillPoint): string => `${what}-${n}-${fate.replace(' ', '-')}`;

const PAUSE_MS = 20;

export type Standing = {
  /** Resolves when the request stands; for what never sends it, see `requests`. */
  readonly reached: Promise<Stopped>;
  /** What it has sent until now, in its order. */
  requests(): readonly Kind[];
  /** After the kill: an unstored request is dropped, a late one goes on standing. */
  afterKill(): Promise<void>;
  /** Stores what is late. */
  land(): Promise<void>;
};

/**
 * Lets the work on a subject come to a point, from now on.
 * @param texts what tells the subject's requests from all others
 */
export function standAt(proxy: StorageProxy, { n, fate }: KillPoint, texts: readonly string[]): Standing {
  const isIts = mentions(...texts);
  const from = proxy.requests.length;
  const stop = stopNth(proxy, n, isIts, fate === 'stored' ? 'after' : 'before');
  let until: number | undefined;
  return {
    reached: stop.reached,
    requests: () =>
      proxy.requests
        .slice(from, until)
        .filter(isIts)
        .map((request) => kindOf(request) as Kind),
    async afterKill() {
      until = proxy.requests.length;
      stop.cancel();
      if (fate === 'reset') (await stop.reached).go('reset');
      if (fate === 'stored') (await stop.reached).go();
    },
    async land() {
      if (fate === 'late') await (await stop.reached).store();
    },
  };
}

/** Waits until every point is reached, and what never comes to its point has made all of its requests. @throws Error when the request at a point is of another kind than it should be */
export async function allStand(points: readonly KillPoint[], standings: readonly Standing[], requests: readonly Kind[]): Promise<void> {
  for (const [at, { n, fate }] of points.entries()) {
    const standing = standings[at] as Standing;
    if (fate === 'never sent') while (standing.requests().length < requests.length) await pause(PAUSE_MS);
    else await standing.reached;
    const [seen, expected] = fate === 'never sent' ? [standing.requests(), requests] : [[standing.requests()[n - 1]], [requests[n - 1]]];
    if (String(seen) !== String(expected)) throw new Error(`at ${n}, ${fate}: sent ${seen}, expected ${expected}`);
  }
}
