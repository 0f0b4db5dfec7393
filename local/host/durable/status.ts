/**
 * Instances as the management API shows them, and the filter of its lists and purges. Knows nothing of HTTP.
 */
import { isoOf, ticksOf } from './instants';
import type { HistoryEvent } from './protocol';
import type { InstanceRecord, RuntimeStatus } from './store';

/** A row of the API. `input`, `output` and `customStatus` are values, instants are cut to seconds. */
export type InstanceStatus = {
  readonly name: string;
  readonly instanceId: string;
  readonly runtimeStatus: RuntimeStatus;
  readonly input: unknown;
  readonly customStatus: unknown;
  readonly output: unknown;
  readonly createdTime: string;
  readonly lastUpdatedTime: string;
};

const SECOND_TICKS = 10_000_000n;
const toSeconds = (iso: string): string => isoOf((ticksOf(iso) / SECOND_TICKS) * SECOND_TICKS);

export const statusOf = (record: InstanceRecord): InstanceStatus => ({
  name: record.name,
  instanceId: record.instanceId,
  runtimeStatus: record.status,
  input: record.input === null ? null : JSON.parse(record.input),
  customStatus: record.customStatus,
  output: record.output,
  createdTime: toSeconds(record.createdAt),
  lastUpdatedTime: toSeconds(record.lastUpdatedAt),
});

/** Members left out do not restrict; instants are milliseconds, both ends included. */
export type InstanceFilter = { readonly createdFrom?: number; readonly createdTo?: number; readonly states?: readonly string[] };

export function matches(record: InstanceRecord, { createdFrom, createdTo, states }: InstanceFilter): boolean {
  const createdAt = Date.parse(record.createdAt);
  if (createdFrom !== undefined && createdAt < createdFrom) return false;
  if (createdTo !== undefined && createdAt > createdTo) return false;
  return states === undefined || states.some((state) => state.toLowerCase() === record.status.toLowerCase());
}

const SHOWN: Readonly<Record<number, string>> = {
  0: 'ExecutionStarted',
  1: 'ExecutionCompleted',
  3: 'ExecutionTerminated',
  5: 'TaskCompleted',
  6: 'TaskFailed',
  10: 'TimerCreated',
  11: 'TimerFired',
  15: 'EventRaised',
  19: 'ExecutionSuspended',
  20: 'ExecutionResumed',
};

/** `historyEvents` of the API: the bookkeeping of episodes left out, results only where asked for. */
export function historyShown(history: readonly HistoryEvent[], withOutput: boolean): readonly unknown[] {
  const scheduled = new Map(history.flatMap((event) => (event.EventType === 4 ? [[event.EventId, event] as const] : [])));
  return history.flatMap((event) => {
    const EventType = SHOWN[event.EventType];
    if (!EventType) return [];
    const task = event.EventType === 5 || event.EventType === 6 ? scheduled.get(event.TaskScheduledId) : undefined;
    return [
      {
        EventType,
        Timestamp: event.Timestamp,
        ...(event.EventType === 0 && { FunctionName: event.Name }),
        ...(task && { FunctionName: task.Name, ScheduledTime: task.Timestamp }),
        ...(event.EventType === 6 && { Reason: event.Reason }),
        ...('FireAt' in event && { FireAt: event.FireAt }),
        ...(event.EventType === 15 && { Name: event.Name }),
        ...(withOutput && 'Result' in event && event.Result !== null && { Result: JSON.parse(event.Result) }),
      },
    ];
  });
}
