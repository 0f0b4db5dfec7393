/** What the host itself keeps between runs: the clock's offset and the schedule status of timers. Without a folder it is kept in memory. */
import { join } from 'node:path';
import { readJson, writeAtomically } from './files';
import type { ScheduleStatus, ScheduleStore } from './timers';

export type HostState = {
  /** Undefined: this clock was never moved. */
  readonly offsetMs: number | undefined;
  persistOffset(offsetMs: number): Promise<void>;
  readonly schedules: ScheduleStore;
};

/** Throws an Error that names the file if what is kept cannot be read. */
export async function openState(folder: string | undefined): Promise<HostState> {
  const clockFile = folder === undefined ? undefined : join(folder, 'clock.json');
  const timersFile = folder === undefined ? undefined : join(folder, 'timers.json');
  const clock = clockFile === undefined ? undefined : await readJson(clockFile);
  const offsetMs = (clock as { offsetMs?: unknown } | undefined)?.offsetMs;
  if (clock !== undefined && !Number.isFinite(offsetMs)) throw new Error(`${clockFile} holds no clock offset.`);
  const kept = timersFile === undefined ? undefined : await readJson(timersFile);
  const statuses = new Map(Object.entries((kept ?? {}) as Record<string, ScheduleStatus>));
  let writing: Promise<void> = Promise.resolve();
  return {
    offsetMs: offsetMs as number | undefined,
    persistOffset: async (next) => {
      if (clockFile !== undefined) await writeAtomically(clockFile, JSON.stringify({ offsetMs: next }));
    },
    schedules: {
      read: (name) => statuses.get(name),
      write: (name, status) => {
        statuses.set(name, status);
        if (timersFile === undefined) return Promise.resolve();
        writing = writing.catch(() => undefined).then(() => writeAtomically(timersFile, JSON.stringify(Object.fromEntries(statuses))));
        return writing;
      },
    },
  };
}
