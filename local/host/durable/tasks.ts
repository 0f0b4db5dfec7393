/**
 * Tasks and coroutines that run synchronously, as .NET tasks do on the replay's own scheduler: completing a task runs all that waits for it
 * before `complete` returns. They live for one episode only.
 */

export type Task = {
  readonly isDone: () => boolean;
  readonly complete: (value: unknown) => void;
  readonly fail: (error: Error) => void;
  /** Calls back when done, at once if it is already. */
  readonly whenDone: (next: (outcome: Outcome) => void) => void;
};

type Outcome = { readonly value: unknown; readonly error?: Error };

export function openTask(): Task {
  let outcome: Outcome | undefined;
  const waiting: ((outcome: Outcome) => void)[] = [];
  const settle = (result: Outcome) => {
    if (outcome) return;
    outcome = result;
    for (const next of waiting) next(result);
  };
  return {
    isDone: () => outcome !== undefined,
    complete: (value) => settle({ value }),
    fail: (error) => settle({ value: undefined, error }),
    whenDone: (next) => {
      if (outcome) next(outcome);
      else waiting.push(next);
    },
  };
}

export function doneTask(): Task {
  const task = openTask();
  task.complete(undefined);
  return task;
}

export function failedTask(error: Error): Task {
  const task = openTask();
  task.fail(error);
  return task;
}

export type Coroutine = Generator<Task, unknown, unknown>;

/** Runs a coroutine until it waits; the task answers its return value or what it threw. */
export function spawn(body: Coroutine): Task {
  const whole = openTask();
  const step = (resume: () => IteratorResult<Task, unknown>) => {
    let next: IteratorResult<Task, unknown>;
    try {
      next = resume();
    } catch (error) {
      whole.fail(error as Error);
      return;
    }
    if (next.done) whole.complete(next.value);
    else next.value.whenDone(({ value, error }) => step(() => (error ? body.throw(error) : body.next(value))));
  };
  step(() => body.next());
  return whole;
}

/** Done with the first that is done, in whatever way: a cancelled timer ends it too. */
export function whenAny(tasks: readonly Task[]): Task {
  const first = openTask();
  for (const task of tasks) task.whenDone(() => first.complete(undefined));
  return first;
}

/** Done when all are done; fails with the first error then. */
export function whenAll(tasks: readonly Task[]): Task {
  const all = openTask();
  let open = tasks.length;
  let failure: Error | undefined;
  for (const task of tasks) {
    task.whenDone(({ error }) => {
      failure ??= error;
      open -= 1;
      if (open > 0) return;
      if (failure) all.fail(failure);
      else all.complete(undefined);
    });
  }
  return all;
}
