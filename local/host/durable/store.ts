/**
 * Where instances are kept: one JSON file each, replaced as a whole (temporary file, flush, rename), so that a process killed at any point
 * finds each instance as it was before or after a step. The history of a finished instance lies in a file of its own, which start does not read.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { HistoryEvent } from './protocol';

export type RuntimeStatus = 'Pending' | 'Running' | 'Suspended' | 'Completed' | 'Failed' | 'Terminated';

/** An activity that was asked for and has no result yet: it is run again after a restart. */
export type OpenActivity = { readonly taskId: number; readonly name: string; readonly input: unknown };

/** A timer that was created and has not fired; instants as in the history. */
export type OpenTimer = { readonly timerId: number; readonly fireAt: string; readonly createdAt: string };

export type InstanceRecord = {
  readonly instanceId: string;
  readonly name: string;
  readonly executionId: string;
  readonly generation: number;
  readonly status: RuntimeStatus;
  readonly createdAt: string;
  readonly lastUpdatedAt: string;
  /** JSON text, or null for none. */
  readonly input: string | null;
  readonly output: unknown;
  readonly customStatus: unknown;
  /** Empty once finished. */
  readonly history: readonly HistoryEvent[];
  /** Events that arrived and are in no episode yet. */
  readonly inbox: readonly HistoryEvent[];
  /** The first events of an execution that continueAsNew began; its episode needs nothing else to start. */
  readonly begun: readonly HistoryEvent[];
  readonly activities: readonly OpenActivity[];
  readonly timers: readonly OpenTimer[];
};

export type InstanceStore = {
  /** All instances, at start. Throws if a file is not what this store wrote. */
  load(): Promise<readonly InstanceRecord[]>;
  /** Durable when it resolves; saves of one instance take effect in the order of the calls. */
  save(record: InstanceRecord): Promise<void>;
  /** Keeps the history of an instance that is about to be finished. */
  saveHistory(instanceId: string, history: readonly HistoryEvent[]): Promise<void>;
  history(instanceId: string): Promise<readonly HistoryEvent[]>;
  remove(instanceId: string): Promise<void>;
};

export function memoryStore(): InstanceStore {
  const histories = new Map<string, readonly HistoryEvent[]>();
  return {
    load: async () => [],
    save: async () => {},
    saveHistory: async (instanceId, history) => {
      histories.set(instanceId, history);
    },
    history: async (instanceId) => histories.get(instanceId) ?? [],
    remove: async (instanceId) => {
      histories.delete(instanceId);
    },
  };
}

const FORMAT = 'durable-instances-1';
const MARKER = 'hub.json';
const LOADED_AT_ONCE = 64;

async function replaceFile(path: string, text: string): Promise<void> {
  const file = await open(`${path}.tmp`, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(`${path}.tmp`, path);
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

const readMarker = (dir: string): Promise<string | undefined> =>
  readFile(join(dir, MARKER), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });

/** Writes the marker into an empty folder; refuses a folder of another hub, another format, or with files of somebody else's. */
async function claim(dir: string, hubName: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const wanted = JSON.stringify({ format: FORMAT, hubName });
  const marker = await readMarker(dir);
  if (marker === wanted) return;
  if (marker !== undefined) throw new Error(`${join(dir, MARKER)} is not that of the task hub '${hubName}' in the format ${FORMAT}: ${marker.slice(0, 200)}`);
  const [foreign] = (await readdir(dir)).filter((name) => name !== `${MARKER}.tmp`);
  if (foreign) throw new Error(`${dir} is no folder of Durable instances: it has no ${MARKER} but ${foreign}`);
  await replaceFile(join(dir, MARKER), wanted);
}

const isRecord = (value: unknown): value is InstanceRecord => {
  const record = value as Partial<InstanceRecord> | null;
  return (
    typeof record?.instanceId === 'string' &&
    typeof record.name === 'string' &&
    typeof record.status === 'string' &&
    [record.history, record.inbox, record.begun, record.activities, record.timers].every(Array.isArray)
  );
};

async function readInstance(dir: string, name: string, nameOf: (instanceId: string) => string): Promise<InstanceRecord> {
  let record: unknown;
  try {
    record = JSON.parse(await readFile(join(dir, name), 'utf8'));
  } catch (error) {
    throw new Error(`The Durable instance file ${join(dir, name)} is corrupted: ${(error as Error).message}`);
  }
  if (!isRecord(record) || nameOf(record.instanceId) !== name) throw new Error(`${join(dir, name)} is no Durable instance file of this host`);
  return record;
}

/** Instances in `dir`, which belongs to one task hub and one process at a time. */
export function fileStore(dir: string, hubName: string): InstanceStore {
  // Ids may hold characters and letter cases that file systems do not tell apart.
  const fileOf = (instanceId: string) => `${createHash('sha256').update(instanceId).digest('hex').slice(0, 40)}.json`;
  const historyOf = (instanceId: string) => `${fileOf(instanceId)}.history`;
  const writing = new Map<string, Promise<void>>();
  const inOrder = (instanceId: string, write: () => Promise<void>): Promise<void> => {
    const done = (writing.get(instanceId) ?? Promise.resolve()).catch(() => {}).then(write);
    writing.set(instanceId, done);
    return done.finally(() => {
      if (writing.get(instanceId) === done) writing.delete(instanceId);
    });
  };
  return {
    async load() {
      await claim(dir, hubName);
      const files = (await readdir(dir)).filter((name) => name !== MARKER && !name.endsWith('.history'));
      const records: InstanceRecord[] = [];
      for (let at = 0; at < files.length; at += LOADED_AT_ONCE) {
        const some = files.slice(at, at + LOADED_AT_ONCE);
        await Promise.all(some.filter((name) => name.endsWith('.tmp')).map((name) => rm(join(dir, name))));
        records.push(...(await Promise.all(some.filter((name) => !name.endsWith('.tmp')).map((name) => readInstance(dir, name, fileOf)))));
      }
      return records;
    },
    save(record) {
      const text = JSON.stringify(record);
      return inOrder(record.instanceId, () => replaceFile(join(dir, fileOf(record.instanceId)), text));
    },
    saveHistory(instanceId, history) {
      const text = JSON.stringify(history);
      return inOrder(instanceId, () => replaceFile(join(dir, historyOf(instanceId)), text));
    },
    async history(instanceId) {
      try {
        return JSON.parse(await readFile(join(dir, historyOf(instanceId)), 'utf8')) as readonly HistoryEvent[];
      } catch (error) {
        if (isMissing(error)) return [];
        throw error;
      }
    },
    remove: (instanceId) =>
      inOrder(instanceId, async () => {
        // The instance first: without it the history is never read.
        await rm(join(dir, fileOf(instanceId)), { force: true });
        await rm(join(dir, historyOf(instanceId)), { force: true });
      }),
  };
}
