/**
 * The Durable extension's out-of-process JSON protocol as durable-functions 3.x speaks it: history events, the orchestrationTrigger
 * payload, and the orchestrator's answer. Member names and their order are those of recorded payloads.
 */
import { timeSpanOf } from './instants';

/** EventType numbers of DurableTask.Core. */
export const eventType = {
  executionStarted: 0,
  executionCompleted: 1,
  executionTerminated: 3,
  taskScheduled: 4,
  taskCompleted: 5,
  taskFailed: 6,
  timerCreated: 10,
  timerFired: 11,
  orchestratorStarted: 12,
  orchestratorCompleted: 13,
  eventRaised: 15,
  executionSuspended: 19,
  executionResumed: 20,
} as const;

type Common = { readonly EventId: number; readonly IsPlayed: boolean; readonly Timestamp: string };
type Details =
  | {
      readonly OrchestrationInstance: { readonly InstanceId: string; readonly ExecutionId: string };
      readonly EventType: 0;
      readonly ParentInstance: null;
      readonly Name: string;
      readonly Version: null;
      readonly Input: string | null;
      readonly Tags: null;
      readonly Correlation: null;
      readonly ParentTraceContext: null;
      readonly ScheduledStartTime: null;
      readonly Generation: number | null;
      readonly GenerateNewTrace: false;
    }
  | { readonly EventType: 1; readonly OrchestrationStatus: number; readonly Result: string | null; readonly FailureDetails: null }
  | { readonly EventType: 3; readonly Input: string }
  | { readonly EventType: 4; readonly Name: string; readonly Version: ''; readonly Input: null; readonly ParentTraceContext: null; readonly Tags: null }
  | { readonly EventType: 5; readonly TaskScheduledId: number; readonly Result: string }
  | { readonly EventType: 6; readonly TaskScheduledId: number; readonly Reason: string; readonly Details: string; readonly FailureDetails: null }
  | { readonly EventType: 10; readonly FireAt: string }
  | { readonly EventType: 11; readonly TimerId: number; readonly FireAt: string }
  | { readonly EventType: 12 | 13 }
  | { readonly EventType: 15; readonly Name: string; readonly Input: string | null; readonly ParentTraceContext: null }
  | { readonly EventType: 19 | 20; readonly Reason: string };

export type HistoryEvent = Details & Common;

/** A history event not yet part of an episode. `eventId` is the sequence number for 1, 4 and 10, and -1 for all others. */
export const historyEvent = (details: Details, Timestamp: string, eventId = -1): HistoryEvent => ({ ...details, EventId: eventId, IsPlayed: false, Timestamp }) as HistoryEvent;

export const startedEvent = (
  of: { readonly instanceId: string; readonly executionId: string; readonly name: string; readonly input: string | null },
  generation: number | null,
  timestamp: string,
): HistoryEvent =>
  historyEvent(
    {
      OrchestrationInstance: { InstanceId: of.instanceId, ExecutionId: of.executionId },
      EventType: eventType.executionStarted,
      ParentInstance: null,
      Name: of.name,
      Version: null,
      Input: of.input,
      Tags: null,
      Correlation: null,
      ParentTraceContext: null,
      ScheduledStartTime: null,
      Generation: generation,
      GenerateNewTrace: false,
    },
    timestamp,
  );

/** Timers longer than `maximumShortMs` are walked in segments of `segmentMs`. */
export type TimerLimits = { readonly maximumShortMs: number; readonly segmentMs: number };

/** The `data.string` of an orchestrationTrigger: the whole history, every time. `isReplaying` says that an earlier episode exists. */
export const orchestrationPayload = (episode: {
  readonly instanceId: string;
  readonly input: string | null;
  readonly past: readonly HistoryEvent[];
  readonly fresh: readonly HistoryEvent[];
  readonly limits: TimerLimits;
}): string =>
  JSON.stringify({
    history: [...episode.past, ...episode.fresh],
    input: episode.input === null ? null : JSON.parse(episode.input),
    instanceId: episode.instanceId,
    isReplaying: episode.past.length > 0,
    parentInstanceId: null,
    upperSchemaVersion: 1,
    upperSchemaVersionNew: 3,
    longRunningTimerIntervalDuration: timeSpanOf(episode.limits.segmentMs),
    maximumShortTimerDuration: timeSpanOf(episode.limits.maximumShortMs),
    // The misspelt name is the real one.
    defaultHttpAsyncRequestSleepTimeMillseconds: 30000,
  });

export type RetryOptions = {
  readonly firstRetryIntervalInMilliseconds: number;
  readonly maxNumberOfAttempts: number;
  readonly backoffCoefficient?: number;
  readonly maxRetryIntervalInMilliseconds?: number;
  readonly retryTimeoutInMilliseconds?: number;
};

export const actionType = { callActivity: 0, callActivityWithRetry: 1, continueAsNew: 4, createTimer: 5, waitForExternalEvent: 6, whenAny: 11, whenAll: 12 } as const;

export type Action =
  | { readonly actionType: 0; readonly functionName: string; readonly input?: unknown }
  | { readonly actionType: 1; readonly functionName: string; readonly retryOptions: RetryOptions; readonly input?: unknown }
  | { readonly actionType: 4; readonly input?: unknown }
  | { readonly actionType: 5; readonly fireAt: string; readonly isCanceled: boolean }
  | { readonly actionType: 6; readonly externalEventName: string; readonly reason: string }
  | { readonly actionType: 11 | 12; readonly compoundActions: readonly Action[] };

/** What one episode of the orchestrator said: all actions since its start, and whether it has returned or thrown. */
export type Answer = {
  readonly isDone: boolean;
  readonly actions: readonly Action[];
  readonly output?: unknown;
  readonly error?: string;
  readonly customStatus?: unknown;
};

const UNSUPPORTED: Readonly<Record<number, string>> = {
  2: 'callSubOrchestrator',
  3: 'callSubOrchestratorWithRetry',
  7: 'callEntity',
  8: 'callHttp',
  9: 'signalEntity',
  13: 'lock of entities',
  14: 'release of entities',
};

const SUPPORTED: readonly number[] = Object.values(actionType);

function unsupportedIn(actions: readonly Action[]): string | undefined {
  for (const action of actions) {
    if (!SUPPORTED.includes(action.actionType)) return UNSUPPORTED[action.actionType] ?? `action ${action.actionType}`;
    const inside = 'compoundActions' in action ? unsupportedIn(action.compoundActions) : undefined;
    if (inside) return inside;
  }
  return undefined;
}

/**
 * The orchestrator's answer from the JSON that it returned. Actions that this engine does not know become an error of the
 * orchestration that names the call: never silence.
 */
export function answerOf(json: string): Answer {
  const state = JSON.parse(json) as Omit<Answer, 'actions'> & { readonly actions: readonly (readonly Action[])[] };
  const actions = state.actions.flat();
  const unsupported = unsupportedIn(actions);
  if (!unsupported) return { ...state, actions };
  return { isDone: false, actions: [], error: `the embedded Durable engine does not support ${unsupported}` };
}

const FAILURE_LABEL = '\n\n$OutOfProcData$:';

/** The answer that a thrown orchestrator error carries in its message, or an answer that says only that it was thrown. */
export function answerOfError(error: unknown): Answer {
  const message = error instanceof Error ? error.message : String(error);
  const at = message.indexOf(FAILURE_LABEL);
  return at < 0 ? { isDone: false, actions: [], error: message || 'an error without a message' } : answerOf(message.slice(at + FAILURE_LABEL.length));
}

/** What of an RpcTypedData the engine reads and writes. */
export type RpcValue = { readonly string?: string | null; readonly json?: string | null; readonly int?: number | null; readonly double?: number | null };

/** A string goes as it is (the SDK has encoded it once already), everything else as JSON text; the worker parses both. */
export const activityInput = (input: unknown): { readonly string: string } => ({ string: typeof input === 'string' ? input : JSON.stringify(input ?? null) });

/** JSON text of an activity's return value. */
export function activityResult(value: RpcValue | null | undefined): string {
  if (typeof value?.json === 'string') return value.json;
  return JSON.stringify(value?.string ?? value?.int ?? value?.double ?? null);
}

/** Reason and Details of a TaskFailed event, in the shape of the .NET exception that the real extension serialises (the double space is its own). */
export function activityFailure(name: string, error: unknown): { readonly Reason: string; readonly Details: string } {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? error.stack : undefined;
  const inner = { $type: 'Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcException', Message: `Result: Failure\nException: ${message}\nStack: ${stack ?? ''}` };
  return {
    Reason: `Activity function '${name}' failed:  ${message}`,
    Details: JSON.stringify({ $type: 'System.Exception, System.Private.CoreLib', ClassName: 'System.Exception', Message: ` ${message}`, Data: null, InnerException: inner }),
  };
}
