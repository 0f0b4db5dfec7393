// The doors to the outside: storage, queue, Durable timers, ids, the host's clock, the log. Adapters implement them; services know nothing else.
import type { KeySpec, PublicParts } from './domain/keySpec';
import type { Debt, Row, Table, Timer, Transaction, Value } from './domain/plan';
import type { Instant } from './domain/time';

/** What was read, and the storage's clock at that very read: `now` with the development offset, `storageAt` without it. */
export type Clocked<T> = { readonly found: T; readonly now: Instant; readonly storageAt: Instant };

/**
 * Rows from `from` (inclusive) to `to` (exclusive) by row key, of one partition or, without `partition`, of the whole table, there from the first
 * partition after `afterPartition`. `where` keeps rows whose text member has that value.
 */
export type Range = {
  readonly table: Table;
  readonly partition?: string;
  readonly afterPartition?: string;
  readonly from: string;
  readonly to: string;
  readonly where?: { readonly member: string; readonly equals: string };
};

/** One page: up to `limit` rows, possibly none, and yet `next` may be there: only a page without `next` is the end. */
export type Page<V> = { readonly rows: readonly Row<V>[]; readonly next?: string };

/** `unknown`: no answer or a 5xx; the transaction may have been stored, or may still be. */
export type TransactAnswer = { readonly kind: 'stored' } | { readonly kind: 'refused'; readonly status: 404 | 409 | 412 } | { readonly kind: 'unknown' };

export type Store = {
  /** A point read. A missing row is `found: undefined`; a missing table is Unavailable, never absence. @throws Unavailable */
  row<V extends Value>(table: Table, partition: string, row: string): Promise<Clocked<Row<V> | undefined>>;
  /** One page of a range, in order of partition and row. `next` of the page before continues. @throws Unavailable */
  page<V extends Value>(range: Range, limit: number, next?: string): Promise<Clocked<Page<V>>>;
  /** Sent once, never repeated here. Every replace and delete carries its own ETag. Never throws for what storage says. */
  transact(transaction: Transaction): Promise<TransactAnswer>;
};

export type CleanupQueue = {
  /** Messages never expire and carry ids only. @throws when it was not accepted */
  send(debt: Debt): Promise<void>;
};

export type PurgeTimers = {
  /** An id of our own that exists already is success. @throws Unavailable */
  start(timer: Timer): Promise<void>;
  /** Ends the timer of a deletion; one that is finished or unknown is no error. */
  end(deletionId: string): Promise<void>;
};

/** Seeded in tests, so that a seed replays. */
export type Ids = {
  /** A GUID, lower case: incarnations, deletion ids, write ids, names of assignments, request ids. */
  guid(): string;
};

/** The host's own clock, development offset included, whole seconds. Decides nothing that is stored, but for its veto in expire. */
type HostClock = { now(): Instant };

/** One line: a code and ids, never a message of a library and never a body. */
export type Log = (level: 'information' | 'warning' | 'error', line: string) => void;

/** Makes private parts. @throws Throttled when too many are under way */
export type KeyMaterial = { generate(spec: KeySpec): Promise<{ readonly publicParts: PublicParts; readonly secret: Buffer }> };

/** Of the HSM's record. `hsm` is its name in lower case. */
export type HsmSeal = { readonly hsm: string; readonly incarnation: string; readonly wrappedSealingKey: string };
/** Of the key's record. */
export type KeySeal = { readonly incarnation: string; readonly wrappedDataKey: string };
/** What a private part is bound to, so that neither a row can be moved nor a key be made exportable by editing a table. */
export type VersionSeal = {
  readonly version: string;
  readonly kty: string;
  readonly sizeOrCurve: string;
  readonly exportable: boolean;
  readonly releasePolicyHash: string | undefined;
};

/** Root key -> sealing key of the HSM -> data key of the key -> private part of a version. */
export type Sealing = {
  newSealingKey(hsm: { readonly hsm: string; readonly incarnation: string }): Promise<string>;
  newDataKey(hsm: HsmSeal, keyIncarnation: string): Promise<string>;
  seal(hsm: HsmSeal, key: KeySeal, version: VersionSeal, secret: Buffer): Promise<string>;
  open(hsm: HsmSeal, key: KeySeal, version: VersionSeal, blob: string): Promise<Buffer>;
};

export type Ports = {
  readonly store: Store;
  readonly queue: CleanupQueue;
  readonly timers: PurgeTimers;
  readonly sealing: Sealing;
  readonly material: KeyMaterial;
  readonly ids: Ids;
  readonly hostClock: HostClock;
  readonly log: Log;
};
