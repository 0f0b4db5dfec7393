// Runs plans, and is the only repeater of writes: decides again after a refusal, reads back after an unknown answer, and after that never decides again (design: one command must not act twice).
import { refuse } from '../domain/errors';
import type { Hint, Plan, Transaction, Value, Write } from '../domain/plan';
import type { Ports, TransactAnswer } from '../ports';

/** What a decision came to: an answer, and a plan unless nothing is to be written. */
export type Decision<A> = { readonly plan?: Plan | undefined; readonly answer: A };

/** Decisions after the first, each on what was read anew. */
const DECISIONS_AGAIN_MAX = 3;

/**
 * Reads, decides and writes until one plan is stored.
 * @param decide reads what it decides about at each call and returns the plan; refusals are thrown through.
 * @returns the answer of the decision whose plan was stored.
 * @throws Contended after four refused plans; Unfinished when it is not known whether the plan was stored; Unavailable when the timer could not be started.
 */
export async function commit<A>(ports: Ports, decide: (attempt: number) => Promise<Decision<A>>): Promise<A> {
  for (let attempt = 0; attempt <= DECISIONS_AGAIN_MAX; attempt++) {
    const { plan, answer } = await decide(attempt);
    if (!plan) return answer;
    if (await run(ports, plan)) {
      await Promise.all(plan.hurry.map((hint) => hurry(ports, hint)));
      return answer;
    }
  }
  throw refuse('Contended');
}

/** A write that nobody is waiting for: whether it was refused or its answer lost, the next pass sees what became of it. @returns what is known of it */
export const writeOnce = async ({ store }: Ports, transaction: Transaction): Promise<TransactAnswer['kind']> => (await store.transact(transaction)).kind;

/** @returns false if the plan was not stored for certain. */
async function run(ports: Ports, plan: Plan): Promise<boolean> {
  if (plan.timer) await ports.timers.start(plan.timer);
  if (plan.fence && !(await fence(ports, plan.fence))) return false;
  const writeId = ports.ids.guid();
  const transaction = { ...plan.write, writes: stamped(plan.write.writes, writeId) };
  const answer = await ports.store.transact(transaction);
  if (answer.kind !== 'unknown') return answer.kind === 'stored';
  let found = await lookBack(ports, plan, writeId);
  if (found === 'as decided on') {
    // The very same ETag still stands: whatever became of the first sending, the second is the same transaction.
    if ((await ports.store.transact(transaction)).kind === 'stored') return true;
    found = await lookBack(ports, plan, writeId);
  }
  if (found === 'ours') return true;
  throw refuse('Unfinished');
}

/** @returns false if it was refused, and so must be decided again. @throws Unfinished when it is not known whether it stands */
async function fence({ store }: Ports, transaction: Transaction): Promise<boolean> {
  const answer = await store.transact(transaction);
  if (answer.kind === 'unknown') throw refuse('Unfinished');
  return answer.kind === 'stored';
}

/** The record carries the id of the write that made it, so that one's own success can be told from another's. */
const stamped = ([record, ...others]: Plan['write']['writes'], writeId: string): Plan['write']['writes'] => [
  record.kind === 'delete' || record.kind === 'touch' ? record : { ...record, value: { ...record.value, writeId } },
  ...others,
];

type RecordIds = Value & { readonly writeId?: string; readonly incarnation?: string; readonly deletion?: { readonly deletionId: string } };

async function lookBack({ store }: Ports, plan: Plan, writeId: string): Promise<'ours' | 'as decided on' | 'something else'> {
  const record: Write = plan.write.writes[0];
  const { found } = await store.row<RecordIds>(plan.write.table, plan.write.partition, record.row);
  const incarnation = found?.value.incarnation;
  if (plan.removes !== undefined && incarnation !== plan.removes) return 'ours';
  if (found && found.value.writeId === writeId) return 'ours';
  if (plan.coins !== undefined && (incarnation === plan.coins || found?.value.deletion?.deletionId === plan.coins)) return 'ours';
  return found && 'etag' in record && found.etag === record.etag ? 'as decided on' : 'something else';
}

/** Hints only hurry: the sweeper does their work if they are lost. */
async function hurry({ queue, timers, log }: Ports, hint: Hint): Promise<void> {
  try {
    await (hint.kind === 'erase' ? queue.send(hint.debt) : timers.end(hint.deletionId));
  } catch {
    log('warning', `hint lost: ${hint.kind === 'erase' ? `erase ${hint.debt.key?.incarnation ?? hint.debt.incarnation}` : `end timer ${hint.deletionId}`}`);
  }
}
