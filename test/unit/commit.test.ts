// `commit` is the only repeater: each row of design §2 against a store that answers from a script, with the counts of decisions, sendings and hints.
import { refuse } from '../../shared/domain/errors';
import type { Hint, Plan, Timer, Transaction, Value, Write } from '../../shared/domain/plan';
import type { Ports, TransactAnswer } from '../../shared/ports';
import { commit, writeOnce } from '../../shared/service/commit';
import { countingIds, DELETION, INCARNATION } from './support/contoso';
import { type Ending, endingOfAsync } from './support/refusals';

const stored: TransactAnswer = { kind: 'stored' };
const unknown: TransactAnswer = { kind: 'unknown' };
const refused = (status: 404 | 409 | 412): TransactAnswer => ({ kind: 'refused', status });

type ReadBack = { readonly etag: string; readonly value: Value } | 'gone' | 'unavailable';
type Script = { readonly sends?: readonly TransactAnswer[]; readonly readBacks?: readonly ReadBack[]; readonly failing?: readonly ('timer' | 'queue' | 'endTimer')[] };

const noKeys = (): never => {
  throw new Error('commit makes and opens no keys');
};

/** Ports that answer from a script and fail the test beyond its end. What happens, in order, is in `events`. */
function scripted({ sends = [stored], readBacks = [], failing = [] }: Script) {
  const events: string[] = [];
  const sent: Transaction[] = [];
  const lines: string[] = [];
  let reads = 0;
  const fail = (what: 'timer' | 'queue' | 'endTimer'): void => {
    if (failing.includes(what)) throw what === 'timer' ? refuse('Unavailable') : new Error('secret of the inside');
  };
  const next = <T>(list: readonly T[], index: number): T => {
    const value = list[index];
    if (value === undefined) throw new Error('the script is at its end');
    return value;
  };
  const ports: Ports = {
    sealing: { newSealingKey: noKeys, newDataKey: noKeys, seal: noKeys, open: noKeys },
    material: { generate: noKeys },
    ids: { guid: countingIds('write') },
    hostClock: { now: () => 0 },
    log: (level, line) => void lines.push(`${level}: ${line}`),
    timers: {
      start: async (timer: Timer) => {
        events.push(`timer ${timer.deletionId}`);
        fail('timer');
      },
      end: async (deletionId) => {
        events.push(`end ${deletionId}`);
        fail('endTimer');
      },
    },
    queue: {
      send: async ({ incarnation }) => {
        events.push(`erase ${incarnation}`);
        fail('queue');
      },
    },
    store: {
      page: () => Promise.reject(new Error('commit reads no pages')),
      row: async <V extends Value>(table: string, partition: string, row: string) => {
        events.push(`read ${table} ${partition} ${row}`);
        const found = next(readBacks, reads++);
        if (found === 'unavailable') throw refuse('Unavailable');
        return { found: found === 'gone' ? undefined : { partition, row, writtenAt: 0, etag: found.etag, value: found.value as V }, now: 0, storageAt: 0 };
      },
      transact: async (transaction) => {
        events.push('send');
        sent.push(transaction);
        return next(sends, sent.length - 1);
      },
    },
  };
  return { ports, events, sent, lines };
}

const replace: Write = { kind: 'replace', row: '!hsm', etag: 'etag-1', value: { incarnation: INCARNATION } };
const planOf = (write: Write, more: Partial<Plan> = {}): Plan => ({ write: { table: 'hsms', partition: 'contoso', writes: [write] }, hurry: [], ...more });

const update = planOf(replace);
const creation = planOf({ kind: 'insert', row: '!hsm', value: { incarnation: INCARNATION } }, { coins: INCARNATION });
const deletion = planOf(replace, { coins: DELETION });
const removal = planOf({ kind: 'delete', row: '!hsm', etag: 'etag-1' }, { removes: INCARNATION });

/** Commits one plan, as often as it is asked for. */
async function committing(plan: Plan, script: Script) {
  const world = scripted(script);
  let decisions = 0;
  const ending = await endingOfAsync(() => commit(world.ports, async () => ({ plan, answer: ++decisions })));
  return { ...world, ending, decisions };
}

test('stored: one decision, one sending, its answer', async () => {
  const { ports, sent } = scripted({ sends: [stored] });
  expect(await commit(ports, async () => ({ plan: update, answer: 'the answer' }))).toBe('the answer');
  expect(sent).toHaveLength(1);
});

test('a decision without a plan writes nothing', async () => {
  const { ports, events } = scripted({ sends: [] });
  expect(await commit(ports, async () => ({ answer: 'nothing to do' }))).toBe('nothing to do');
  expect(events).toEqual([]);
});

test('a refusal of the decision is thrown through, and nothing is written', async () => {
  const { ports, events } = scripted({ sends: [] });
  const ending = endingOfAsync(() =>
    commit(ports, async () => {
      throw refuse('NameInUse', { name: 'contoso' });
    }),
  );
  expect(await ending).toBe('NameInUse');
  expect(events).toEqual([]);
});

describe('refused: it was not stored', () => {
  test.each([404, 409, 412] as const)('%i once: decided again on what is read anew, and the answer is the second decision’s', async (status) => {
    const { ports, events } = scripted({ sends: [refused(status), stored] });
    const attempts: number[] = [];
    expect(
      await commit(ports, async (attempt) => {
        attempts.push(attempt);
        return { plan: update, answer: `decision ${attempt}` };
      }),
    ).toBe('decision 1');
    expect(attempts).toEqual([0, 1]);
    expect(events).toEqual(['send', 'send']);
  });

  test.each<[number, readonly TransactAnswer[], Ending]>([
    [4, [refused(412), refused(409), refused(404), stored], 'accepted'],
    [4, [refused(412), refused(409), refused(404), refused(412)], 'Contended'],
  ])('decided again at most three times: %i sendings of %j', async (count, sends, ending) => {
    const world = await committing(update, { sends });
    expect([world.ending, world.decisions, world.sent.length]).toEqual([ending, count, count]);
  });

  test('a later decision may find nothing left to write', async () => {
    const { ports, sent } = scripted({ sends: [refused(412)] });
    expect(await commit(ports, async (attempt) => (attempt === 0 ? { plan: update, answer: 'first' } : { answer: 'second' }))).toBe('second');
    expect(sent).toHaveLength(1);
  });
});

describe('no answer: read back, and never decided again', () => {
  const mine = (more: Value = {}): ReadBack => ({ etag: 'etag-2', value: { incarnation: INCARNATION, writeId: 'write-1', ...more } });
  const others = (more: Value = {}): ReadBack => ({ etag: 'etag-3', value: { incarnation: INCARNATION, writeId: 'another', ...more } });
  const asDecidedOn: ReadBack = { etag: 'etag-1', value: { incarnation: INCARNATION, writeId: 'before' } };

  test.each<[string, Plan, ReadBack, Ending]>([
    ['update: own write id', update, mine(), 'accepted'],
    ['update: another’s write', update, others(), 'Unfinished'],
    ['update: another incarnation', update, { etag: 'etag-3', value: { incarnation: 'another', writeId: 'another' } }, 'Unfinished'],
    ['update: gone', update, 'gone', 'Unfinished'],
    ['update: storage cannot be read', update, 'unavailable', 'Unavailable'],
    ['creation: own write id', creation, mine(), 'accepted'],
    ['creation: own incarnation, updated since', creation, others(), 'accepted'],
    ['creation: another incarnation', creation, others({ incarnation: 'another' }), 'Unfinished'],
    ['creation: nothing there, though it may still land', creation, 'gone', 'Unfinished'],
    ['deletion: own write id', deletion, mine({ deletion: { deletionId: DELETION } }), 'accepted'],
    ['deletion: own deletion id, touched since', deletion, others({ deletion: { deletionId: DELETION } }), 'accepted'],
    ['deletion: another’s deletion', deletion, others({ deletion: { deletionId: 'another' } }), 'Unfinished'],
    ['deletion: recovered or never deleted', deletion, others(), 'Unfinished'],
    ['removal: the record is gone', removal, 'gone', 'accepted'],
    ['removal: another incarnation has the name', removal, others({ incarnation: 'another' }), 'accepted'],
    ['removal: the incarnation is there, changed since', removal, others(), 'Unfinished'],
    ['removal: storage cannot be read', removal, 'unavailable', 'Unavailable'],
  ])('%s', async (_, plan, readBack, ending) => {
    const world = await committing(plan, { sends: [unknown], readBacks: [readBack] });
    expect(world.ending).toBe(ending);
    expect([world.decisions, world.sent.length]).toEqual([1, 1]);
    expect(world.events).toEqual(['send', 'read hsms contoso !hsm']);
  });

  test.each<[string, Plan, TransactAnswer, readonly ReadBack[], Ending]>([
    ['update: stored', update, stored, [], 'accepted'],
    ['update: refused, since the first one had landed', update, refused(412), [mine()], 'accepted'],
    ['update: refused, since another came before', update, refused(412), [others()], 'Unfinished'],
    ['update: no answer again, own write id', update, unknown, [mine()], 'accepted'],
    ['update: no answer again, as decided on still', update, unknown, [asDecidedOn], 'Unfinished'],
    ['update: no answer again, another’s write', update, unknown, [others()], 'Unfinished'],
    ['update: no answer again, storage cannot be read', update, unknown, ['unavailable'], 'Unavailable'],
    ['deletion: refused, its own deletion touched since', deletion, refused(412), [others({ deletion: { deletionId: DELETION } })], 'accepted'],
    ['removal: stored', removal, stored, [], 'accepted'],
    ['removal: refused, since the first one had landed', removal, refused(404), ['gone'], 'accepted'],
    ['removal: refused, the record recovered meanwhile', removal, refused(412), [others()], 'Unfinished'],
    ['removal: no answer again, as decided on still', removal, unknown, [asDecidedOn], 'Unfinished'],
  ])('the same ETag as decided on: the same transaction once more. %s', async (_, plan, second, readBacks, ending) => {
    const world = await committing(plan, { sends: [unknown, second], readBacks: [asDecidedOn, ...readBacks] });
    expect(world.ending).toBe(ending);
    expect([world.decisions, world.sent.length]).toEqual([1, 2]);
    expect(world.sent[1]).toEqual(world.sent[0]);
  });

  test('an insert has no ETag: a row that happens to be there is not as decided on', async () => {
    const world = await committing(creation, { sends: [unknown], readBacks: [{ etag: '', value: { incarnation: 'another' } }] });
    expect([world.ending, world.sent.length]).toEqual(['Unfinished', 1]);
  });

  test('after a refusal too: the second decision’s unknown answer is the last', async () => {
    const world = await committing(update, { sends: [refused(412), unknown], readBacks: [{ etag: 'etag-3', value: { writeId: 'another' } }] });
    expect([world.ending, world.decisions, world.sent.length]).toEqual(['Unfinished', 2, 2]);
  });

  test('the write id of an earlier, refused plan proves nothing', async () => {
    const world = await committing(update, { sends: [refused(412), unknown], readBacks: [{ etag: 'etag-3', value: { writeId: 'write-1' } }] });
    expect(world.ending).toBe('Unfinished');
    const control = await committing(update, { sends: [refused(412), unknown], readBacks: [{ etag: 'etag-3', value: { writeId: 'write-2' } }] });
    expect(control.ending).toBe('accepted');
  });
});

test('the record is stamped with a write id of its own for each plan, and nothing else is', async () => {
  const obligation: Write = { kind: 'insert', row: 'gone!i', value: { by: 'caller' } };
  const plan = planOf(replace);
  const { ports, sent } = scripted({ sends: [refused(412), stored] });
  await commit(ports, async () => ({ plan: { ...plan, write: { ...plan.write, writes: [replace, obligation] } }, answer: 0 }));
  expect(sent.map(({ writes }) => writes)).toEqual([
    [{ ...replace, value: { incarnation: INCARNATION, writeId: 'write-1' } }, obligation],
    [{ ...replace, value: { incarnation: INCARNATION, writeId: 'write-2' } }, obligation],
  ]);
});

describe('the timer', () => {
  const timed: Plan = { ...deletion, timer: { deletionId: DELETION, hsm: 'contoso', incarnation: INCARNATION, purgeAt: 7 } };

  test('I1 is started before the write', async () => {
    expect((await committing(timed, { sends: [stored] })).events).toEqual([`timer ${DELETION}`, 'send']);
  });

  test('I1 that cannot be started ends the command, and nothing is written', async () => {
    const world = await committing(timed, { sends: [], failing: ['timer'] });
    expect([world.ending, world.decisions]).toEqual(['Unavailable', 1]);
    expect(world.events).toEqual([`timer ${DELETION}`]);
  });

  test('is started again under the same id when it is decided again', async () => {
    expect((await committing(timed, { sends: [refused(412), stored] })).events).toEqual([`timer ${DELETION}`, 'send', `timer ${DELETION}`, 'send']);
  });
});

describe('hints', () => {
  const hurry: readonly Hint[] = [
    { kind: 'erase', debt: { hsm: 'contoso', incarnation: INCARNATION } },
    { kind: 'endTimer', deletionId: DELETION },
  ];
  const hurried: Plan = { ...removal, hurry };
  const both = [`erase ${INCARNATION}`, `end ${DELETION}`];

  test('go out after the write', async () => {
    const world = await committing(hurried, { sends: [stored] });
    expect(world.events).toEqual(['send', ...both]);
    expect(world.lines).toEqual([]);
  });

  test('go out when reading back has proved the write', async () => {
    expect((await committing(hurried, { sends: [unknown], readBacks: ['gone'] })).events).toEqual(['send', 'read hsms contoso !hsm', ...both]);
  });

  test.each<[readonly ('queue' | 'endTimer')[], readonly string[]]>([
    [['queue'], [`warning: hint lost: erase ${INCARNATION}`]],
    [['endTimer'], [`warning: hint lost: end timer ${DELETION}`]],
    [
      ['queue', 'endTimer'],
      [`warning: hint lost: erase ${INCARNATION}`, `warning: hint lost: end timer ${DELETION}`],
    ],
  ])('that are lost (%j) do not fail the command, nor each other; the log says which, and nothing of why', async (failing, lines) => {
    const world = await committing(hurried, { sends: [stored], failing });
    expect(world.ending).toBe('accepted');
    expect(world.events).toEqual(['send', ...both]);
    expect(world.lines).toEqual(lines);
  });

  test.each<[string, Script, Ending]>([
    ['refused to the end', { sends: [refused(412), refused(412), refused(412), refused(412)] }, 'Contended'],
    ['of unknown outcome', { sends: [unknown], readBacks: [{ etag: 'etag-3', value: { incarnation: INCARNATION } }] }, 'Unfinished'],
  ])('do not go out for a write that was %s', async (_, script, ending) => {
    const world = await committing(hurried, script);
    expect(world.ending).toBe(ending);
    expect(world.events).not.toContain(both[0]);
    expect(world.events).not.toContain(both[1]);
  });
});

test.each<[TransactAnswer, TransactAnswer['kind']]>([
  [stored, 'stored'],
  [refused(412), 'refused'],
  [unknown, 'unknown'],
])('a write that nobody waits for is sent once, unstamped, and not read back: %j', async (answer, known) => {
  const { ports, sent, events } = scripted({ sends: [answer] });
  expect(await writeOnce(ports, update.write)).toBe(known);
  expect(sent).toEqual([update.write]);
  expect(events).toEqual(['send']);
});
