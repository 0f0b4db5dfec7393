// The faults that the simulator must find, each as a replacement of text in the compiled code: the first of issue 3's list, the second of our own.

export type Mutant = {
  readonly name: string;
  readonly file: string;
  /** Each text stands in the file exactly once. */
  readonly replace: readonly (readonly [from: string, to: string])[];
  /** All profiles in turn, if not given. */
  readonly profile?: string;
};

const COMMIT = 'shared/service/commit.js';
const RETENTION = 'shared/service/retention.js';
const HSMS = 'shared/service/hsms.js';
const DECISIONS = 'shared/domain/managedHsm.js';
const LIFECYCLE = 'shared/domain/lifecycle.js';

const TRANSACT = 'const answer = await ports.store.transact(transaction);';
const removing = "{ kind: 'delete', row: rows_1.HSM_ROW, etag: found.etag }";

const asked: readonly Mutant[] = [
  {
    name: 'obligation in a second transaction',
    file: COMMIT,
    replace: [
      [
        TRANSACT,
        'const [main, ...rest] = transaction.writes; const answer = await ports.store.transact({ ...transaction, writes: [main] }); if (answer.kind === "stored" && rest.length) await ports.store.transact({ ...transaction, writes: rest });',
      ],
    ],
  },
  {
    name: 'timer after the write',
    file: COMMIT,
    replace: [
      ['if (plan.timer)\n        await ports.timers.start(plan.timer);', ''],
      [TRANSACT, `${TRANSACT} if (plan.timer) await ports.timers.start(plan.timer);`],
    ],
  },
  { name: 'no read-back', file: COMMIT, replace: [["if (answer.kind !== 'unknown')\n        return answer.kind === 'stored';", "return answer.kind !== 'refused';"]] },
  {
    name: 'SDK retries on',
    file: COMMIT,
    replace: [
      [TRANSACT, `let ${TRANSACT.slice('const '.length)} for (let again = 0; again < 3 && answer.kind === 'unknown'; again++) answer = await ports.store.transact(transaction);`],
    ],
  },
  { name: 'deciding again after an unknown answer', file: COMMIT, replace: [["throw (0, errors_1.refuse)('Unfinished');", 'return false;']] },
  {
    name: 'recover without ETag',
    file: DECISIONS,
    replace: [
      [
        "return replacing(found, { ...before, modified: stampOf(setting), ...windowFor('recover'",
        "return replacing({ ...found, etag: '*' }, { ...before, modified: stampOf(setting), ...windowFor('recover'",
      ],
    ],
  },
  { name: 'expire without deletion id', file: DECISIONS, replace: [[' || deletion.deletionId !== deletionId', '']] },
  { name: 'purge without ETag', file: DECISIONS, replace: [[removing, removing.replace('found.etag', "'*'")]] },
  { name: 'activity done when early', file: RETENTION, replace: [["return { kind: 'lookAgain', lookAgainAt: timer.purgeAt };", "return { kind: 'done' };"]] },
  {
    name: 'terminate before commit',
    file: COMMIT,
    replace: [['const writeId = ports.ids.guid();', "for (const hint of plan.hurry) if (hint.kind === 'endTimer') await hurry(ports, hint); const writeId = ports.ids.guid();"]],
  },
  { name: 'a debt removed before the last page', file: RETENTION, replace: [["return 'erased a page';", "if (!isSettled(found, storageAt)) return 'erased a page'; break;"]] },
  { name: 'an empty page taken for the end', file: RETENTION, replace: [['next = page.found.next;', 'next = page.found.rows.length ? page.found.next : undefined;']] },
  { name: "a single pass for an HSM's debt", file: RETENTION, replace: [['if (!isSettled(found, storageAt))', 'if (false)']] },
  { name: "expire on the storage's clock alone", file: DECISIONS, replace: [[' || hostNow < deletion.purgeAt', '']] },
  { name: "expire on the host's clock alone", file: DECISIONS, replace: [["(0, lifecycle_1.admit)(found.value, 'expire', now) !== 'expire' || ", '']] },
  {
    name: "deletedAt by the host's clock",
    file: HSMS,
    replace: [['deleteHsm)(found, path, idFor(found?.value.incarnation), setting(caller, now))', 'deleteHsm)(found, path, idFor(found?.value.incarnation), setting(caller, ports.hostClock.now()))']],
  },
  { name: "a debt's age by the host's clock", file: RETENTION, replace: [['if (!isSettled(found, storageAt))', 'if (!isSettled(found, hostClock.now()))']] },
  { name: 'sweeper skipping deleted HSMs', file: RETENTION, replace: [["if (state === 'overdue' && deletion)", 'if (false)']] },
  {
    name: 'sweeper skipping debts',
    file: RETENTION,
    replace: [["for await (const { found } of pages({ table: 'hsms', ...rows_1.ranges.debts }, SWEEP_PAGE_ROWS))", 'for (const { found } of [])']],
  },
  {
    name: 'erase without a debt',
    file: RETENTION,
    replace: [
      ["if (!found)\n            return 'no debt';", ''],
      ['if (!isSettled(found, storageAt))', 'if (!found || !isSettled(found, storageAt))'],
    ],
  },
  {
    name: 'erase by name',
    file: RETENTION,
    replace: [["...rows_1.ranges.assignmentsAndDefinitions, where: { member: 'incarnation', equals: debt.incarnation }", '...rows_1.ranges.assignmentsAndDefinitions']],
  },
  { name: 'erase with *', file: RETENTION, replace: [["({ kind: 'delete', row, etag })", "({ kind: 'delete', row, etag: '*' })"]] },
  {
    name: 'no floor under lookAgainAt',
    file: 'functions/purgeAtDeadline.js',
    replace: [['Math.max(answer.lookAgainAt * 1000, now() + pauseMs(looks))', 'answer.lookAgainAt * 1000']],
    profile: 'engine',
  },
  { name: 'lazy check forgotten: show deleted, purge', file: DECISIONS, replace: [["|| (0, lifecycle_1.stateAt)(record, now) !== 'deleted'", '']] },
  { name: 'lazy check forgotten: list of deleted', file: HSMS, replace: [["(0, lifecycle_1.stateAt)(record, now) === 'deleted')", 'record.deletion !== undefined)']] },
  { name: 'lazy check forgotten: name check', file: DECISIONS, replace: [["['active', 'deleted'].includes((0, lifecycle_1.stateAt)(found?.value, now))", 'found']] },
  { name: "a group's row removed at once", file: RETENTION, replace: [['if (!holdsHsm && isSettled(row, passBeganAt))', 'if (!holdsHsm)']] },
];

const ours: readonly Mutant[] = [
  {
    name: 'insert sent again after an unknown answer',
    file: COMMIT,
    replace: [["found && record.kind !== 'insert' && found.etag === record.etag", "(record.kind === 'insert' ? !found : found?.etag === record.etag)"]],
  },
  {
    name: 'create over overdue replaces the record',
    file: DECISIONS,
    replace: [["return 'expire';", 'return replacing(found, createHsm(path, request, coined, setting).record);']],
  },
  { name: 'writeId not stamped', file: COMMIT, replace: [['value: { ...record.value, writeId }', 'value: { ...record.value }']] },
  { name: 'a purger asks for its writeId', file: COMMIT, replace: [['if (plan.removes !== undefined && incarnation !== plan.removes)', 'if (false)']] },
  {
    name: 'recover keeps the deletion',
    file: DECISIONS,
    replace: [
      [
        "return replacing(found, { ...before, modified: stampOf(setting), ...windowFor('recover'",
        "return replacing(found, { ...before, deletion, modified: stampOf(setting), ...windowFor('recover'",
      ],
    ],
  },
  { name: 'path check forgotten', file: DECISIONS, replace: [[' && record.group.toLowerCase() === path.group', '']] },
  { name: 'location check forgotten', file: DECISIONS, replace: [[' && (0, names_1.locationKey)(record.settings.location) === path.location', '']] },
  { name: 'purge ignores protection', file: DECISIONS, replace: [['if (record.settings.purgeProtection)', 'if (false)']] },
  { name: 'protection can be switched off', file: 'shared/domain/hsmSettings.js', replace: [['if (request.purgeProtection === false && before.purgeProtection)', 'if (false)']] },
  { name: 'overdue a second late', file: LIFECYCLE, replace: [['now < subject.deletion.purgeAt', 'now <= subject.deletion.purgeAt']] },
  { name: 'a deleted HSM can be updated', file: LIFECYCLE, replace: [["deleted: { create: 'nameHeld'", "deleted: { create: 'update'"]] },
  {
    name: "a debt's age with the development offset",
    file: RETENTION,
    replace: [["const { found, storageAt } = await store.row('hsms', debt.hsm", "const { found, now: storageAt } = await store.row('hsms', debt.hsm"]],
  },
  {
    name: 'the update of a record without ETag',
    file: DECISIONS,
    replace: [['return replacing(found, { ...before, settings,', "return replacing({ ...found, etag: '*' }, { ...before, settings,"]],
  },
  { name: 'a removal without its debt', file: DECISIONS, replace: [["{ kind: 'insert', row: (0, rows_1.debtRow)(incarnation), value: debt },", '']] },
  { name: 'a group closed over what landed in it', file: RETENTION, replace: [['if (!holdsHsm && isSettled(row, passBeganAt))', 'if (isSettled(row, passBeganAt))']] },
  { name: 'the orchestrator ends at the first failure', file: 'functions/purgeAtDeadline.js', replace: [['failures += 1;', 'return;']], profile: 'engine' },
  { name: 'the orchestrator ends after one look', file: 'functions/purgeAtDeadline.js', replace: [["if (answer.kind === 'done')", 'if (answer)']], profile: 'engine' },
  { name: 'the activity misspelt', file: 'functions/purgeAtDeadline.js', replace: [["callActivity('lookAtDeletion'", "callActivity('lookAtDeletions'"]], profile: 'engine' },
  { name: 'purge date counted in other days', file: LIFECYCLE, replace: [['deletedAt + retentionDays * daySeconds', 'deletedAt + retentionDays * 86400']] },
  {
    name: 'the deletion id is kept for another incarnation',
    file: 'shared/service/deletionIds.js',
    replace: [['coined.get(incarnation) ??', 'coined.values().next().value ??']],
  },
];

export const mutants: readonly Mutant[] = [...asked, ...ours];
