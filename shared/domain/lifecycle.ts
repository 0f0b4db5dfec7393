// The one table of what each command does to a subject (an HSM or a key) in each state. Nothing else decides that; callers pass through `admit` first.
import { refuse } from './errors';
import type { Instant } from './time';

export type Deletion = { readonly deletionId: string; readonly deletedAt: Instant; readonly purgeAt: Instant };

/** While a window is open the service shows a transition and refuses every further command; it is derived from stored instants, never a state. */
export type Window = { readonly operation: 'create' | 'update' | 'recover' | 'delete'; readonly startedAt: Instant; readonly readyAt: Instant };

/** The operations whose result can be asked for. */
export type LongOperation = Window['operation'] | 'purge';

export type Subject = { readonly incarnation: string; readonly deletion?: Deletion; readonly window?: Window };

export type State = 'absent' | 'active' | 'deleted' | 'overdue';
export type Command = 'create' | 'delete' | 'recover' | 'purge' | 'expire';
export type Outcome = 'activate' | 'update' | 'delete' | 'recover' | 'purge' | 'expire' | 'expireFirst' | 'notFound' | 'notDeleted' | 'nameHeld' | 'lookAgain' | 'nothing';

/** What each command does to a subject in each state. The only place that knows. */
export const lifecycle = {
  absent: { create: 'activate', delete: 'notFound', recover: 'notFound', purge: 'notFound', expire: 'nothing' },
  active: { create: 'update', delete: 'delete', recover: 'notDeleted', purge: 'notFound', expire: 'nothing' },
  deleted: { create: 'nameHeld', delete: 'notFound', recover: 'recover', purge: 'purge', expire: 'lookAgain' },
  overdue: { create: 'expireFirst', delete: 'notFound', recover: 'notFound', purge: 'notFound', expire: 'expire' },
} as const satisfies Record<State, Record<Command, Outcome>>;

/** Overdue is absent to every caller, whether or not anything has purged it yet. */
export const stateAt = (subject: Subject | undefined, now: Instant): State =>
  !subject ? 'absent' : !subject.deletion ? 'active' : now < subject.deletion.purgeAt ? 'deleted' : 'overdue';

/** Whether a transition is under way. */
export const isInWindow = (subject: Subject, now: Instant): boolean => subject.window !== undefined && now < subject.window.readyAt;

/**
 * The table's cell for a command, once the subject's window is closed.
 * @throws Conflict while a window is open; purge and expire have none, and a subject that no caller sees has none either.
 */
export function admit<C extends Command>(subject: Subject | undefined, command: C, now: Instant): (typeof lifecycle)[State][C] {
  const state = stateAt(subject, now);
  if (subject && isInWindow(subject, now) && state !== 'overdue' && command !== 'purge' && command !== 'expire') throw refuse('OperationInProgress');
  return lifecycle[state][command];
}

/** Retention counts from the acceptance of the deletion; `daySeconds` is 86,400 outside development. */
export const purgeDate = (deletedAt: Instant, retentionDays: number, daySeconds: number): Instant => deletedAt + retentionDays * daySeconds;
