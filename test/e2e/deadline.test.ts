// The deadline of a deleted HSM over HTTP on Azurite: it is purged at its date by the timer, by the sweeper where there is no timer, and unseen from then on where there is neither.
import { type ObservedService, startObservedService } from '../kit/observedService';
import { deletedList, deletedPath, groupPath, hsmPath, newHsm, recovering, SUBSCRIPTION } from '../kit/resources';
import type { ServiceOptions } from '../kit/service';

jest.setTimeout(120_000); // a slow machine is no failure

let observed: ObservedService;
let owner: ReturnType<ObservedService['service']['as']>;

beforeAll(async () => {
  observed = await startObservedService();
  owner = observed.service.as('owner');
  await owner.send('PUT', groupPath(), { location: 'westus' });
});
afterAll(() => observed.stop());
afterEach(async () => {
  observed.proxy.setDate(undefined);
  expect(observed.faults()).toEqual([]);
});

/** The host again, with these functions off and these settings instead of the usual ones. */
const using = ({ disabled = [], timersEarly = false, env = {} }: Partial<ServiceOptions>, meanwhile?: () => Promise<void>) =>
  observed.restart({ disabled, timersEarly, env: { FUNCTION_TIMEOUT_SECONDS: '300', ERASE_PAGE_ROWS: '100', SECONDS_PER_RETENTION_DAY: '86400', ...env } }, meanwhile);
const advance = (text: string) => observed.service.clock({ advance: text });
/** The storage's clock stands still: between two advances no time passes, however slow the machine is. */
const standStill = () => observed.proxy.setDate(new Date());
const shown = async (method: string, path: string, body?: object) => {
  const { status, json } = await owner.send(method, path, body);
  return json?.error ? `${status} ${json.error.code}` : status;
};
const record = (name: string) => observed.storage.row('hsms', name, '!hsm');
/** Who purged what had that name, by its debts; the oldest first. */
const purgers = async (name: string) => (await observed.storage.rows('hsms', name)).filter(({ rowKey }) => rowKey.startsWith('gone!')).map(({ by }) => by);
const statusOf = async (deletionId: string) => (await observed.instances.one(deletionId))?.status;

/** Creates an HSM and deletes it. @returns the id of the deletion, which is that of its timer */
async function deleted(name: string, properties: object = {}): Promise<string> {
  expect((await owner.finish('PUT', hsmPath(name), newHsm(properties))).status).toBe(200);
  return deletedOnce(name);
}

async function deletedOnce(name: string): Promise<string> {
  expect((await owner.finish('DELETE', hsmPath(name))).status).toBe(200);
  return JSON.parse(String((await record(name))?.deletion_json)).deletionId;
}

async function expectUnseen(name: string): Promise<void> {
  expect([
    await shown('GET', deletedPath(name)),
    await shown('GET', hsmPath(name)),
    await shown('PUT', hsmPath(name), recovering),
    await shown('POST', `${deletedPath(name)}/purge`),
    await shown('DELETE', hsmPath(name)),
  ]).toEqual(['404 ResourceNotFound', '404 ResourceNotFound', '404 SoftDeletedVaultDoesNotExist', '404 ResourceNotFound', 204]);
  expect((await owner.send('GET', deletedList())).text).not.toContain(`"${name}"`);
  expect((await owner.send('POST', `${SUBSCRIPTION}/providers/Microsoft.KeyVault/checkMhsmNameAvailability`, { name })).text).toBe('{"nameAvailable":true}');
}

describe('the timer alone', () => {
  test.each([
    { name: 'seven', days: 7 },
    { name: 'ninety', days: 90 },
    { name: 'seven-early', days: 7, timersEarly: true },
    { name: 'ninety-early', days: 90, timersEarly: true },
  ])('$name: a second before its date the HSM is there; at its date it is gone, its timer done, its name free', async ({ name, days, timersEarly = false }) => {
    await using({ disabled: ['sweep'], timersEarly });
    standStill();
    const deletionId = await deleted(name, { softDeleteRetentionInDays: days });
    await advance(`PT${days * 86_400 - 1}S`);
    expect([await shown('GET', deletedPath(name)), (await record(name)) !== undefined, await statusOf(deletionId)]).toEqual([200, true, 'Running']);
    expect((await owner.send('GET', deletedList())).text).toContain(`"${name}"`);
    await advance('PT1S');
    await expectUnseen(name);
    observed.proxy.setDate(undefined);
    // The timer is padded by a second; if it asked while the storage's clock stood still, it asks again after some minutes.
    await advance('PT5M');
    expect([await record(name), await purgers(name), await statusOf(deletionId)]).toEqual([undefined, ['timer'], 'Completed']);
    expect((await owner.finish('PUT', hsmPath(name), newHsm())).status).toBe(200);
  });

  test('under purge protection nobody purges it before, and the timer does at its date', async () => {
    await using({ disabled: ['sweep'] });
    await owner.finish('PUT', hsmPath('protected'), newHsm());
    await owner.finish('PATCH', hsmPath('protected'), { properties: { enablePurgeProtection: true } });
    const deletionId = await deletedOnce('protected');
    for (const later of ['P1D', 'P5D']) {
      await advance(later);
      const refused = await owner.send('POST', `${deletedPath('protected')}/purge`);
      expect([refused.status, refused.json.error]).toEqual([405, { code: 'MethodNotAllowed', message: "Operation 'DeletedManagedHsmPurge' is not allowed." }]);
    }
    expect((await owner.send('GET', deletedPath('protected'))).json.properties.purgeProtectionEnabled).toBe(true);
    await advance('P1DT5M');
    expect([await record('protected'), await purgers('protected'), await statusOf(deletionId)]).toEqual([undefined, ['timer'], 'Completed']);
    await expectUnseen('protected');
  });
});

test('a timer that was ended by hand, or lost: the sweeper does it', async () => {
  await using({});
  const [terminated, lost] = [await deleted('by-hand'), await deleted('lost-timer')];
  await using({}, async () => {
    await observed.instances.terminate(terminated);
    await observed.instances.forget(lost);
  });
  await advance('P6D');
  expect([await statusOf(terminated), await statusOf(lost)]).toEqual(['Terminated', undefined]);
  expect([await shown('GET', deletedPath('by-hand')), await shown('GET', deletedPath('lost-timer'))]).toEqual([200, 200]);
  await advance('P1D');
  await advance('PT15M');
  expect([await record('by-hand'), await purgers('by-hand')]).toEqual([undefined, ['sweeper']]);
  expect([await record('lost-timer'), await purgers('lost-timer')]).toEqual([undefined, ['sweeper']]);
});

test('neither timer nor sweeper: unseen at its date, its name free, and the row goes with the first sweep', async () => {
  await using({ disabled: ['sweep', 'purgeAtDeadline'] });
  await deleted('unattended');
  await using({ disabled: ['sweep', 'lookAtDeletion'] });
  const hanging = await deleted('unanswered');
  await deleted('reused');
  await advance('P8D');
  for (const name of ['unattended', 'unanswered', 'reused']) {
    await expectUnseen(name);
    expect(await record(name)).toBeDefined();
  }
  expect(await statusOf(hanging)).toBe('Running');
  expect((await owner.finish('PUT', hsmPath('reused'), newHsm())).status).toBe(200);
  expect(await purgers('reused')).toEqual(['create']);
  await using({ disabled: ['purgeAtDeadline', 'lookAtDeletion'] });
  await advance('PT15M');
  expect([await record('unattended'), await purgers('unattended')]).toEqual([undefined, ['sweeper']]);
  expect([await record('unanswered'), await purgers('unanswered')]).toEqual([undefined, ['sweeper']]);
  expect(await shown('GET', hsmPath('reused'))).toBe(200);
});

test('recovered on day 6, it is there on day 8 and on day 100, and its timer has ended', async () => {
  await using({});
  const deletionId = await deleted('recovered');
  await advance('P6D');
  expect((await owner.finish('PUT', hsmPath('recovered'), recovering)).status).toBe(200);
  await advance('PT0S');
  expect(await statusOf(deletionId)).toBe('Terminated');
  for (const later of ['P2D', 'P92D']) {
    await advance(later);
    expect([await shown('GET', hsmPath('recovered')), await purgers('recovered')]).toEqual([200, []]);
  }
  expect(await statusOf(deletionId)).toBeUndefined(); // what ended over 30 days ago is not kept
});

test('deleted twice: the timer of the first deletion, though it lives on, harms nothing', async () => {
  await using({ disabled: ['sweep'] });
  const first = await deleted('twice');
  await advance('P3D');
  const running = await observed.instances.one(first);
  expect((await owner.finish('PUT', hsmPath('twice'), recovering)).status).toBe(200);
  const second = await deletedOnce('twice');
  await using({ disabled: ['sweep'] }, () => observed.instances.restore(running as NonNullable<typeof running>));
  await advance('P4DT5M'); // the first deadline has passed
  expect([await statusOf(first), await statusOf(second), await shown('GET', deletedPath('twice'))]).toEqual(['Completed', 'Running', 200]);
  await advance('P3D');
  expect([await statusOf(second), await record('twice'), await purgers('twice')]).toEqual(['Completed', undefined, ['timer']]);
});

test('days that last a second: purged without anybody moving a clock', async () => {
  await using({ env: { SECONDS_PER_RETENTION_DAY: '1' }, timersEarly: true, disabled: ['sweep'] });
  const deletionId = await deleted('short-days');
  const { deletionDate, scheduledPurgeDate } = (await owner.send('GET', deletedPath('short-days'))).json.properties;
  expect(Date.parse(scheduledPurgeDate) - Date.parse(deletionDate)).toBe(7000);
  for (let polls = 0; polls < 400 && (await statusOf(deletionId)) !== 'Completed'; polls++) await new Promise((resolve) => setTimeout(resolve, 250));
  expect([await record('short-days'), await purgers('short-days'), await statusOf(deletionId)]).toEqual([undefined, ['timer'], 'Completed']);
});

test('what a purged HSM owned is erased page by page, nothing else is, and its debt goes only with a sweep after two time-outs', async () => {
  await using({ env: { ERASE_PAGE_ROWS: '10', FUNCTION_TIMEOUT_SECONDS: '5' } });
  const debts = async () => (await observed.storage.rows('hsms', 'owner-of-rows')).filter(({ rowKey }) => rowKey.startsWith('gone!'));
  await deleted('owner-of-rows');
  const incarnation = String((await record('owner-of-rows'))?.incarnation);
  const other = '77777777-7777-4777-8777-777777777777';
  const names = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${String(n).padStart(3, '0')}`);
  await observed.storage.insert('keys', incarnation, [...names('k!', 20), ...names('v!', 5), 'guard', 'open']);
  await observed.storage.insert('hsms', 'owner-of-rows', [...names('a!', 11), ...names('d!', 2), ...names('s!', 12)], { incarnation });
  await observed.storage.insert('hsms', 'owner-of-rows', names('a!other', 2), { incarnation: other });
  await observed.storage.insert('keys', other, names('k!', 3));

  standStill();
  const before = observed.proxy.requests.length;
  expect((await owner.finish('POST', `${deletedPath('owner-of-rows')}/purge`)).status).toBe(200);
  await advance('PT0S');
  expect(await observed.storage.rows('keys', incarnation)).toEqual([]);
  expect((await observed.storage.rows('hsms', 'owner-of-rows')).map(({ rowKey }) => rowKey)).toEqual(['a!other000', 'a!other001', `gone!${incarnation}`]);
  expect((await observed.storage.rows('keys', other)).length).toBe(3);
  const pages = observed.proxy.requests.slice(before).map(({ path, body }) => (path.includes('$batch') ? (body.match(/^DELETE /gm)?.length ?? 0) : 0));
  expect(pages.filter((rows) => rows > 1)).toEqual([10, 10, 7, 10, 4, 10, 2]); // 27 keys' rows, 14 assignments with the administrator's and definitions, 12 at keys

  const writtenAt = Date.parse((await debts())[0]?.timestamp ?? '');
  const sweepAt = async (seconds: number) => {
    observed.proxy.setDate(new Date(Math.floor(writtenAt / 1000 + seconds) * 1000));
    await advance('PT15M');
    return debts();
  };
  expect((await sweepAt(9)).map(({ by }) => by)).toEqual(['caller']);
  expect(await sweepAt(10)).toEqual([]);
  expect((await observed.storage.rows('hsms', 'owner-of-rows')).length).toBe(2);
  expect(await observed.storage.queues()).toEqual(['managed-hsm-cleanup']);
});
