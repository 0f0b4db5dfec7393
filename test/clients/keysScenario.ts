// The form of keysScenario.json: what each client does with keys step by step, and what it should bring. The programs in other languages read the same file.
import type { Outcome } from './scenario';

export type KeyStep = {
  readonly do: 'create' | 'update' | 'get' | 'versions' | 'list' | 'listDeleted' | 'getDeleted' | 'delete' | 'recover' | 'purge';
  readonly key?: string;
  readonly kty?: string;
  readonly size?: number;
  readonly crv?: string;
  readonly ops?: readonly string[];
  readonly enabled?: boolean;
  /** Seconds since the epoch. */
  readonly expires?: number;
  readonly tags?: Readonly<Record<string, string>>;
  /** The n-th version that the program has created, of whatever key, counted from 1; the latest of the key if left out. */
  readonly version?: number;
  /** Where pollers can be written down: by one, its text, and another made of it by a client of its own. */
  readonly resumed?: boolean;
  /** A refusal is `{status, code}`; in place of version ids stand numbers as above, in place of two instants `daysToPurge`. */
  readonly expect: Outcome;
};

export type KeysScenario = { readonly group: string; readonly location: string; readonly administrator: string; readonly hsm: string; readonly steps: readonly KeyStep[] };
