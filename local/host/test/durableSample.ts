/** The orchestrators and activities that the Durable tests run; `df` comes from outside, because a child process loads it in its own way. Not a test. */

type Context = {
  df: {
    currentUtcDateTime: Date;
    instanceId: string;
    getInput(): { [name: string]: number };
    createTimer(at: Date): { cancel(): void };
    callActivity(name: string, input?: unknown): unknown;
    callActivityWithRetry(name: string, options: unknown, input?: unknown): unknown;
    callSubOrchestrator(name: string): unknown;
    callHttp(options: { method: string; url: string }): unknown;
    callEntity(id: unknown, operation: string): unknown;
    waitForExternalEvent(name: string): { result?: unknown };
    continueAsNew(input: unknown): void;
    setCustomStatus(status: unknown): void;
    Task: { any(tasks: readonly unknown[]): unknown; all(tasks: readonly unknown[]): unknown };
  };
};
type DurableFunctions = {
  app: {
    orchestration(name: string, body: (context: Context) => Generator<unknown, unknown, never>): void;
    activity(name: string, options: { handler: (input: never) => unknown }): void;
  };
  RetryOptions: new (firstMs: number, attempts: number) => object;
  EntityId: new (name: string, key: string) => object;
};

const after = (context: Context, ms: number) => new Date(context.df.currentUtcDateTime.getTime() + ms);

/** Registers the functions; each run of the activity `act` is reported with its input. */
export function registerSample(df: DurableFunctions, act: (input: unknown) => unknown): void {
  df.app.activity('act', { handler: (input: unknown) => act(input) });
  df.app.activity('fail', { handler: () => Promise.reject(new Error('no such luck')) });

  df.app.orchestration('sleepThenAct', function* (context) {
    yield context.df.createTimer(after(context, context.df.getInput().ms ?? 0)) as never;
    return yield context.df.callActivity('act', { id: context.df.instanceId }) as never;
  });
  df.app.orchestration('hops', function* (context) {
    const { days = 0, hopDays = 5 } = context.df.getInput();
    const deadline = context.df.currentUtcDateTime.getTime() + days * 86_400_000;
    while (context.df.currentUtcDateTime.getTime() < deadline) {
      yield context.df.createTimer(new Date(Math.min(deadline + 1000, after(context, hopDays * 86_400_000).getTime()))) as never;
    }
    return yield context.df.callActivity('act', 'done') as never;
  });
  df.app.orchestration('hopsAsNew', function* (context) {
    const { n = 0 } = context.df.getInput();
    yield context.df.createTimer(after(context, 5000)) as never;
    if (n < 1) context.df.continueAsNew({ n: n + 1 });
    else yield context.df.waitForExternalEvent('Never') as never;
    return 'not an output';
  });
  df.app.orchestration('cancelsAndBegins', function* (context) {
    const { n = 0 } = context.df.getInput();
    const timer = context.df.createTimer(after(context, 5000));
    if (n > 0) return yield timer as never;
    yield context.df.Task.any([timer, context.df.waitForExternalEvent('Go')]) as never;
    timer.cancel();
    context.df.continueAsNew({ n: 1 });
    return 'not an output';
  });
  df.app.orchestration('hopsOnce', function* (context) {
    yield context.df.createTimer(after(context, 5000)) as never;
    return 'at the deadline';
  });
  df.app.orchestration('waits', function* (context) {
    context.df.setCustomStatus({ waiting: true });
    return yield context.df.waitForExternalEvent('Go') as never;
  });
  df.app.orchestration('all', function* (context) {
    return yield context.df.Task.all([context.df.callActivity('act', 1), context.df.callActivity('act', 2)]) as never;
  });
  df.app.orchestration('retriesTooSlowly', function* (context) {
    return yield context.df.callActivityWithRetry('fail', new df.RetryOptions(7 * 86_400_000, 3)) as never;
  });
  df.app.orchestration('misspelt', function* (context) {
    return yield context.df.callActivity('acct') as never;
  });
  df.app.orchestration('callsSub', function* (context) {
    return yield context.df.callSubOrchestrator('waits') as never;
  });
  df.app.orchestration('callsHttp', function* (context) {
    return yield context.df.Task.any([context.df.callHttp({ method: 'GET', url: 'http://127.0.0.1/' })]) as never;
  });
  df.app.orchestration('callsEntity', function* (context) {
    return yield context.df.callEntity(new df.EntityId('counter', 'one'), 'add') as never;
  });
}
