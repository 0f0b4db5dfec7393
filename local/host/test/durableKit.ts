/**
 * What the tests of the Durable engine stand on: a clock that only tests move, the worker's core module that runs registered functions, and ways
 * to wait. Not a test.
 */
import type { DurableClock } from '../durable/ports';

type Metadata = { name: string; functionId?: string; bindings: Record<string, { type: string; direction: string }> };
type Invocation = {
  getArguments(): Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction(context: unknown, inputs: unknown[], handler: unknown): Promise<unknown>;
  getResponse(context: unknown, result: unknown): Promise<{ returnValue?: { string?: string; json?: string } | null }>;
};
type Model = { getInvocationModel(context: unknown): Invocation };
export type TestFunction = { readonly name: string; readonly trigger: { readonly type: string; readonly name: string }; readonly metadata: Metadata; readonly callback: unknown };

/** The module that `@azure/functions` requires as `@azure/functions-core`, and an `invoke` over what was registered. */
export function testCore() {
  const functions: TestFunction[] = [];
  let model: Model | undefined;
  class Disposable {
    dispose(): void {}
  }
  const module = {
    version: '3.0.0',
    hostVersion: '4.0.0',
    Disposable,
    registerFunction(metadata: Metadata, callback: unknown) {
      const found = Object.entries(metadata.bindings).find(([, binding]) => /Trigger$/.test(binding.type));
      if (!found) throw new Error(`${metadata.name} has no trigger`);
      functions.push({ name: metadata.name, trigger: { ...found[1], name: found[0] }, metadata, callback });
      return new Disposable();
    },
    registerHook: () => new Disposable(),
    setProgrammingModel: (next: Model) => {
      model = next;
    },
    getProgrammingModel: () => model,
    log: () => {},
  };
  let invocations = 0;
  const invoke = async (fn: TestFunction, inputs: readonly { name: string; data: { string: string } }[]) => {
    if (!model) throw new Error('no programming model');
    invocations += 1;
    const { name, bindings } = fn.metadata;
    const request = { inputData: inputs, triggerMetadata: {} };
    const invocation = model.getInvocationModel({ invocationId: `i${invocations}`, metadata: { name, bindings }, request, log: () => {} });
    const { context, inputs: values } = await invocation.getArguments();
    const result = await invocation.invokeFunction(context, values, fn.callback);
    return invocation.getResponse(context, result);
  };
  return { module, functions: () => functions, invoke };
}

/** A clock that stands still until it is moved. `advance` awaits each due callback in its order, then everything tracked. */
export function testClock(start: number) {
  let now = start;
  let order = 0;
  const due = new Map<number, { instant: number; run: () => void | Promise<void> }>();
  const tracked = new Set<Promise<unknown>>();
  const settle = async () => {
    while (tracked.size > 0) await Promise.allSettled(tracked);
  };
  const clock: DurableClock = {
    now: () => now,
    at(instant, run) {
      order += 1;
      const id = order;
      due.set(id, { instant, run });
      return () => due.delete(id);
    },
    track<T>(work: Promise<T>): Promise<T> {
      tracked.add(work);
      const done = () => tracked.delete(work);
      work.then(done, done);
      return work;
    },
  };
  const takeNext = (until: number) => {
    const [first] = [...due].filter(([, { instant }]) => instant <= until).sort(([a, x], [b, y]) => x.instant - y.instant || a - b);
    if (first) due.delete(first[0]);
    return first?.[1];
  };
  return {
    ...clock,
    settle,
    /** Sets the time and runs nothing. */
    jump: (instant: number) => {
      now = instant;
    },
    /** Runs what is due by now, without awaiting what follows from it. */
    ring: () => {
      for (let next = takeNext(now); next; next = takeNext(now)) void next.run();
    },
    waiting: () => [...due.values()].map(({ instant }) => instant),
    async advance(ms: number) {
      const until = now + ms;
      await settle();
      for (let next = takeNext(until); next; next = takeNext(until)) {
        now = Math.max(now, next.instant);
        await next.run();
        await settle();
      }
      now = until;
    },
  };
}

/** Lets everything run that needs no outside help. */
export async function turn(): Promise<void> {
  for (let turns = 0; turns < 3; turns += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** `count` UUIDs in order, the same in each run. */
export function countedIds(): () => string {
  let count = 0;
  return () => {
    count += 1;
    return `00000000-0000-4000-8000-${count.toString().padStart(12, '0')}`;
  };
}
