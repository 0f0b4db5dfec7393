// The faults that the simulator must find, each as a replacement of text in the compiled code: the first of issue 3's list, the second of our own.

export type Mutant = {
  readonly name: string;
  readonly file: string;
  /** Each text stands in the file (its own, where it names one) exactly once. */
  readonly replace: readonly (readonly [from: string, to: string, inFile?: string])[];
  /** All profiles in turn, if not given. */
  readonly profile?: string;
};

const COMMIT = 'shared/service/commit.js';
const RETENTION = 'shared/service/retention.js';
const SWEEP = 'shared/service/sweep.js';
const PAGES = 'shared/service/pages.js';
const FENCE = 'shared/service/fence.js';
const RIGHTS = 'shared/service/rights.js';
const KEYS = 'shared/service/keys.js';
const KEY = 'shared/domain/key.js';
const HSMS = 'shared/service/hsms.js';
const DECISIONS = 'shared/domain/managedHsm.js';
const LIFECYCLE = 'shared/domain/lifecycle.js';

const TRANSACT = 'const answer = await ports.store.transact(transaction);';
const SETTLED = 'if (!(0, exports.isSettled)(found, storageAt, parameters))';
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
  {
    name: 'deciding again after an unknown answer',
    file: COMMIT,
    replace: [["if (found === 'ours')\n        return true;\n    throw (0, errors_1.refuse)('Unfinished');", "return found === 'ours';"]],
  },
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
  { name: 'a debt removed before the last page', file: RETENTION, replace: [["return 'erased a page';", `${SETTLED} return 'erased a page'; break;`]] },
  { name: 'an empty page taken for the end', file: PAGES, replace: [['next = page.found.next;', 'next = page.found.rows.length ? page.found.next : undefined;']] },
  { name: "a single pass for an HSM's debt", file: RETENTION, replace: [[SETTLED, 'if (false)']] },
  { name: "expire on the storage's clock alone", file: DECISIONS, replace: [[' || hostNow < deletion.purgeAt', '']] },
  { name: "expire on the host's clock alone", file: DECISIONS, replace: [["(0, lifecycle_1.admit)(found.value, 'expire', now) !== 'expire' || ", '']] },
  {
    name: "deletedAt by the host's clock",
    file: HSMS,
    replace: [
      [
        'deleteHsm)(found, path, idFor(found?.value.incarnation), setting(caller, now))',
        'deleteHsm)(found, path, idFor(found?.value.incarnation), setting(caller, ports.hostClock.now()))',
      ],
    ],
  },
  { name: "a debt's age by the host's clock", file: RETENTION, replace: [[SETTLED, SETTLED.replace('storageAt', 'hostClock.now()')]] },
  { name: 'sweeper skipping deleted HSMs', file: SWEEP, replace: [["if (state === 'overdue' && deletion)", 'if (false)']] },
  {
    name: 'sweeper skipping debts',
    file: SWEEP,
    replace: [["for await (const { found } of (0, pages_1.pages)(store, { table: 'hsms', ...rows_1.ranges.debts }, SWEEP_PAGE_ROWS))", 'for (const { found } of [])']],
  },
  {
    name: 'erase without a debt',
    file: RETENTION,
    replace: [
      ["if (!found)\n            return 'no debt';", ''],
      ['owedBy(found.value))', 'found ? owedBy(found.value) : debt)'],
      [SETTLED, SETTLED.replace('if (', 'if (!found || ')],
    ],
  },
  {
    name: 'erase by name',
    file: RETENTION,
    replace: [['...rows_1.ranges.assignmentsAndDefinitions, where }', '...rows_1.ranges.assignmentsAndDefinitions }']],
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
  { name: "a group's row removed at once", file: SWEEP, replace: [['if (!holdsHsm && settled(row, passBeganAt))', 'if (!holdsHsm)']] },
];

const ours: readonly Mutant[] = [
  {
    name: 'insert sent again after an unknown answer',
    file: COMMIT,
    replace: [["found && 'etag' in record && found.etag === record.etag", "(record.kind === 'insert' ? !found : found?.etag === record.etag)"]],
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
    replace: [['const { found, storageAt } = await store.row(table, partition', 'const { found, now: storageAt } = await store.row(table, partition']],
  },
  {
    name: 'the update of a record without ETag',
    file: DECISIONS,
    replace: [['return replacing(found, { ...before, settings,', "return replacing({ ...found, etag: '*' }, { ...before, settings,"]],
  },
  { name: 'a removal without its debt', file: DECISIONS, replace: [["{ kind: 'insert', row: (0, rows_1.debtRow)(incarnation), value: debt },", '']] },
  { name: 'a group closed over what landed in it', file: SWEEP, replace: [['if (!holdsHsm && settled(row, passBeganAt))', 'if (settled(row, passBeganAt))']], profile: 'groups' },
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

const removingKey = "{ kind: 'delete', row: found.row, etag: found.etag }, ...removed(due), ...fence";
const recoveringKey = "replaced(found, record), ...removed(due)), hurry: [{ kind: 'endTimer'";
const fenceWritten = 'if (plan.fence && !(await fence(ports, plan.fence)))\n        return false;';
const touched =
  "const touched = await (0, commit_1.writeOnce)(ports, { table: 'hsms', partition: hsm, writes: [{ kind: 'replace', row: rows_1.HSM_ROW, etag: record.etag, value: record.value }] });";

const ofKeys: readonly Mutant[] = [
  { name: 'no fence', file: HSMS, replace: [['if (!plan || !(0, managedHsm_1.switchesProtectionOn)(found, record))', 'if (plan || true)']], profile: 'fence' },
  {
    name: 'record before fence',
    file: COMMIT,
    replace: [
      [fenceWritten, ''],
      [TRANSACT, `${TRANSACT} if (plan.fence && answer.kind === 'stored') await fence(ports, plan.fence);`],
    ],
    profile: 'fence',
  },
  { name: 'guard not healed', file: SWEEP, replace: [["await attempt('guardsHealed', partition, () => heal(hsm, row, storageAt));", ';']], profile: 'fence' },
  {
    name: "the fence healed without the guard's ETag",
    file: KEY,
    replace: [["{ kind: 'replace', row: rows_1.GUARD_ROW, etag: guard.etag, value: {} },", "{ kind: 'replace', row: rows_1.GUARD_ROW, etag: '*', value: {} },"]],
    profile: 'fence-frozen',
  },
  { name: 'heal without touching the record', file: SWEEP, replace: [[touched, "const touched = 'stored';"]], profile: 'fence-frozen' },
  { name: 'heal without age', file: SWEEP, replace: [[' || !settled(guard, storageAt)', '']], profile: 'fence' },
  {
    name: 'guard and open read side by side, open first',
    file: FENCE,
    replace: [
      ["const guard = await store.row('keys', incarnation, rows_1.GUARD_ROW);", ''],
      [
        "const open = await store.row('keys', incarnation, rows_1.OPEN_ROW);",
        "const [open, guard] = await Promise.all([store.row('keys', incarnation, rows_1.OPEN_ROW), store.row('keys', incarnation, rows_1.GUARD_ROW)]);",
      ],
    ],
    profile: 'fence',
  },
  {
    name: 'the guard is not written when it is there',
    file: KEY,
    replace: [
      [
        "writes: open ? [closed, { kind: 'delete', row: rows_1.OPEN_ROW, etag: '*' }] : [closed] };",
        "writes: guard && open ? [{ kind: 'delete', row: rows_1.OPEN_ROW, etag: '*' }] : guard ? [{ kind: 'touch', row: rows_1.GUARD_ROW }] : [closed] };",
      ],
    ],
    profile: 'fence',
  },
  { name: "a key's purge does not touch the fence", file: KEY, replace: [["[{ kind: 'touch', row: rows_1.OPEN_ROW }]", '[]']], profile: 'fence' },
  { name: 'purge of a key ignores protection when no guard exists', file: KEY, replace: [['setting.hsm.settings.purgeProtection || (fence.guard', '(fence.guard']] },
  {
    name: 'the eraser asks stateAt',
    file: RETENTION,
    replace: [
      [
        "if (!found)\n            return 'no debt';",
        "const owner_ = !found && debt.key ? (await store.row('keys', debt.incarnation, (0, rows_1.keyRow)(debt.key.name))).found : undefined;\n        if (!found && !(owner_?.value.deletion && hostClock.now() >= owner_.value.deletion.purgeAt))\n            return 'no debt';",
      ],
      ['owedBy(found.value))', 'found ? owedBy(found.value) : debt)'],
      [SETTLED, SETTLED.replace('if (', 'if (!found || ')],
    ],
    profile: 'keys',
  },
  {
    name: 'data key left behind in a tombstone',
    file: KEY,
    replace: [
      [
        removingKey,
        removingKey.replace("kind: 'delete', row: found.row, etag: found.etag", "kind: 'replace', row: found.row, etag: found.etag, value: { ...found.value, purged: true }"),
      ],
    ],
  },
  { name: "a key's record left behind", file: KEY, replace: [[`[${removingKey}`, '[...removed(due), ...fence']] },
  { name: 'due row kept on recover', file: KEY, replace: [[recoveringKey, recoveringKey.replace(', ...removed(due)', '')]] },
  { name: 'due row left on purge', file: KEY, replace: [[removingKey, removingKey.replace(', ...removed(due)', '')]] },
  { name: 'no due row for a deletion', file: KEY, replace: [[", { kind: 'insert', row: (0, rows_1.dueRow)(deletion.purgeAt, deletionId), value: due }", '']] },
  { name: 'unconditional delete of a key in the transaction', file: KEY, replace: [[removingKey, removingKey.replace('etag: found.etag', "etag: '*'")]], profile: 'keys' },
  {
    name: 'recover of a key without ETag',
    file: KEY,
    replace: [[recoveringKey, recoveringKey.replace('replaced(found, record)', "replaced({ ...found, etag: '*' }, record)")]],
    profile: 'keys',
  },
  {
    name: 'a key recovered with its deletion',
    file: KEY,
    replace: [["const record = { ...before, ...windowFor('recover', setting) };", "const record = { ...before, deletion, ...windowFor('recover', setting) };"]],
  },
  {
    name: 'a key recovered without its latest version',
    file: KEY,
    replace: [["const record = { ...before, ...windowFor('recover', setting) };", "const record = { ...before, versions: 1, ...windowFor('recover', setting) };"]],
  },
  {
    name: 'create over an overdue key replaces its record',
    file: KEYS,
    replace: [
      ["if (outcome === 'expireFirst')\n                return 'expire';", ''],
      [
        "return 'expire';",
        '{ const record = { name: setting.path.display, ...coined, versions: 1, current: made }; return { record, plan: { write: transaction(setting, replaced(found, record)), coins: coined.incarnation, hurry: [] } }; }',
        KEY,
      ],
    ],
    profile: 'keys',
  },
  { name: "a key's expire without deletion id", file: KEY, replace: [[' || deletion.deletionId !== deletionId', '']], profile: 'keys' },
  { name: "a key's expire on the storage's clock alone", file: KEY, replace: [[' || hostNow < deletion.purgeAt', '']] },
  { name: "a key's expire on the host's clock alone", file: KEY, replace: [["(0, lifecycle_1.admit)(found.value, 'expire', now) !== 'expire' || ", '']] },
  { name: "erase of every key's versions", file: RETENTION, replace: [['...rows_1.ranges.versions(key.incarnation)', "from: 'v!', to: 'v\"'"]], profile: 'keys' },
  { name: 'assignments at a key erased by name', file: RETENTION, replace: [[", where: { member: 'keyIncarnation', equals: key.incarnation } }", ' }']], profile: 'keys' },
  { name: "a key's debt as its message says", file: RETENTION, replace: [['ownedBy(owedBy(found.value))', 'ownedBy(debt)']], profile: 'keys' },
  { name: 'older versions not erased', file: RETENTION, replace: [["{ table: 'keys', partition: incarnation, ...rows_1.ranges.versions(key.incarnation) },", '']] },
  {
    name: 'sweeper skipping keys of deleted HSMs',
    file: SWEEP,
    replace: [["await attempt('failed', incarnation, () => sweepKeys", "if (state === 'active') await attempt('failed', incarnation, () => sweepKeys"]],
  },
  { name: 'sweeper skipping keys of an overdue HSM that still stands', file: SWEEP, replace: [['if (isGone)', 'if (deletion)']] },
  {
    name: 'sweeper skipping key debts',
    file: SWEEP,
    replace: [["await attempt('debtsSent', incarnation, () => sent({ hsm, incarnation: partition, key: { name, incarnation } }));", ';']],
  },
  { name: 'sweeper skipping due keys', file: SWEEP, replace: [['...rows_1.ranges.dueBy(now)', '...rows_1.ranges.dueBy(0)']] },
  { name: 'a key usable while its HSM is deleted', file: RIGHTS, replace: [["(0, lifecycle_1.stateAt)(record, now) === 'active' && ", '']] },
  {
    name: "an old grant works for the key's new incarnation",
    file: RIGHTS,
    replace: [['mine.filter(({ keyIncarnation }) => keyIncarnation === found?.value.incarnation)', 'mine']],
    profile: 'keys',
  },
  {
    name: 'lazy check forgotten: list of keys',
    file: KEYS,
    replace: [['(0, lifecycle_1.stateAt)(value, now) !== state ||', "(state === 'deleted' && (0, lifecycle_1.stateAt)(value, now) !== state) ||"]],
    profile: 'keys',
  },
  {
    name: 'lazy check forgotten: list of deleted keys',
    file: KEYS,
    replace: [['(0, lifecycle_1.stateAt)(value, now) !== state ||', "(value.deletion ? 'deleted' : 'active') !== state ||"]],
    profile: 'keys',
  },
  { name: 'lazy check forgotten: get of a key', file: KEY, replace: [["(0, lifecycle_1.stateAt)(found.value, now) !== 'active' || ", '']], profile: 'keys' },
  { name: 'lazy check forgotten: get of a deleted key', file: KEY, replace: [["(0, lifecycle_1.stateAt)(record, now) !== 'deleted' || ", '']], profile: 'keys' },
  { name: 'a key shown in transition', file: KEY, replace: [["!== 'active' || isInTransition(found.value, now)", "!== 'active'"]], profile: 'keys' },
  { name: 'the deletion id is kept for another key', file: KEYS, replace: [['idFor(found?.value.incarnation)', "idFor('')"]], profile: 'keys' },
  { name: 'a version sealed with a data key of its own', file: KEYS, replace: [["found && outcome === 'update' ? found.value : await coin()", 'await coin()']] },
  {
    name: 'an older version updated beside its key',
    file: KEY,
    replace: [['transaction(setting, replaced(found, record), ...writes), hurry: [] } };\n}\nconst changed', 'transaction(setting, ...writes), hurry: [] } };\n}\nconst changed']],
    profile: 'keys',
  },
  { name: 'a version listed twice', file: KEYS, replace: [['.filter(({ version }) => version !== record.current.version)', '']], profile: 'keys' },
  { name: "the timer of a key's deletion names the HSM alone", file: KEY, replace: [['incarnation: hsm.incarnation, key, purgeAt', 'incarnation: hsm.incarnation, purgeAt']] },
];

export const mutants: readonly Mutant[] = [...asked, ...ours, ...ofKeys];
