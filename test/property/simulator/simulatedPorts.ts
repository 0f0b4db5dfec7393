// The ports that an execution is given: every call becomes an entry that waits for the scheduler, with the effect that it will have and what its caller learns if the answer is lost.
import type { Value } from '../../../shared/domain/plan';
import { HSM_ROW } from '../../../shared/domain/rows';
import type { HsmSeal, KeyMaterial, KeySeal, Ports, Range, Sealing, TransactAnswer, VersionSeal } from '../../../shared/ports';
import { isKeyTask, type Task } from './commands';
import { current, keyAddress } from './history';
import { stateOnPaper } from './paper';
import { dataKeyText, sealedText, sealingKeyText } from './secrets';
import { transactionText } from './texts';
import { checkTransaction } from './transactions';
import { demand } from './violation';
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
    if (execution.wrote === 'unknown') return;
    const cell = table === 'hsms' && row === HSM_ROW ? cellOf(world, execution.task, partition) : table === 'keys' ? keyCellOf(world, execution.task, partition, row) : '';
    if (cell === '') return;
    execution.wrote = 'no';
    execution.cell = cell;
  };
  return {
    store: {
      row: (table, partition, row) =>
        ask(
          'read',
          world.trace ? `read ${table}/${partition}/${row}` : '',
          () => {
            noteRead(table, partition, row);
            const answer = world.store.row<never>(table, partition, row);
            noteWrapped(execution, answer.found?.value);
            return answer;
          },
          unavailable,
        ),
      page: <V extends Value>(range: Range, limit: number, next?: string) =>
        ask(
          'page',
          world.trace ? `page of ${range.table}/${range.partition ?? '*'} ${range.from}` : '',
          () => {
            execution.cell = undefined;
            const answer = world.store.page<V>(range, limit, next);
            for (const { value } of answer.found.rows) noteWrapped(execution, value);
            return answer;
          },
          unavailable,
        ),
      transact: (transaction) => ask('write', world.trace ? transactionText(transaction) : '', () => checkTransaction(world, execution, transaction), unknown),
    },
    queue: {
      send: (debt) =>
        ask(
          'send',
          world.trace ? `send clean-up of ${debt.key?.incarnation ?? debt.incarnation}` : '',
          () => {
            execution.sent.add(debt.key?.incarnation ?? debt.incarnation);
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
    sealing: sealingOf(execution, (about, effect) => ask('seal', about, effect, failed)),
    material: {
      generate: (spec) =>
        ask(
          'make',
          'make a key',
          () => made(spec),
          () => ({ error: world.code.refuse('Throttled') }),
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

/** The same for a read of a key's record; none for the other rows of its partition. */
function keyCellOf(world: World, task: Task, partition: string, row: string): string | undefined {
  if (!row.startsWith('k!')) return '';
  const state = stateOnPaper(current(world.history.keys, keyAddress(partition, row.slice(2)))?.value, nowOf(world));
  const command = isKeyTask(task)
    ? { keyCreate: 'create', keyUpdate: state === 'active' ? 'create' : '', keyRemove: 'delete', keyRecover: 'recover', keyPurge: 'purge' }[task.kind as string]
    : task.kind === 'look' || task.kind === 'sweep'
      ? 'expire'
      : undefined;
  return command ? `key ${state} x ${command}` : undefined;
}

function noteWrapped(execution: Execution, value: Value | undefined): void {
  if (typeof value?.wrappedSealingKey === 'string') execution.wrapped.add(value.wrappedSealingKey);
  if (typeof value?.wrappedDataKey === 'string') execution.wrapped.add(value.wrappedDataKey);
}

const made = ({ kty }: Parameters<KeyMaterial['generate']>[0]): Awaited<ReturnType<KeyMaterial['generate']>> => ({
  publicParts: { kty } as { kty: 'oct-HSM' },
  secret: Buffer.alloc(1),
});

/** Keys that are texts: they name what they belong to, and only what this execution has read or coined opens anything. */
function sealingOf(execution: Execution, ask: <T>(about: string, effect: () => T) => Promise<T>): Sealing {
  const held = (wrapped: string, expected: string): void => {
    demand(wrapped === expected, 'I10', () => `#${execution.id} uses "${wrapped}" where "${expected}" belongs`);
    demand(execution.wrapped.has(wrapped), 'I13', () => `#${execution.id} uses "${wrapped}" without having read it`);
  };
  const hsmHeld = ({ hsm, incarnation, wrappedSealingKey }: HsmSeal): void => held(wrappedSealingKey, sealingKeyText(hsm, incarnation));
  const sealed = (hsm: HsmSeal, key: KeySeal, { version }: VersionSeal): string => {
    hsmHeld(hsm);
    held(key.wrappedDataKey, dataKeyText(hsm.incarnation, key.incarnation));
    return sealedText(hsm.incarnation, key.incarnation, version);
  };
  const coined = (wrapped: string): string => {
    execution.wrapped.add(wrapped);
    return wrapped;
  };
  return {
    newSealingKey: ({ hsm, incarnation }) => ask('coin a sealing key', () => coined(sealingKeyText(hsm, incarnation))),
    newDataKey: (hsm, keyIncarnation) =>
      ask('coin a data key', () => {
        hsmHeld(hsm);
        return coined(dataKeyText(hsm.incarnation, keyIncarnation));
      }),
    seal: (hsm, key, version) => ask('seal a version', () => sealed(hsm, key, version)),
    open: (hsm, key, version, blob) =>
      ask('open a version', () => {
        demand(blob === sealed(hsm, key, version), 'I10', () => `#${execution.id} opens what was not sealed for it`);
        return Buffer.alloc(1);
      }),
  };
}
