// What has been stored, when, in order: every version of every HSM record and group row, who owns which rows, which debts stand. Answers are explained by it, and nothing in it was computed by the code under test.
import type { KeyRecord, VersionRecord } from '../../../shared/domain/key';
import type { HsmRecord } from '../../../shared/domain/managedHsm';
import type { Timer } from '../../../shared/domain/plan';
import type { GroupRecord } from '../../../shared/domain/resourceGroup';
import type { Instant } from '../../../shared/domain/time';

/** A version stood from one tick (inclusive) to another (exclusive), while the clock went from one instant to the other. */
export type Version<V> = { readonly value: V | undefined; readonly fromTick: number; readonly fromNow: Instant; toTick: number; toNow: Instant };

/** `partition` is the incarnation of the HSM that a key's debt stands in. */
type DebtNote = { readonly hsm: string; readonly partition: string | undefined; readonly writtenAt: Instant; readonly fromTick: number; closedTick: number };

/** The fence in one HSM's partition: which of its rows are there, and when somebody last closed or opened it, by the storage's own clock. */
type FenceNote = { readonly guard: boolean; readonly open: boolean; readonly closedAt: Instant };

export type History = {
  readonly hsms: Map<string, Version<HsmRecord>[]>;
  readonly groups: Map<string, Version<GroupRecord>[]>;
  /** Every incarnation that ever was, and the tick at which its record was removed. */
  readonly incarnations: Map<string, { readonly name: string; readonly retentionDays: number; readonly bornProtected: boolean; removedTick: number }>;
  /** Every version of every key's record, by `HSM incarnation/name`. */
  readonly keys: Map<string, Version<KeyRecord>[]>;
  readonly keyIncarnations: Map<string, { readonly address: string; readonly partition: string; removedTick: number }>;
  /** Every state of each older version's row, by `key incarnation!version`. */
  readonly olderVersions: Map<string, Version<VersionRecord>[]>;
  /** Obligation rows, by HSM incarnation. */
  readonly dues: Map<string, Set<string>>;
  readonly fences: Map<string, Version<FenceNote>[]>;
  /** Every deletion that was ever stored, and how it ended. */
  readonly deletions: Map<string, { readonly incarnation: string; readonly storedNow: Instant; ended: 'no' | 'recovered' | 'purged' }>;
  readonly debts: Map<string, DebtNote>;
  /** Rows beside the record that belong to an incarnation, wherever they are. */
  readonly owned: Map<string, Set<string>>;
};

export const NEVER = Number.POSITIVE_INFINITY;

export const createHistory = (): History => ({
  hsms: new Map(),
  groups: new Map(),
  incarnations: new Map(),
  keys: new Map(),
  keyIncarnations: new Map(),
  olderVersions: new Map(),
  dues: new Map(),
  fences: new Map(),
  deletions: new Map(),
  debts: new Map(),
  owned: new Map(),
});

export const keyAddress = (hsmIncarnation: string, name: string): string => `${hsmIncarnation}/${name}`;

/** Whether the record of an HSM's incarnation is stored. */
export const stands = ({ hsms, incarnations }: History, incarnation: string): boolean =>
  current(hsms, incarnations.get(incarnation)?.name ?? '')?.value?.incarnation === incarnation;

/** Whether the record of a key's incarnation is stored. */
export const keyStands = ({ keys, keyIncarnations }: History, incarnation: string): boolean =>
  current(keys, keyIncarnations.get(incarnation)?.address ?? '')?.value?.incarnation === incarnation;

/** The record that a timer is about, if it is stored with the timer's own deletion. A key of an HSM that is gone is gone with it. */
export function deletionStanding(history: History, { hsm, incarnation, key, deletionId }: Timer): HsmRecord | KeyRecord | undefined {
  if (key && !stands(history, incarnation)) return undefined;
  const record = key ? current(history.keys, keyAddress(incarnation, key.name))?.value : current(history.hsms, hsm)?.value;
  return record?.deletion?.deletionId === deletionId ? record : undefined;
}

/** What stands now. */
export const current = <V>(versions: ReadonlyMap<string, Version<V>[]>, name: string): Version<V> | undefined => versions.get(name)?.at(-1);

export function addVersion<V>(versions: Map<string, Version<V>[]>, name: string, value: V | undefined, tick: number, now: Instant): void {
  const list = versions.get(name) ?? [];
  versions.set(name, list);
  const last = list.at(-1);
  if (last) {
    last.toTick = tick;
    last.toNow = now;
  }
  list.push({ value, fromTick: tick, fromNow: now, toTick: NEVER, toNow: NEVER });
}

export type Span = { readonly fromTick: number; readonly fromNow: Instant; readonly toTick: number; readonly toNow: Instant };

/** Each version that stood during a span, with the part of the clock's way that it stood for. A name never stored was absent all the time. */
function during<V>(
  versions: ReadonlyMap<string, readonly Version<V>[]>,
  name: string,
  span: Span,
): { readonly value: V | undefined; readonly fromNow: Instant; readonly toNow: Instant }[] {
  const found: { value: V | undefined; fromNow: Instant; toNow: Instant }[] = [];
  const list = versions.get(name) ?? [];
  const first = list[0];
  if (!first || first.fromTick > span.fromTick) found.push({ value: undefined, fromNow: span.fromNow, toNow: Math.min(span.toNow, first ? first.fromNow : NEVER) });
  for (const version of list)
    if (version.toTick > span.fromTick && version.fromTick <= span.toTick)
      found.push({ value: version.value, fromNow: Math.max(version.fromNow, span.fromNow), toNow: Math.min(version.toNow, span.toNow) });
  return found;
}

/** Whether anything was so at some moment of a span: at either end of each version's time, and wherever its own dates fall in between. */
export const wasSo = <V>(
  versions: ReadonlyMap<string, readonly Version<V>[]>,
  name: string,
  span: Span,
  datesOf: (value: V) => readonly Instant[],
  holds: (value: V | undefined, now: Instant) => boolean,
): boolean =>
  during(versions, name, span).some(({ value, fromNow, toNow }) => {
    if (holds(value, fromNow) || holds(value, toNow)) return true;
    return (
      value !== undefined &&
      datesOf(value).some((date) => (date > fromNow && date <= toNow && holds(value, date)) || (date - 1 > fromNow && date - 1 < toNow && holds(value, date - 1)))
    );
  });
