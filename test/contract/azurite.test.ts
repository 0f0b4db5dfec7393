// The storage of the emulator as a child process: what it holds outlives it, its account key does not.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAzurite } from '../../local/azurite';
import { tables } from '../../shared/adapters/tables';

const open = (connectionString: string) => tables({ connectionString }, { offsetSeconds: () => 0 });

test('what was stored is there after a stop and a start on the same folder, with another key', async () => {
  const location = await mkdtemp(join(tmpdir(), 'azurite-test-'));
  try {
    const first = await startAzurite({ location });
    const { store, createTables } = open(first.connectionString);
    await createTables();
    expect(await store.transact({ table: 'hsms', partition: 'contoso', writes: [{ kind: 'insert', row: '!hsm', value: { name: 'Contoso' } }] })).toEqual({ kind: 'stored' });
    await first.stop();
    const second = await startAzurite({ location });
    try {
      expect(second.connectionString).not.toBe(first.connectionString);
      expect((await open(second.connectionString).store.row('hsms', 'contoso', '!hsm')).found?.value).toEqual({ name: 'Contoso' });
      const oldKey = first.connectionString.replace(`:${first.ports.table}/`, `:${second.ports.table}/`);
      await expect(open(oldKey).store.row('hsms', 'contoso', '!hsm')).rejects.toMatchObject({ error: 'Unavailable' });
    } finally {
      await second.stop();
    }
  } finally {
    await rm(location, { recursive: true, force: true });
  }
}, 60_000);
