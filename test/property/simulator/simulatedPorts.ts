// The ports that an execution is given: every call becomes an entry that waits for the scheduler, with the effect that it will have and what its caller learns if the answer is lost.
import type { Value } from '../../../shared/domain/plan';
import { HSM_ROW } from '../../../shared/domain/rows';
import type { Ports, Range, TransactAnswer } from '../../../shared/ports';
import type { Task } from './commands';
import { current } from './history';
import { stateOnPaper } from './paper';
import { transactionText } from './texts';
import { checkTransaction } from './transactions';
import { type Call, type Execution, hostNow, nowOf, type Outcome, type World } from './world';

/** The ports of one execution. */
export function portsOf(world: World, execution: Execution): Ports {
  const ask = <T>(kind: Call['kind'], about: string, effect: () => T, lost: Call['lost']): Promise<T> =>
    new Promise((resolve, reject) => {
      // An execution that is gone makes no more calls: its host is dead, or has ended it.
      if (execution.status !== 'running') return;
      const settleWith = (outcome: Outcome): void => ('value' in outcome ? resolve(outcome.value as T) : reject(outcome.error as Error));
      if (kind === 'write') execution.writeAskedTick = world.tick;
      execution.calls.push({ execution, kind, about, effect, lost, settle: settleWith, phase: 'asked', result: undefined });
      if (execution.task.kind !== 'sweep' && world.faultsOn && world.random.chance(world.profile.stall)) execution.held = true;
    });
  const unavailable = (): Outcome => ({ error: world.code.refuse('Unavailable') });
  const failed = (): Outcome => ({ error: new Error('lost') });
  const unknown = (): Outcome => ({ value: { kind: 'unknown' } satisfies TransactAnswer });
  const noteRead = (table: string, partition: string, row: string): void => {
    execution.firstReadAt ??= world.storageAt;
    execution.lastReadTick = world.tick;
    if (table !== 'hsms' || row !== HSM_ROW || execution.wrote === 'unknown') return;
    execution.wrote = 'no';
    execution.cell = cellOf(world, execution.task, partition);
  };
  return {
    store: {
      row: (table, partition, row) =>
        ask(
          'read',
          world.trace ? `read ${table}/${partition}/${row}` : '',
          () => {
            noteRead(table, partition, row);
            return world.store.row(table, partition, row);
          },
          unavailable,
        ),
      page: <V extends Value>(range: Range, limit: number, next?: string) =>
        ask(
          'page',
          world.trace ? `page of ${range.table}/${range.partition ?? '*'} ${range.from}` : '',
          () => {
            execution.cell = undefined;
            return world.store.page<V>(range, limit, next);
          },
          unavailable,
        ),
      transact: (transaction) => ask('write', world.trace ? transactionText(transaction) : '', () => checkTransaction(world, execution, transaction), unknown),
    },
    queue: {
      send: (debt) =>
        ask(
          'send',
          world.trace ? `send clean-up of ${debt.incarnation}` : '',
          () => {
            execution.sent.add(debt.incarnation);
            world.messages.push({ debt, dequeues: 0, busy: 0 });
          },
          failed,
        ),
    },
    timers: {
      start: (timer) =>
        ask(
          'startTimer',
          world.trace ? `start timer ${timer.deletionId}` : '',
          () => {
            world.engine?.start(timer);
            // An id in use is refused; one whose instance has ended begins a new life.
            if (world.timers.get(timer.deletionId)?.status !== 'running')
              world.timers.set(timer.deletionId, { input: timer, status: 'running', nextAt: timer.purgeAt + 1, failures: 0, looking: 0 });
          },
          unavailable,
        ),
      end: (deletionId) =>
        ask(
          'endTimer',
          world.trace ? `end timer ${deletionId}` : '',
          () => {
            const timer = world.timers.get(deletionId);
            world.engine?.end(deletionId);
            if (timer?.status === 'running') timer.status = 'terminated';
            world.changed = true;
          },
          failed,
        ),
    },
    ids: { guid: () => `n${++world.ids}` },
    hostClock: {
      now: () => {
        const now = hostNow(world, execution.host);
        execution.hostClockMax = Math.max(execution.hostClockMax, now);
        return now;
      },
    },
    log: () => undefined,
  };
}

/** For coverage: the state that the record is in, by the table on paper, and the command that asks. */
function cellOf(world: World, task: Task, name: string): string | undefined {
  const state = stateOnPaper(current(world.history.hsms, name)?.value, nowOf(world));
  const command = {
    put: 'create',
    protect: 'create',
    patch: state === 'active' ? 'create' : '',
    recover: 'recover',
    remove: 'delete',
    groupRemove: 'delete',
    purge: 'purge',
    look: 'expire',
    sweep: state === 'active' ? 'delete' : 'expire',
  };
  const asked = command[task.kind as keyof typeof command];
  return asked ? `${state} x ${asked}` : undefined;
}
