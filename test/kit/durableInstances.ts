// The Durable instances of an embedded host, read from its state folder: the engine's own API hides behind an unguessable path. What changes them wants the host to be down, as an operator's hand or a lost hub would find it.
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventType, type HistoryEvent, historyEvent } from '../../local/host/durable/protocol';
import type { InstanceRecord } from '../../local/host/durable/store';

/** @param stateDir the host's HOST_STATE_DIR */
export function durableInstances(stateDir: string) {
  const folder = join(stateDir, 'durable');

  async function files(): Promise<readonly { readonly file: string; readonly record: InstanceRecord }[]> {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.json') && name !== 'hub.json');
    return Promise.all(names.sort().map(async (name) => ({ file: join(folder, name), record: JSON.parse(await readFile(join(folder, name), 'utf8')) as InstanceRecord })));
  }

  async function fileOf(instanceId: string): Promise<{ readonly file: string; readonly record: InstanceRecord }> {
    const found = (await files()).find(({ record }) => record.instanceId === instanceId);
    if (!found) throw new Error(`no instance ${instanceId}`);
    return found;
  }

  return {
    all: async (): Promise<readonly InstanceRecord[]> => (await files()).map(({ record }) => record),

    one: async (instanceId: string): Promise<InstanceRecord | undefined> => (await files()).find(({ record }) => record.instanceId === instanceId)?.record,

    /** Everything that has happened to an instance, finished or not. */
    async history(instanceId: string): Promise<readonly HistoryEvent[]> {
      const { file, record } = await fileOf(instanceId);
      return record.history.length > 0 ? record.history : (JSON.parse(await readFile(`${file}.history`, 'utf8')) as HistoryEvent[]);
    },

    /** Puts a terminate into the instance's inbox, as the management API does for an operator; it takes effect when the host starts. The host must be down. */
    async terminate(instanceId: string): Promise<void> {
      const { file, record } = await fileOf(instanceId);
      const terminated = historyEvent({ EventType: eventType.executionTerminated, Input: 'by hand' }, record.lastUpdatedAt);
      await writeFile(file, JSON.stringify({ ...record, inbox: [...record.inbox, terminated] }));
    },

    /** Puts an instance back as it was. The host must be down. */
    restore: async (record: InstanceRecord): Promise<void> => writeFile((await fileOf(record.instanceId)).file, JSON.stringify(record)),

    /** Loses the instance altogether. The host must be down. */
    forget: async (instanceId: string): Promise<void> => rm((await fileOf(instanceId)).file),
  };
}
