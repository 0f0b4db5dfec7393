// Long-running operations that take their time: what is shown and refused while one is under way, to the second. The storage's clock stands still, so that only the test moves it.
import type { Reply } from '../kit/client';
import { type ObservedService, startObservedService } from '../kit/observedService';
import { deletedList, deletedPath, groupPath, hsmPath, newHsm, recovering } from '../kit/resources';

jest.setTimeout(120_000); // a slow machine is no failure

let observed: ObservedService;
let owner: ReturnType<ObservedService['service']['as']>;
const at = (instant: string) => observed.proxy.setDate(new Date(instant));
const advance = (seconds: number) => observed.service.clock({ advance: `PT${seconds}S` });
const shown = ({ status, json }: Reply) => (json?.error ? `${status} ${json.error.code}` : status);
const poll = (reply: Reply): Promise<Reply> => {
  const { pathname, search } = new URL(String(reply.headers.location));
  return owner.send('GET', pathname + search);
};
const conflict = '409 Conflict';

beforeAll(async () => {
  observed = await startObservedService({ env: { LRO_SECONDS: '3600' } });
  owner = observed.service.as('owner');
  at('2027-01-01T00:00:00Z');
  await owner.send('PUT', groupPath(), { location: 'westus' });
});
afterAll(() => observed.stop());
afterEach(() => expect(observed.faults()).toEqual([]));

/** 202 and no body a second before the end, then `status`; each 202 brings a Location that can be polled in its place. */
async function endsAfter(reply: Reply, seconds: number): Promise<Reply> {
  expect([reply.status, reply.text]).toEqual([202, '']);
  let last = reply;
  for (const step of [0, seconds - 1]) {
    await advance(step);
    last = await poll(last);
    expect([last.status, last.text, last.headers['retry-after']]).toEqual([202, '', '1']);
  }
  await advance(1);
  return poll(last);
}

/** Every command on an HSM but purge. */
const commands = async (name: string) =>
  [
    await owner.send('PUT', hsmPath(name), newHsm()),
    await owner.send('PATCH', hsmPath(name), { tags: {} }),
    await owner.send('PUT', hsmPath(name), recovering),
    await owner.send('DELETE', hsmPath(name)),
  ].map(shown);

test('while it is created an HSM is shown provisioning, and takes no command', async () => {
  const created = await owner.send('PUT', hsmPath('slow'), newHsm());
  const state = async () => {
    const { properties } = (await owner.send('GET', hsmPath('slow'))).json;
    return [properties.provisioningState, properties.statusMessage, properties.securityDomainProperties.activationStatus];
  };
  expect(await state()).toEqual(['Provisioning', 'Resource creation in progress. Allocating hardware...', 'Unknown']);
  expect(await commands('slow')).toEqual(Array(4).fill(conflict));
  expect(shown(await owner.send('POST', `${deletedPath('slow')}/purge`))).toBe('404 ResourceNotFound');
  await advance(3599);
  expect(await state()).toEqual(['Provisioning', 'Resource creation in progress. Starting service...', 'Unknown']);
  expect([(await poll(created)).status, (await commands('slow'))[3]]).toEqual([202, conflict]);
  await advance(1);
  expect(await state()).toEqual(['Succeeded', 'The Managed HSM is provisioned and ready to use.', 'Active']);
  const done = await poll(created);
  expect([done.status, done.text]).toEqual([200, (await owner.send('GET', hsmPath('slow'))).text]);
});

test('an update, a deletion and a recovery close the HSM to commands until they have ended; a purge waits for none', async () => {
  await endsAfter(await owner.send('PUT', hsmPath('busy'), newHsm()), 3600);
  const updating = await owner.send('PATCH', hsmPath('busy'), { tags: { a: 'b' } });
  expect((await owner.send('GET', hsmPath('busy'))).json.properties.provisioningState).toBe('Updating');
  expect(await commands('busy')).toEqual(Array(4).fill(conflict));
  expect((await endsAfter(updating, 3600)).json).toMatchObject({ name: 'busy', tags: { a: 'b' }, properties: { provisioningState: 'Succeeded' } });

  const deleting = await owner.send('DELETE', hsmPath('busy'));
  expect([shown(await owner.send('GET', hsmPath('busy'))), (await owner.send('GET', deletedPath('busy'))).status]).toEqual(['404 ResourceNotFound', 200]);
  const [put, patch, recover, remove] = await commands('busy');
  expect([put, patch, recover, remove]).toEqual([conflict, '404 ResourceNotFound', conflict, conflict]);
  expect(await endsAfter(deleting, 3600)).toMatchObject({ status: 200, text: '' });

  const recovery = await owner.send('PUT', hsmPath('busy'), recovering);
  expect(await commands('busy')).toEqual(Array(4).fill(conflict));
  expect((await endsAfter(recovery, 3600)).json).toMatchObject({ name: 'busy', tags: { a: 'b' } });

  // A purge is taken in the middle of the deletion, and its name is free in the middle of the purge.
  const again = await owner.send('DELETE', hsmPath('busy'));
  const purging = await owner.send('POST', `${deletedPath('busy')}/purge`);
  expect([purging.status, (await poll(purging)).status, shown(await owner.send('GET', deletedPath('busy')))]).toEqual([202, 202, '404 ResourceNotFound']);
  expect((await owner.send('PUT', hsmPath('busy'), newHsm())).status).toBe(202);
  expect(await endsAfter(purging, 3600)).toMatchObject({ status: 200, text: '' });
  expect(await poll(again)).toMatchObject({ status: 200, text: '' });
});

test('the result of a creation whose HSM is deleted or purged meanwhile is 404, also when another has its name', async () => {
  const created = await owner.send('PUT', hsmPath('fleeting'), newHsm());
  expect((await endsAfter(created, 3600)).status).toBe(200);
  await owner.send('DELETE', hsmPath('fleeting'));
  const gone = await poll(created);
  expect([gone.status, gone.json.error]).toEqual([
    404,
    {
      code: 'ResourceNotFound',
      message:
        "The Resource 'Microsoft.KeyVault/managedHSMs/fleeting' under resource group 'rg1' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    },
  ]);
  await owner.send('POST', `${deletedPath('fleeting')}/purge`);
  expect((await endsAfter(await owner.send('PUT', hsmPath('fleeting'), newHsm()), 3600)).status).toBe(200);
  expect(shown(await poll(created))).toBe('404 ResourceNotFound');
});

test('whoever may see the HSM may see the result, and an altered address tells nothing', async () => {
  const created = await owner.send('PUT', hsmPath('results'), newHsm());
  await endsAfter(created, 3600);
  const { pathname, search } = new URL(String(created.headers.location));
  const ask = async (principal: string, path: string) => shown(await observed.service.as(principal).send('GET', path));
  expect([await ask('contributor', pathname + search), await ask('auditor', pathname + search), await ask('nobody', pathname + search)]).toEqual([
    200,
    200,
    '403 AuthorizationFailed',
  ]);
  const forged = [
    pathname.replace(/[0-9a-f-]{36}$/, '00000000-0000-4000-8000-000000000000') + search,
    pathname.replace(/[0-9a-f-]{36}$/, 'no-guid') + search,
    pathname.replace('/westus/', '/eastus/') + search,
    pathname + search.replace('operation=create', 'operation=nothing'),
    pathname + search.replace(/readyAt=\d+/, 'readyAt=soon'),
    pathname + search.replace('name=results', 'name=slow'),
  ];
  expect(await Promise.all(forged.map((path) => ask('owner', path)))).toEqual(Array(6).fill('404 ResourceNotFound'));
});

test('a group that is deleted while an HSM in it is being made takes it along when it is ready', async () => {
  await owner.send('PUT', groupPath('rg-late'), { location: 'westus' });
  await owner.send('PUT', hsmPath('latecomer', 'rg-late'), newHsm());
  expect((await owner.send('DELETE', groupPath('rg-late'))).status).toBe(202);
  expect(shown(await owner.send('GET', hsmPath('latecomer', 'rg-late')))).toBe('404 ResourceGroupNotFound');
  expect((await owner.send('GET', deletedList())).text).not.toContain('latecomer');
  await advance(3600);
  await advance(900);
  expect((await owner.send('GET', deletedList())).text).toContain('latecomer');
});

test('recorded: each operation takes as long as it took the real service', async () => {
  await observed.restart({ env: { LRO_SECONDS: 'recorded' } });
  const create = await endsAfter(await owner.send('PUT', hsmPath('recorded'), newHsm()), 640);
  const update = await endsAfter(await owner.send('PUT', hsmPath('recorded'), newHsm()), 245);
  const remove = await endsAfter(await owner.send('DELETE', hsmPath('recorded')), 257);
  const recover = await endsAfter(await owner.send('PUT', hsmPath('recorded'), recovering), 217);
  await endsAfter(await owner.send('DELETE', hsmPath('recorded')), 257);
  const purge = await endsAfter(await owner.send('POST', `${deletedPath('recorded')}/purge`), 155);
  expect([create, update, remove, recover, purge].map(({ status, json }) => [status, json?.name])).toEqual([
    [200, 'recorded'],
    [200, 'recorded'],
    [200, undefined],
    [200, 'recorded'],
    [200, undefined],
  ]);
});
