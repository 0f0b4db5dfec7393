/**
 * What DurableTask.Core keeps while it replays one execution: sequence numbers, decisions that the history does not hold yet, tasks that wait,
 * and external events. Lives for one episode.
 */
import { isoOf } from './instants';
import type { Task } from './tasks';
import { failedTask, openTask } from './tasks';

/** What the episode newly asks for; `id` is the sequence number. */
export type Decision =
  | { readonly kind: 'timer'; readonly id: number; readonly fireAt: string }
  | { readonly kind: 'activity'; readonly id: number; readonly name: string; readonly input: unknown };

const ACTION_CLASS = { timer: 'CreateTimerOrchestratorAction', activity: 'ScheduleTaskOrchestratorAction' } as const;
const CHANGED = 'Was a change made to the orchestrator code after this instance had already started running?';

function mismatch(id: number, kind: Decision['kind'], name: string | undefined, instead: Decision | undefined): string {
  const what = `${kind === 'timer' ? 'a timer task' : 'an activity task'} with sequence number ${id}${name === undefined ? '' : ` named '${name}'`}`;
  const said = `A previous execution of this orchestration scheduled ${what}, but the current`;
  if (!instead) return `${said} replay execution hasn't (yet?) scheduled this task. ${CHANGED}`;
  if (instead.kind !== kind || instead.kind === 'timer')
    return `${said} orchestration replay instead produced a ${ACTION_CLASS[instead.kind]} action with this sequence number. ${CHANGED}`;
  return `${said} orchestration replay instead scheduled an activity task named '${instead.name}' with this sequence number. ${CHANGED}`;
}

export type TaskContext = ReturnType<typeof taskContext>;

export function taskContext() {
  let next = 0;
  const tasks = new Map<number, Task>();
  const decisions = new Map<number, Decision>();
  const held = new Map<number, Decision>();
  const mint = () => next++;
  return {
    mint,
    /** The start of the episode that is being replayed, in ticks. */
    now: 0n,
    hasOpenTasks: () => tasks.size > 0,
    /** A cancelled timer keeps its number and its place in the history but is never waited for. */
    timer(fireAt: bigint, isCanceled: boolean): Task {
      const id = mint();
      decisions.set(id, { kind: 'timer', id, fireAt: isoOf(fireAt) });
      if (isCanceled) return failedTask(new Error('A task was canceled.'));
      const task = openTask();
      tasks.set(id, task);
      return task;
    },
    activity(name: string, input: unknown): Task {
      const id = mint();
      decisions.set(id, { kind: 'activity', id, name, input });
      const task = openTask();
      tasks.set(id, task);
      return task;
    },
    /** Events for tasks that nobody waits for (a cancelled timer, a doubled completion) are dropped. */
    settle(id: number, by: (task: Task) => void): void {
      const task = tasks.get(id);
      tasks.delete(id);
      if (task) by(task);
    },
    /** The history says that this was asked for: the replay must have asked for the same by now. Answers what differs, if anything does. */
    confirm(id: number, kind: Decision['kind'], name?: string): string | undefined {
      const decision = decisions.get(id);
      if (decision?.kind === kind && (decision.kind === 'timer' || decision.name.toLowerCase() === name?.toLowerCase())) {
        decisions.delete(id);
        return undefined;
      }
      return mismatch(id, kind, name, decision);
    },
    /** While suspended nothing is asked for. */
    hold(): void {
      for (const [id, decision] of decisions) held.set(id, decision);
      decisions.clear();
    },
    letGo(): void {
      for (const [id, decision] of held) decisions.set(id, decision);
      held.clear();
    },
    decisions: (): readonly Decision[] => [...decisions.values()].sort((a, b) => a.id - b.id),
  };
}

/** External events: names without regard to case, first in, first out, buffered while nobody waits. */
export function mailbox() {
  const waiting = new Map<string, Task[]>();
  const buffered = new Map<string, number>();
  return {
    wait(name: string): Task {
      const key = name.toLowerCase();
      const task = openTask();
      const held = buffered.get(key) ?? 0;
      if (held > 0) {
        buffered.set(key, held - 1);
        task.complete(undefined);
      } else waiting.set(key, [...(waiting.get(key) ?? []), task]);
      return task;
    },
    raise(name: string): void {
      const key = name.toLowerCase();
      const [first, ...rest] = waiting.get(key) ?? [];
      waiting.set(key, rest);
      if (first) first.complete(undefined);
      else buffered.set(key, (buffered.get(key) ?? 0) + 1);
    },
  };
}
