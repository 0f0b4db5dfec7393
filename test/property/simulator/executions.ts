// Executions and their calls: every call through a port becomes an entry that the scheduler owns. It lets it take effect, answer, fail, or vanish with its host.
import type { TransactAnswer } from '../../../shared/ports';
import type { LookAnswer } from '../../../shared/service/retention';
import { checkAnswer } from './answers';
import { perform, type Task, taskText } from './commands';
import type { Question } from './engine';
import { portsOf } from './simulatedPorts';
import { answerText, errorName, resultText } from './texts';
import { isViolation } from './violation';
import { type Call, type Execution, type Host, hostNow, nowOf, type Outcome, tell, type World } from './world';

export type Fate = 'through' | 'effect only' | 'fail before' | 'fail after' | 'fail, land later';

/** Microtasks that the services may spend between two calls; more means that they wait for something that is no port. */
const SETTLING_TURNS_MAX = 400;

/** Starts a task on a host; it runs to its first call. */
export async function start(world: World, task: Task, host: Host): Promise<Execution> {
  world.tick += 1;
  const execution: Execution = {
    id: ++world.executionsStarted,
    task,
    host,
    startedTick: world.tick,
    startedAt: world.storageAt,
    startedNow: nowOf(world),
    calls: [],
    status: 'running',
    outcome: undefined,
    held: false,
    changes: [],
    refusals: 0,
    unknowns: 0,
    faults: 0,
    erasedRows: 0,
    sent: new Set(),
    wrapped: new Set(),
    touched: new Set(),
    hostClockMax: Number.NEGATIVE_INFINITY,
    cell: undefined,
    wrote: 'no',
    firstReadAt: undefined,
    lastReadTick: 0,
    writeAskedTick: 0,
  };
  world.executions.push(execution);
  if (task.kind === 'erase' && task.message) task.message.busy += 1;
  if (task.kind === 'look' && !task.forged) (world.timers.get(task.timer.deletionId) as { looking: number }).looking += 1;
  tell(world, () => `${host.name} #${execution.id} begins: ${taskText(task)}${host.skewSeconds ? `   (the host's clock is ${host.skewSeconds} s off)` : ''}`);
  perform(world, portsOf(world, execution), task).then(
    (value) => finished(world, execution, { value }),
    (error: unknown) => finished(world, execution, { error }),
  );
  await settle(execution);
  return execution;
}

/** Runs the services until the execution has made its next call or has ended. */
async function settle(execution: Execution): Promise<void> {
  for (let turns = 0; execution.status === 'running' && execution.calls.length === 0; turns++) {
    if (turns > SETTLING_TURNS_MAX) throw new Error(`#${execution.id} waits for something that is no port`);
    await null;
  }
}

/** Lets a call go on as the scheduler decided. */
export async function advance(world: World, call: Call, fate: Fate): Promise<void> {
  const { execution } = call;
  if (call.phase === 'asked' && fate !== 'fail before' && fate !== 'fail, land later') takeEffect(world, call);
  if (fate === 'effect only') return;
  execution.calls.splice(execution.calls.indexOf(call), 1);
  const failed = fate !== 'through';
  if (failed) noteLost(world, call, fate);
  if (fate === 'fail, land later' && call.phase === 'asked') world.stragglers.push({ call, landsBy: landsBy(world, execution) });
  if (!failed) tell(world, () => `${execution.host.name} #${execution.id} ${call.about}: ${resultText(call)}`);
  call.settle(failed ? call.lost() : (call.result as Outcome));
  await settle(execution);
}

/** A request of a past execution takes effect after all. */
export function land(world: World, call: Call): void {
  takeEffect(world, call);
  tell(world, () => `the request of #${call.execution.id} lands late: ${call.about}: ${resultText(call)}`);
}

function takeEffect(world: World, call: Call): void {
  world.tick += 1;
  call.phase = 'done';
  call.result = { value: call.effect() };
  if (call.kind === 'write') call.execution.wrote = (call.result as { value: TransactAnswer }).value.kind === 'stored' ? 'stored' : 'refused';
}

function noteLost(world: World, call: Call, fate: Fate): void {
  const { execution } = call;
  execution.faults += 1;
  tell(
    world,
    () =>
      `${execution.host.name} #${execution.id} ${call.about}: ${call.phase === 'done' ? `${resultText(call)}, but the answer is lost` : fate === 'fail before' ? 'fails, without effect' : 'fails, and is still on its way'}`,
  );
  if (call.kind !== 'write') return;
  const stored = call.phase === 'done' && execution.wrote === 'stored';
  world.coverage.reach(execution.cell, stored ? 'stored and lost' : fate === 'fail, land later' ? 'lost and late' : 'not stored and lost');
  execution.wrote = 'unknown';
  execution.unknowns += 1;
  // What others do before the read-back is what makes an unknown answer interesting.
  if (world.random.chance(0.5)) execution.held = true;
}

/** An execution ends at its time-out at the latest; a request that it sent is answered or dropped within one more. */
const landsBy = (world: World, execution: Execution): number => (world.profile.frozen ? Number.POSITIVE_INFINITY : execution.startedAt + 2 * world.timeoutSeconds - 1);

/** The host is gone, or ended this execution at its time-out: its calls go nowhere, but what was sent may still land. */
export function die(world: World, execution: Execution, why: string): void {
  if (execution.status !== 'running') return;
  tell(
    world,
    () =>
      `${execution.host.name} #${execution.id} ${why}${execution.calls.map((call) => `, at: ${call.about} (${call.phase === 'done' ? 'took effect' : 'on its way'})`).join('')}`,
  );
  execution.status = 'gone';
  for (const call of execution.calls) {
    world.coverage.reach(execution.cell, crashPoint(call));
    if (call.phase === 'asked' && isSent(call) && world.random.chance(0.5)) world.stragglers.push({ call, landsBy: landsBy(world, execution) });
  }
  execution.calls.length = 0;
  leave(world, execution, undefined);
}

/** Whether a call leaves the host with an effect elsewhere. */
export const isSent = ({ kind }: Call): boolean => kind !== 'read' && kind !== 'page' && kind !== 'seal' && kind !== 'make';

function crashPoint({ kind, phase, execution }: Call): string {
  if (kind === 'read') return execution.wrote === 'unknown' ? 'look back' : 'read';
  if (kind === 'write') return phase === 'done' ? 'after write' : 'before write';
  if (kind === 'startTimer') return phase === 'done' ? 'after timer' : 'before timer';
  return kind === 'page' || kind === 'seal' || kind === 'make' ? '' : phase === 'done' ? 'after hint' : 'before hint';
}

function finished(world: World, execution: Execution, outcome: Outcome): void {
  if (execution.status !== 'running') return;
  world.tick += 1;
  tell(world, () => `${execution.host.name} #${execution.id} ends: ${'value' in outcome ? answerText(outcome.value) : errorName(outcome.error)}`);
  try {
    execution.outcome = outcome;
    execution.status = 'value' in outcome ? 'answered' : isUnsure(outcome.error) ? 'unsure' : 'refused';
    checkAnswer(world, execution, outcome);
  } catch (error) {
    if (!isViolation(error)) throw error;
    world.violation ??= error;
  }
  leave(world, execution, outcome);
}

const isUnsure = (error: unknown): boolean => ['Unfinished', 'Unavailable'].includes(errorName(error)) || errorName(error) === 'Error: lost';

/** What the trigger behind an execution does with its end: messages are taken off or seen again, timers answered or asked again. */
function leave(world: World, execution: Execution, outcome: Outcome | undefined): void {
  const { task } = execution;
  world.executions.splice(world.executions.indexOf(execution), 1);
  world.changed = true;
  if (task.kind === 'erase' && task.message) {
    task.message.busy -= 1;
    if (outcome && 'value' in outcome) world.messages = world.messages.filter((message) => message !== task.message);
  }
  if (task.kind !== 'look' || task.forged) return;
  const timer = world.timers.get(task.timer.deletionId);
  if (!timer) return;
  timer.looking -= 1;
  if (task.question) answerQuestion(task.question, outcome);
  if (task.question || timer.status !== 'running' || !outcome) return;
  const now = hostNow(world, execution.host);
  if ('error' in outcome) timer.nextAt = now + Math.min(60, 2 ** timer.failures++) * 60;
  else {
    const answer = outcome.value as { readonly kind: 'done' } | { readonly kind: 'lookAgain'; readonly lookAgainAt: number };
    if (answer.kind === 'done') timer.status = 'completed';
    else timer.nextAt = Math.max(answer.lookAgainAt + 1, now + 60);
  }
}

/** The engine asks another host if this one is gone. */
function answerQuestion(question: Question, outcome: Outcome | undefined): void {
  question.asked = false;
  if (!outcome) return;
  if ('value' in outcome) question.resolve(outcome.value as LookAnswer);
  else question.reject(outcome.error as Error);
}
