/**
 * One episode as DurableTask.Core and the extension's out-of-process shim run it: the orchestrator's actions are walked one by one over
 * the whole history, sequence numbers are minted here, and what the history says must match. Pure: nothing is kept between episodes.
 */
import { ticksOf, ticksOfMs } from './instants';
import type { Action, Answer, HistoryEvent, RetryOptions, TimerLimits } from './protocol';
import { actionType, eventType } from './protocol';
import type { Decision, TaskContext } from './sequence';
import { mailbox, taskContext } from './sequence';
import type { Coroutine, Task } from './tasks';
import { doneTask, failedTask, openTask, spawn, whenAll, whenAny } from './tasks';

export type Ending =
  | { readonly kind: 'completed' | 'failed' | 'terminated'; readonly id: number; readonly output: unknown }
  | { readonly kind: 'continuedAsNew'; readonly input: string | null; readonly carriedOver: readonly HistoryEvent[] };

/** `ending` is absent while the instance goes on. */
export type Verdict = { readonly decisions: readonly Decision[]; readonly ending?: Ending; readonly suspended: boolean };

export type ReplaySettings = { readonly name: string; readonly limits: TimerLimits; readonly knowsActivity: (name: string) => boolean };

/** One execution under replay. */
type Execution = {
  readonly context: TaskContext;
  readonly events: ReturnType<typeof mailbox>;
  readonly settings: ReplaySettings;
  readonly answer: Answer;
  /** Done when the orchestrator has returned or failed, as far as the walk over its actions has come. */
  readonly whole: Task;
  /** Events that arrived while suspended. */
  readonly waiting: HistoryEvent[];
  /** Events after continueAsNew, for the next execution (by the source of DurableTask.Core, not recorded). */
  readonly carriedOver: HistoryEvent[];
  suspended: boolean;
  continued?: { readonly input: string | null };
  terminated?: Ending;
  /** How the history differs from the replay. */
  mismatch?: string | undefined;
};

/** A timer over the maximum is walked in segments; cancelling it ends the walk, so that a replay no longer creates the later ones. */
function* longTimer(context: TaskContext, fireAt: bigint, isCanceled: boolean, limits: TimerLimits): Coroutine {
  while (context.now < fireAt) {
    const segmentEnd = context.now + ticksOfMs(limits.segmentMs);
    yield context.timer(segmentEnd < fireAt ? segmentEnd : fireAt, isCanceled);
  }
  return undefined;
}

function retryDelayMs(options: RetryOptions, attempt: number): number {
  if (attempt >= options.maxNumberOfAttempts) return 0;
  const delay = options.firstRetryIntervalInMilliseconds * (options.backoffCoefficient ?? 1) ** (attempt - 1);
  return Math.min(delay, options.maxRetryIntervalInMilliseconds ?? Number.POSITIVE_INFINITY);
}

/** After every failure a timer, after the last one too (with no delay): the SDK counts on it. */
function* activityWithRetry(context: TaskContext, name: string, input: unknown, options: RetryOptions): Coroutine {
  const givesUpAt = context.now + ticksOfMs(options.retryTimeoutInMilliseconds ?? Number.MAX_SAFE_INTEGER);
  for (let attempt = 1; ; attempt += 1) {
    let failure: unknown;
    try {
      return yield context.activity(name, input);
    } catch (error) {
      failure = error;
    }
    if (context.now >= givesUpAt) throw failure;
    yield context.timer(context.now + ticksOfMs(retryDelayMs(options, attempt)), false);
    if (attempt >= options.maxNumberOfAttempts) throw failure;
  }
}

function perform(run: Execution, action: Action): Task {
  const { context } = run;
  switch (action.actionType) {
    case actionType.callActivity:
      return ifKnown(run, action.functionName, () => context.activity(action.functionName, action.input));
    case actionType.callActivityWithRetry:
      return ifKnown(run, action.functionName, () => retried(run, action));
    case actionType.continueAsNew:
      // A string has been encoded by the SDK already.
      run.continued = { input: typeof action.input === 'string' ? action.input : JSON.stringify(action.input ?? null) };
      return doneTask();
    case actionType.createTimer: {
      const fireAt = ticksOf(action.fireAt);
      const isLong = fireAt - context.now > ticksOfMs(run.settings.limits.maximumShortMs);
      return isLong ? spawn(longTimer(context, fireAt, action.isCanceled, run.settings.limits)) : context.timer(fireAt, action.isCanceled);
    }
    case actionType.waitForExternalEvent:
      return run.events.wait(action.externalEventName);
    case actionType.whenAny:
      return whenAny(action.compoundActions.map((one) => perform(run, one)));
    case actionType.whenAll:
      return whenAll(action.compoundActions.map((one) => perform(run, one)));
  }
}

const ifKnown = ({ settings }: Execution, name: string, start: () => Task): Task =>
  settings.knowsActivity(name) ? start() : failedTask(new Error(`The function '${name}' doesn't exist, is disabled, or is not an activity function.`));

function retried({ context, settings }: Execution, { functionName, input, retryOptions }: Extract<Action, { actionType: 1 }>): Task {
  const longestMs = Math.max(retryOptions.firstRetryIntervalInMilliseconds, retryOptions.maxRetryIntervalInMilliseconds ?? 0);
  if (longestMs > settings.limits.maximumShortMs) return failedTask(new Error('The retry interval is longer than the longest timer.'));
  return spawn(activityWithRetry(context, functionName, input, retryOptions));
}

/** The actions one by one, errors swallowed; then the error or the return. An orchestrator that is not done waits for ever here: an unknown activity hangs it. */
function* walk(run: Execution): Coroutine {
  for (const action of run.answer.actions) {
    try {
      yield perform(run, action);
    } catch {
      // The next episode's orchestrator sees the failure in the history; the walk goes on as the real one does.
    }
  }
  if (run.answer.error) throw new Error(run.answer.error);
  if (!run.answer.isDone) yield openTask();
  return undefined;
}

function handle(run: Execution, event: HistoryEvent): void {
  const { context } = run;
  switch (event.EventType) {
    case eventType.executionStarted:
      spawn(walk(run)).whenDone(({ error }) => (error ? run.whole.fail(error) : run.whole.complete(undefined)));
      return;
    case eventType.orchestratorStarted:
      context.now = ticksOf(event.Timestamp);
      return;
    case eventType.timerCreated:
      run.mismatch = context.confirm(event.EventId, 'timer');
      return;
    case eventType.taskScheduled:
      run.mismatch = context.confirm(event.EventId, 'activity', event.Name);
      return;
    case eventType.timerFired:
      context.settle(event.TimerId, (task) => task.complete(undefined));
      return;
    case eventType.taskCompleted:
      context.settle(event.TaskScheduledId, (task) => task.complete(undefined));
      return;
    case eventType.taskFailed:
      context.settle(event.TaskScheduledId, (task) => task.fail(new Error(event.Reason)));
      return;
    case eventType.eventRaised:
      if (run.continued) run.carriedOver.push(event);
      else run.events.raise(event.Name);
      return;
    case eventType.executionTerminated:
      run.terminated ??= { kind: 'terminated', id: context.mint(), output: event.Input };
      return;
    case eventType.executionSuspended:
      run.suspended = true;
      context.hold();
      return;
    case eventType.executionResumed:
      run.suspended = false;
      context.letGo();
      for (const waiting of run.waiting.splice(0)) arrive(run, waiting);
      return;
  }
}

/** While suspended, events wait for the resumption; only that, a termination and the passing of time get through. */
function arrive(run: Execution, event: HistoryEvent): void {
  const getsThrough: readonly number[] = [eventType.executionResumed, eventType.executionTerminated, eventType.orchestratorStarted];
  if (!run.suspended || getsThrough.includes(event.EventType)) handle(run, event);
  else if (event.EventType !== eventType.executionSuspended) run.waiting.push(event);
}

/** The open-task gate: neither return nor error nor continueAsNew takes effect while a timer or an activity is outstanding. */
function endingOf(run: Execution): Ending | undefined {
  if (run.mismatch) return run.terminated ?? { kind: 'failed', id: run.context.mint(), output: `Non-Deterministic workflow detected: ${run.mismatch}` };
  if (!run.whole.isDone() || run.context.hasOpenTasks()) return run.terminated;
  let failure: Error | undefined;
  run.whole.whenDone(({ error }) => {
    failure = error;
  });
  // A termination in the same batch is silently lost with continueAsNew: the real engine does that.
  if (!failure && run.continued) return { kind: 'continuedAsNew', input: run.continued.input, carriedOver: run.carriedOver };
  if (run.terminated) return run.terminated;
  const id = run.context.mint();
  return failure
    ? { kind: 'failed', id, output: `Orchestrator function '${run.settings.name}' failed: ${failure.message}` }
    : { kind: 'completed', id, output: run.answer.output ?? null };
}

/** Replays `past` and `fresh` against the orchestrator's answer and says what is new. */
export function replay(past: readonly HistoryEvent[], fresh: readonly HistoryEvent[], answer: Answer, settings: ReplaySettings): Verdict {
  const run: Execution = { context: taskContext(), events: mailbox(), settings, answer, whole: openTask(), waiting: [], carriedOver: [], suspended: false };
  for (const event of [...past, ...fresh]) {
    arrive(run, event);
    if (run.mismatch) break;
  }
  const ending = endingOf(run);
  return { decisions: run.context.decisions(), suspended: run.suspended, ...(ending && { ending }) };
}
