/**
 * The work of the engine: episodes, activities and timers of the instances, each step stored before it is acted upon. It has no timer of its
 * own besides the clock port, and no work that the clock does not know of.
 */
import { afterEpisode, hasWork, isOver, nextEpisode } from './episode';
import { msNotBefore, ticksOf } from './instants';
import type { DurableFunction, DurableOptions, TimerInQuestion } from './ports';
import type { Answer, HistoryEvent } from './protocol';
import { activityFailure, activityInput, activityResult, answerOf, answerOfError, eventType, historyEvent, orchestrationPayload } from './protocol';
import { replay } from './replay';
import type { InstanceRecord, InstanceStore, OpenActivity, OpenTimer } from './store';

/** An instance in this process. `busy` is its work in flight, `disarm` cancels its timers. */
export type Live = { record: InstanceRecord; isRunning: boolean; readonly busy: Set<Promise<void>>; readonly disarm: Map<number, () => void> };

const DAY_MS = 86_400_000;
const QUICKEST_POLL_MS = 60;

/** The queue's visibility is cut to whole seconds (the episode itself has taken some of the last); under a second it is the poll that takes time. */
function storageEarliness({ fireAt, createdAt }: TimerInQuestion): number {
  const delay = Math.max(0, fireAt - createdAt);
  return Math.max(0, Math.min((delay - 1) % 1000, delay - QUICKEST_POLL_MS));
}

/** The instances of one engine at work, over a store that is loaded. `stamp` gives the next history timestamp. */
export function instancesAtWork<F extends DurableFunction>(options: DurableOptions<F>, store: InstanceStore, stamp: () => string, newId: () => string) {
  const { clock, core } = options;
  const limits = { maximumShortMs: options.maximumShortTimerMs ?? 6 * DAY_MS, segmentMs: options.longTimerSegmentMs ?? 3 * DAY_MS };
  const earliness = options.earliness ?? (options.timersEarly ? storageEarliness : () => 0);
  const lives = new Map<string, Live>();
  let isStopping = false;

  const enliven = (record: InstanceRecord): Live => {
    const live: Live = { record, isRunning: false, busy: new Set(), disarm: new Map() };
    lives.set(record.instanceId, live);
    return live;
  };
  const isCurrent = (live: Live) => lives.get(live.record.instanceId) === live;
  const change = async (live: Live, to: (record: InstanceRecord) => InstanceRecord): Promise<void> => {
    live.record = to(live.record);
    await store.save(live.record);
  };
  const find = (type: string, name: string) => core.functions().find((fn) => fn.trigger.type === type && fn.name.toLowerCase() === name.toLowerCase());

  const follow = (live: Live, work: () => Promise<void>): void => {
    const done = clock
      .track(work())
      .catch((error: unknown) => options.log(`Durable instance ${live.record.instanceId} stands still: ${(error as Error).message}`))
      .finally(() => live.busy.delete(done));
    live.busy.add(done);
  };
  const quiet = async (live: Live): Promise<void> => {
    while (live.busy.size > 0) await Promise.all(live.busy);
  };
  const disarmAll = (live: Live): void => {
    for (const disarm of live.disarm.values()) disarm();
    live.disarm.clear();
  };

  const fire = (live: Live, timer: OpenTimer): Promise<void> => {
    live.disarm.delete(timer.timerId);
    // Not stored by itself: until the episode is, the timer is still there and fires again.
    const fired = historyEvent({ EventType: eventType.timerFired, TimerId: timer.timerId, FireAt: timer.fireAt }, timer.createdAt);
    live.record = { ...live.record, timers: live.record.timers.filter((other) => other.timerId !== timer.timerId), inbox: [...live.record.inbox, fired] };
    wake(live);
    return quiet(live);
  };
  const arm = (live: Live, timer: OpenTimer): void => {
    const fireAt = msNotBefore(ticksOf(timer.fireAt));
    const due = fireAt - earliness({ instanceId: live.record.instanceId, timerId: timer.timerId, fireAt, createdAt: msNotBefore(ticksOf(timer.createdAt)) });
    if (due <= clock.now()) fire(live, timer);
    else
      live.disarm.set(
        timer.timerId,
        clock.at(due, () => fire(live, timer), `durable timer of ${live.record.instanceId}`),
      );
  };

  const runActivity = async (live: Live, { taskId, name, input }: OpenActivity): Promise<void> => {
    await options.pace?.({ kind: 'activity', instanceId: live.record.instanceId, name });
    if (isStopping || !isCurrent(live)) return;
    let event: HistoryEvent;
    try {
      const fn = find('activityTrigger', name);
      if (!fn) throw new Error(`The function '${name}' doesn't exist, is disabled, or is not an activity function.`);
      const { returnValue } = await core.invoke(fn, [{ name: fn.trigger.name, data: activityInput(input) }]);
      event = historyEvent({ EventType: eventType.taskCompleted, TaskScheduledId: taskId, Result: activityResult(returnValue) }, stamp());
    } catch (error) {
      event = historyEvent({ EventType: eventType.taskFailed, TaskScheduledId: taskId, ...activityFailure(name, error), FailureDetails: null }, stamp());
    }
    if (!isCurrent(live)) return;
    await change(live, (record) => ({
      ...record,
      activities: record.activities.filter((open) => open.taskId !== taskId),
      inbox: isOver(record) ? [] : [...record.inbox, event],
    }));
    wake(live);
  };

  const ask = async (record: InstanceRecord, payload: string): Promise<Answer> => {
    const fn = record.instanceId.startsWith('@') ? undefined : find('orchestrationTrigger', record.name);
    if (!fn) return answerOfError(`The function '${record.name}' doesn't exist, is disabled, or is not an orchestrator function.`);
    try {
      const { returnValue } = await core.invoke(fn, [{ name: fn.trigger.name, data: { string: payload } }]);
      return answerOf(returnValue?.json ?? returnValue?.string ?? 'null');
    } catch (error) {
      return answerOfError(error);
    }
  };
  const knowsActivity = (instanceId: string, name: string): boolean => {
    const isKnown = find('activityTrigger', name) !== undefined;
    if (!isKnown) options.log(`Durable instance ${instanceId} calls the activity '${name}', which does not exist: it hangs, as on Azure.`);
    return isKnown;
  };
  const runEpisode = async (live: Live): Promise<void> => {
    const { instanceId, name } = live.record;
    await options.pace?.({ kind: 'episode', instanceId, name });
    if (isStopping || !isCurrent(live)) return;
    const episode = nextEpisode(live.record, stamp());
    const answer = await ask(live.record, orchestrationPayload({ ...episode, instanceId, input: live.record.input, limits }));
    if (!isCurrent(live)) return;
    const verdict = replay(episode.past, episode.fresh, answer, { name, limits, knowsActivity: (activity) => knowsActivity(instanceId, activity) });
    const { record, history } = afterEpisode(episode, answer, verdict, stamp, newId);
    if (verdict.ending) disarmAll(live);
    if (verdict.ending?.kind === 'failed') options.log(`Durable instance ${instanceId} failed: ${String(verdict.ending.output).split('\n')[0]}`);
    if (isOver(record(live.record))) await store.saveHistory(instanceId, history);
    if (!isCurrent(live)) return;
    const before = live.record;
    await change(live, record);
    if (isStopping || !isCurrent(live)) return;
    for (const timer of live.record.timers) if (!before.timers.includes(timer)) arm(live, timer);
    for (const activity of live.record.activities) if (!before.activities.includes(activity)) follow(live, () => runActivity(live, activity));
  };
  const wake = (live: Live): void => {
    if (live.isRunning || isStopping || !isCurrent(live) || !hasWork(live.record)) return;
    live.isRunning = true;
    follow(live, async () => {
      try {
        while (!isStopping && isCurrent(live) && hasWork(live.record)) await runEpisode(live);
      } finally {
        live.isRunning = false;
      }
    });
  };

  const resume = (live: Live): void => {
    for (const timer of live.record.timers) arm(live, timer);
    for (const activity of live.record.activities) follow(live, () => runActivity(live, activity));
    wake(live);
  };
  /** Begins nothing new and waits for what is in flight to be stored. */
  const stop = async (): Promise<void> => {
    isStopping = true;
    for (const live of lives.values()) disarmAll(live);
    await Promise.all([...lives.values()].map(quiet));
  };
  return { lives, enliven, change, disarmAll, wake, resume, stop };
}
