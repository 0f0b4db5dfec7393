/**
 * How an episode changes an instance's record: which events it consists of, and what it leaves behind. Pure.
 */
import type { Answer, HistoryEvent } from './protocol';
import { eventType, historyEvent, startedEvent } from './protocol';
import type { Ending, Verdict } from './replay';
import type { Decision } from './sequence';
import type { InstanceRecord, RuntimeStatus } from './store';

export const isOver = (record: InstanceRecord): boolean => record.status === 'Completed' || record.status === 'Failed' || record.status === 'Terminated';

export const hasWork = (record: InstanceRecord): boolean => !isOver(record) && record.begun.length + record.inbox.length > 0;

/** `taken` events of the inbox are in `fresh`; the rest waits for the next episode. */
export type Episode = { readonly past: readonly HistoryEvent[]; readonly fresh: readonly HistoryEvent[]; readonly taken: number };

/** Everything that has arrived goes into one batch; an execution begun by continueAsNew starts on its own events first. */
export const nextEpisode = (record: InstanceRecord, timestamp: string): Episode =>
  record.begun.length > 0
    ? { past: [], fresh: record.begun, taken: 0 }
    : { past: record.history, fresh: [historyEvent({ EventType: eventType.orchestratorStarted }, timestamp), ...record.inbox], taken: record.inbox.length };

/** What is to be started once the changed record is stored, and the full history if the instance is finished by this episode. */
export type Aftermath = { readonly record: (now: InstanceRecord) => InstanceRecord; readonly history: readonly HistoryEvent[] };

const ENDED: Readonly<Record<'completed' | 'failed' | 'terminated', { readonly status: RuntimeStatus; readonly code: number }>> = {
  completed: { status: 'Completed', code: 1 },
  failed: { status: 'Failed', code: 3 },
  terminated: { status: 'Terminated', code: 5 },
};

/** Results and firings belong to the execution that asked for them; the next one counts from 0 again. */
const OF_AN_EXECUTION: readonly number[] = [eventType.taskCompleted, eventType.taskFailed, eventType.timerFired];

const decided = (decision: Decision, timestamp: string): HistoryEvent =>
  decision.kind === 'timer'
    ? historyEvent({ EventType: eventType.timerCreated, FireAt: decision.fireAt }, timestamp, decision.id)
    : historyEvent({ EventType: eventType.taskScheduled, Name: decision.name, Version: '', Input: null, ParentTraceContext: null, Tags: null }, timestamp, decision.id);

/** The replay marks what it has played before it is stored, but for the start of the episode. */
const played = (event: HistoryEvent): HistoryEvent => (event.EventType === eventType.orchestratorStarted ? event : { ...event, IsPlayed: true });

const completion = (ending: Exclude<Ending, { kind: 'continuedAsNew' }>, timestamp: string): HistoryEvent =>
  historyEvent(
    { EventType: eventType.executionCompleted, OrchestrationStatus: ENDED[ending.kind].code, Result: JSON.stringify(ending.output), FailureDetails: null },
    timestamp,
    ending.id,
  );

/**
 * Applies an episode. The change is a function of the record as it is when the episode ends, because events and results arrive meanwhile.
 * `stamp` gives the next timestamp, `newId` a UUID.
 */
export function afterEpisode(episode: Episode, answer: Answer, verdict: Verdict, stamp: () => string, newId: () => string): Aftermath {
  const { ending } = verdict;
  const customStatus = (now: InstanceRecord) => answer.customStatus ?? now.customStatus;
  if (ending?.kind === 'continuedAsNew') {
    // The real engine writes these execution ids without dashes.
    const executionId = newId().replaceAll('-', '');
    const startedAt = stamp();
    return {
      history: [],
      record: (now) => ({
        ...now,
        status: 'Running',
        executionId,
        input: ending.input,
        createdAt: startedAt,
        lastUpdatedAt: startedAt,
        customStatus: customStatus(now),
        history: [],
        begun: [
          historyEvent({ EventType: eventType.orchestratorStarted }, startedAt),
          startedEvent({ ...now, executionId, input: ending.input }, null, startedAt),
          ...ending.carriedOver,
          historyEvent({ EventType: eventType.orchestratorCompleted }, startedAt),
        ],
        inbox: now.inbox.slice(episode.taken).filter((event) => !OF_AN_EXECUTION.includes(event.EventType)),
        timers: [],
      }),
    };
  }
  const history = [
    ...episode.past,
    ...episode.fresh.map(played),
    ...verdict.decisions.map((decision) => decided(decision, stamp())),
    ...(ending ? [completion(ending, stamp())] : []),
    historyEvent({ EventType: eventType.orchestratorCompleted }, stamp()),
  ];
  const createdAt = stamp();
  const timers = verdict.decisions.flatMap((decision) => (decision.kind === 'timer' ? [{ timerId: decision.id, fireAt: decision.fireAt, createdAt }] : []));
  const activities = verdict.decisions.flatMap((decision) => (decision.kind === 'activity' ? [{ taskId: decision.id, name: decision.name, input: decision.input ?? null }] : []));
  return {
    history,
    record: (now) => ({
      ...now,
      status: ending ? ENDED[ending.kind].status : verdict.suspended ? 'Suspended' : 'Running',
      lastUpdatedAt: createdAt,
      output: ending ? ending.output : now.output,
      customStatus: customStatus(now),
      history: ending ? [] : history,
      begun: [],
      inbox: ending ? [] : now.inbox.slice(episode.taken),
      timers: ending ? [] : [...now.timers, ...timers],
      activities: [...now.activities, ...activities],
    }),
  };
}
