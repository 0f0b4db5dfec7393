/** Holds the engine against what the real extension did: each file of durable-traces/, fed with the recorded starts, firings, events and results. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDurable } from '../durable/engine';
import type { TimerInQuestion } from '../durable/ports';
import type { HistoryEvent } from '../durable/protocol';
import type { TestFunction } from './durableKit';
import { countedIds, testClock, testCore, turn } from './durableKit';

jest.mock('@azure/functions-core', () => (globalThis as { durableTestCore?: ReturnType<typeof testCore> }).durableTestCore?.module, { virtual: true });
const core = testCore();
Object.assign(globalThis, { durableTestCore: core });

type Payload = { history: HistoryEvent[]; instanceId: string; longRunningTimerIntervalDuration: string; maximumShortTimerDuration: string };
type Line = { orchestrator: string; in: Payload; out?: { json: string }; error?: string };

const TRACES = join(__dirname, 'durable-traces');

/** The table of durable-traces/README.md: state and, where it is given, rows of the final history and output. */
const finals: Record<string, { state: string; rows?: number; output?: unknown }> = {
  'one-timer-ten-segments': { state: 'Completed', rows: 52, output: 'deadline' },
  'race-event-in-first-segment-cancel': { state: 'Completed', rows: 12, output: 'recovered' },
  'race-event-after-first-segment-cancel-FAILED': { state: 'Failed', rows: 25, output: expect.stringMatching(/^Non-Deterministic .* sequence number 1\b.* ScheduleTask/) },
  'race-event-after-first-segment-cancel-no-activity-FAILED': { state: 'Failed', rows: 21, output: expect.stringMatching(/^Non-Deterministic .* sequence number 1\b/) },
  'race-event-no-cancel': { state: 'Completed', rows: 95, output: 'recovered' },
  'race-short-timer-cancel': { state: 'Completed', rows: 12, output: 'recovered' },
  'race-short-timer-no-cancel': { state: 'Completed', rows: 15, output: 'recovered' },
  'hop-loop': { state: 'Completed', rows: 112 },
  'hop-loop-with-event': { state: 'Completed', rows: 40, output: 'recovered' },
  'hops-by-continue-as-new': { state: 'Running' },
  'activity-throws-FAILED': { state: 'Failed', rows: 12, output: expect.stringContaining("Activity function 'flaky' failed:  boom 1 of 1") },
  'activity-retry-succeeds': { state: 'Completed', rows: 28, output: 'ok at attempt 3' },
  'activity-retry-FAILED': { state: 'Failed', rows: 32, output: expect.stringContaining('boom 3 of 9') },
  'activity-caught-and-repeated': { state: 'Completed', rows: 36, output: 'ok at attempt 4' },
  'unknown-activity-HANGS': { state: 'Running', rows: 3 },
  'two-buffered-events': { state: 'Completed', rows: 14, output: ['first', 'second'] },
  // Running until it was terminated at the end of the recording.
  'event-name-other-case': { state: 'Terminated' },
  'continue-as-new-event-lost': { state: 'Completed', output: 'event lost' },
  'past-due-timer': { state: 'Completed', rows: 8, output: 'deadline' },
  'activity-string': { state: 'Completed', rows: 8 },
  'activity-object': { state: 'Completed', rows: 8 },
  'short-timer-resumed-early': { state: 'Completed', rows: 12, output: expect.objectContaining({ orchestratorClockMinusDeadlineMs: -726 }) },
  'ninety-days-race': { state: 'Completed', rows: 12 },
  // As above: its last payload carries the termination.
  'ninety-days-oneTimer': { state: 'Terminated' },
  'orchestrator-throws': { state: 'Failed', rows: 8, output: "Orchestrator function 'thrower' failed: orchestrator bug" },
  'app-plain': { state: 'Completed', rows: 32, output: expect.objectContaining({ kind: 'done', looks: 1 }) },
  'app-looks-again': { state: 'Completed', rows: 48, output: expect.objectContaining({ looks: 3 }) },
  'app-activity-fails-three-times': { state: 'Completed', rows: 60, output: expect.objectContaining({ looks: 4 }) },
  'app-terminated-at-a-hop': { state: 'Terminated', rows: 10, output: 'recovered' },
};

const ms = (iso: string) => Date.parse(iso);
const toMs = (iso: string) => new Date(ms(iso)).toISOString();
const durationMs = (text: string) => {
  const [, days, hours, minutes, seconds] = /^(?:(\d+)\.)?(\d\d):(\d\d):(\d\d)$/.exec(text) ?? [];
  return (((Number(days ?? 0) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
};
const lastStart = (line: Line) => line.in.history.map((event) => event.EventType).lastIndexOf(12);
/** When the episode of this line began. */
const beganAt = (line: Line) => ms(line.in.history[lastStart(line)]?.Timestamp ?? '');
const executionOf = (line: Line) => line.in.history.flatMap((event) => (event.EventType === 0 ? [event.OrchestrationInstance.ExecutionId] : []))[0];

/** Instants that follow from the time an episode or an activity took are only looked at for their form. */
const DERIVABLE = [0, 3, 12, 15];
const comparable = (event: HistoryEvent) => {
  expect(event.Timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z$/);
  return {
    ...event,
    Timestamp: DERIVABLE.includes(event.EventType) ? toMs(event.Timestamp) : 'then',
    ...('FireAt' in event && { FireAt: toMs(event.FireAt) }),
    ...(event.EventType === 0 && { OrchestrationInstance: { ...event.OrchestrationInstance, ExecutionId: event.OrchestrationInstance.ExecutionId.replace(/[0-9a-f]/g, 'x') } }),
    // .NET stack traces; and the recording ran this activity under another name.
    ...(event.EventType === 6 && { Details: (JSON.parse(event.Details) as { Message: string }).Message, Reason: event.Reason.replace("'slow'", "'lookAtDeletion'") }),
  };
};
const comparablePayload = (payload: Payload) => ({ ...payload, history: payload.history.map(comparable) });
/** Error texts carry the serialised exception of the machine that recorded. */
const comparableAnswer = (text: string): unknown => {
  const json = text.slice(text.indexOf('{'));
  return JSON.parse(json, (_name, value: unknown) => (typeof value === 'string' ? value.split(' \n {')[0]?.replace("'slow'", "'lookAtDeletion'") : value));
};

/** Runs one recording through the engine: `lines[k]` says what arrives before episode k and when it begins. */
async function rerun(lines: readonly Line[]) {
  const [first] = lines;
  const started = first?.in.history[1];
  if (!first || started?.EventType !== 0) throw new Error('a trace begins with its start');
  const clock = testClock(ms(started.Timestamp));
  const results = lines.flatMap((line) => line.in.history.slice(lastStart(line)).filter((event) => event.EventType === 5 || event.EventType === 6));
  const heard: Payload[] = [];
  const said: string[] = [];
  let release: (() => void) | undefined;
  const activities: (() => void)[] = [];

  const invoke = async (fn: TestFunction, inputs: { name: string; data: { string: string } }[]) => {
    if (fn.trigger.type === 'activityTrigger') {
      const result = results.shift();
      if (result?.EventType === 5) return { returnValue: { json: result.Result } };
      throw new Error(result?.EventType === 6 ? result.Reason.split(':  ')[1] : 'no recorded result');
    }
    const next = lines[heard.push(JSON.parse(inputs[0]?.data.string ?? '') as Payload)];
    try {
      const { returnValue } = await core.invoke(fn, inputs);
      said.push(returnValue?.json ?? '');
      return { returnValue };
    } catch (error) {
      said.push((error as Error).message);
      throw error;
    } finally {
      // continueAsNew begins its execution when this episode ends.
      if (next && executionOf(next) !== executionOf(lines[heard.length - 1] as Line)) clock.jump(beganAt(next));
    }
  };
  const earliness = ({ timerId, fireAt }: TimerInQuestion) => {
    const execution = executionOf(lines[heard.length - 1] as Line);
    const firing = lines.find(
      (line) => executionOf(line) === execution && line.in.history.slice(lastStart(line)).some((event) => event.EventType === 11 && event.TimerId === timerId),
    );
    return firing ? fireAt - beganAt(firing) : 0;
  };
  const engine = await createDurable({
    ...{ clock, core: { functions: core.functions, invoke }, stateDir: undefined, hubName: 'traces', log: () => {}, http: false, newId: countedIds(), earliness },
    maximumShortTimerMs: durationMs(first.in.maximumShortTimerDuration),
    longTimerSegmentMs: durationMs(first.in.longRunningTimerIntervalDuration),
    pace: ({ kind }) =>
      new Promise((resolve) => {
        if (kind === 'activity') activities.push(resolve);
        else release = resolve;
      }),
  });
  await engine.start();
  for (let lives = 0; lives < (started.Generation ?? 0); lives += 1) {
    await engine.startNew(first.orchestrator, first.in.instanceId, started.Input);
    await engine.terminate(first.in.instanceId, 'an earlier life');
    release?.();
    await turn();
  }
  heard.length = 0;
  said.length = 0;
  await engine.startNew(first.orchestrator, first.in.instanceId, started.Input);
  for (const line of lines) {
    for (const event of line.in.history.slice(lastStart(line))) {
      clock.jump(ms(event.Timestamp));
      if (event.EventType === 15) await engine.raiseEvent(line.in.instanceId, event.Name, event.Input);
      if (event.EventType === 3) await engine.terminate(line.in.instanceId, event.Input);
      if (event.EventType === 5 || event.EventType === 6) activities.shift()?.();
      if (event.EventType === 11) {
        clock.jump(beganAt(line));
        clock.ring();
      }
      await turn();
    }
    clock.jump(beganAt(line));
    release?.();
    release = undefined;
    await turn();
  }
  return { heard, said, status: engine.get(first.in.instanceId), history: await engine.history(first.in.instanceId) };
}

beforeAll(() => {
  require(join(TRACES, 'functions.js'));
});

const files = readdirSync(TRACES).filter((name) => name.endsWith('.jsonl'));
test('every recording has a line in the table', () => {
  expect(files.map((name) => name.replace('.jsonl', '')).sort()).toEqual(Object.keys(finals).sort());
});

test.each(files)('%s: the same payloads, the same answers, the same end', async (file) => {
  const lines = readFileSync(join(TRACES, file), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  const { heard, said, status, history } = await rerun(lines);
  expect(heard.map(comparablePayload)).toEqual(lines.map((line) => comparablePayload(line.in)));
  expect(said.map(comparableAnswer)).toEqual(lines.map((line) => comparableAnswer(line.out?.json ?? line.error ?? '')));
  const final = finals[file.replace('.jsonl', '')];
  expect(status).toMatchObject({ runtimeStatus: final?.state, ...(final?.output !== undefined && { output: final.output }) });
  if (final?.rows !== undefined) expect(history).toHaveLength(final.rows);
});
