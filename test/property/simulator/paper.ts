// The lifecycle table of design §2, written down a second time from paper: the simulator never asks the code under test what a state is or what may be done in it.
import type { KeyRecord } from '../../../shared/domain/key';
import type { HsmRecord } from '../../../shared/domain/managedHsm';
import type { Instant } from '../../../shared/domain/time';
import type { Where } from './commands';

export type PaperState = 'absent' | 'active' | 'deleted' | 'overdue';
type Subject = HsmRecord | KeyRecord;

export function stateOnPaper(record: Subject | undefined, now: Instant): PaperState {
  if (record === undefined) return 'absent';
  if (record.deletion === undefined) return 'active';
  return record.deletion.purgeAt > now ? 'deleted' : 'overdue';
}

/** A transition is under way: further commands are refused until it has ended. */
export const isBusy = (record: Subject | undefined, now: Instant): boolean => record?.window !== undefined && record.window.readyAt > now;

/** Every date in a record at which what callers see may change. */
export const datesOf = (record: Subject): readonly Instant[] => [...(record.deletion ? [record.deletion.purgeAt] : []), ...(record.window ? [record.window.readyAt] : [])];

/** Whether the data plane works: the HSM is active, and no transition but an update is under way. */
export const isServing = (record: HsmRecord | undefined, now: Instant): boolean =>
  stateOnPaper(record, now) === 'active' && (!isBusy(record, now) || record?.window?.operation === 'update');

export const isAtPath = (record: HsmRecord, where: Where): boolean => record.subscription === where.subscription && record.group === where.group;
export const isAtLocation = (record: HsmRecord, where: Where): boolean => record.subscription === where.subscription && record.settings.location === where.location;
