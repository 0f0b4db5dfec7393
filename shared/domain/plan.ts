// What a decision returns: a transaction with its conditions, the timer that must exist before it, the hints that hurry after it. Data only; service/commit runs it.
import type { Instant } from './time';

export type Table = 'hsms' | 'keys' | 'subscriptions';

/** A row's value: JSON members only. */
export type Value = Readonly<Record<string, unknown>>;

/** A row as it was read. `writtenAt` is the storage's own Timestamp, without the development offset. */
export type Row<V> = { readonly partition: string; readonly row: string; readonly etag: string; readonly writtenAt: Instant; readonly value: V };

export type Write =
  | { readonly kind: 'insert'; readonly row: string; readonly value: Value }
  | { readonly kind: 'replace'; readonly row: string; readonly etag: string; readonly value: Value }
  | { readonly kind: 'delete'; readonly row: string; readonly etag: string }
  /** Changes nothing, and fails if the row is not there: `If-Match: *`. */
  | { readonly kind: 'touch'; readonly row: string };

/** One entity-group transaction: 1 to 100 writes in one partition, all or none. The first write is the record that the plan is about. */
export type Transaction = { readonly table: Table; readonly partition: string; readonly writes: readonly [Write, ...Write[]] };

/** The Durable timer of one deletion: its input, whole. Ids only, nothing secret. */
export type Timer = { readonly deletionId: string; readonly hsm: string; readonly incarnation: string; readonly key?: KeyIds; readonly purgeAt: Instant };

/** A key within its HSM's partition: its name in lower case, and its own incarnation. */
export type KeyIds = { readonly name: string; readonly incarnation: string };

/** The clean-up message: names a debt, nothing more. */
export type Debt = { readonly hsm: string; readonly incarnation: string; readonly key?: KeyIds };

export type Hint = { readonly kind: 'erase'; readonly debt: Debt } | { readonly kind: 'endTimer'; readonly deletionId: string };

export type Plan = {
  /** Started before the write, so that an acknowledged deletion has one; harmless if the write never comes. */
  readonly timer?: Timer;
  /** Done before the write, harmless alone: only switching purge protection on has one. */
  readonly fence?: Transaction;
  /** The commit point. */
  readonly write: Transaction;
  /** An id that only this plan brings into the store (an incarnation, a deletion id): found in the record after an unknown answer, it proves success. */
  readonly coins?: string;
  /** For a plan that removes its record: the incarnation it removes. No longer stored proves success. */
  readonly removes?: string;
  /** After the commit, best effort. */
  readonly hurry: readonly Hint[];
};
