/**
 * The embedded Durable Functions engine as its callers see it: starting, messaging, showing and purging instances. How they run is in work.ts.
 */
import { randomUUID } from 'node:crypto';
import { isOver } from './episode';
import { stamps } from './instants';
import { clientBinding, startManagementApi } from './managementApi';
import type { DurableFunction, DurableOptions } from './ports';
import type { HistoryEvent } from './protocol';
import { eventType, historyEvent, startedEvent } from './protocol';
import type { InstanceFilter, InstanceStatus } from './status';
import { matches, statusOf } from './status';
import type { InstanceRecord } from './store';
import { fileStore, memoryStore } from './store';
import type { Live } from './work';
import { instancesAtWork } from './work';

type Started = { readonly kind: 'started'; readonly instanceId: string } | { readonly kind: 'exists'; readonly status: InstanceRecord['status'] };
/** What became of a message to an instance: `gone` is finished. */
export type Sent = 'accepted' | 'gone' | 'unknown';

export type Instances = {
  /** `input` is JSON text or null for none. An id in use (pending, running, suspended) is refused; a finished one begins a new life. */
  startNew(name: string, instanceId: string | undefined, input: string | null): Promise<Started>;
  terminate(instanceId: string, reason: string): Promise<Sent>;
  suspend(instanceId: string, reason: string): Promise<Sent>;
  resume(instanceId: string, reason: string): Promise<Sent>;
  /** `data` is JSON text or null for none. */
  raiseEvent(instanceId: string, name: string, data: string | null): Promise<Sent>;
  purge(instanceId: string): Promise<'purged' | 'running' | 'unknown'>;
  /** Removes all that match, RUNNING ONES TOO if the filter does not name states; answers how many. */
  purgeBy(filter: InstanceFilter): Promise<number>;
  get(instanceId: string): InstanceStatus | undefined;
  /** All that match, in the order of their ids. */
  instances(filter?: InstanceFilter): readonly InstanceStatus[];
  history(instanceId: string): Promise<readonly HistoryEvent[]>;
};

export type Durable = Instances & {
  /** Whether the engine runs functions with this trigger. */
  handles(triggerType: string): boolean;
  /** `data.string` of a durableClient input. Throws before `start` and without HTTP. */
  clientBinding(): string;
  /** Opens the management API and takes up what was left: timers, activities, events. */
  start(): Promise<void>;
  /** Begins nothing new, waits for the work in flight to be stored, closes the API. */
  stop(): Promise<void>;
};

const newRecord = (instanceId: string, executionId: string, name: string, input: string | null, generation: number, at: string): InstanceRecord => ({
  ...{ instanceId, name, executionId, generation, status: 'Pending', createdAt: at, lastUpdatedAt: at, input, output: null, customStatus: null },
  ...{ history: [], inbox: [startedEvent({ instanceId, executionId, name, input }, generation, at)], begun: [], activities: [], timers: [] },
});

/**
 * An engine over the functions of `core`. Loads the stored instances and throws if a file is not its own; nothing runs before `start`.
 */
export async function createDurable<F extends DurableFunction>(options: DurableOptions<F>): Promise<Durable> {
  const { clock, log } = options;
  const newId = options.newId ?? randomUUID;
  const stamp = stamps(() => clock.now());
  const store = options.stateDir === undefined ? memoryStore() : fileStore(options.stateDir, options.hubName);
  const work = instancesAtWork(options, store, stamp, newId);
  const { lives } = work;
  for (const record of await store.load()) work.enliven(record);
  let api: Awaited<ReturnType<typeof startManagementApi>> | undefined;

  const send = async (instanceId: string, event: () => HistoryEvent): Promise<Sent> => {
    const live = lives.get(instanceId);
    if (!live) return 'unknown';
    if (isOver(live.record)) return 'gone';
    const arrived = event();
    await clock.track(work.change(live, (record) => ({ ...record, inbox: [...record.inbox, arrived] })));
    work.wake(live);
    return 'accepted';
  };
  const remove = async (live: Live): Promise<void> => {
    lives.delete(live.record.instanceId);
    work.disarmAll(live);
    await clock.track(store.remove(live.record.instanceId));
  };

  const startNew: Instances['startNew'] = async (name, givenId, input) => {
    const instanceId = givenId ?? newId().replaceAll('-', '');
    const earlier = lives.get(instanceId);
    if (earlier && !isOver(earlier.record)) return { kind: 'exists', status: earlier.record.status };
    const live = work.enliven(newRecord(instanceId, newId(), name, input, earlier ? earlier.record.generation + 1 : 0, stamp()));
    try {
      await clock.track(store.save(live.record));
    } catch (error) {
      if (earlier) lives.set(instanceId, earlier);
      else lives.delete(instanceId);
      throw error;
    }
    work.wake(live);
    return { kind: 'started', instanceId };
  };

  const durable: Durable = {
    startNew,
    terminate: (instanceId, reason) => send(instanceId, () => historyEvent({ EventType: eventType.executionTerminated, Input: reason }, stamp())),
    suspend: (instanceId, reason) => send(instanceId, () => historyEvent({ EventType: eventType.executionSuspended, Reason: reason }, stamp())),
    resume: (instanceId, reason) => send(instanceId, () => historyEvent({ EventType: eventType.executionResumed, Reason: reason }, stamp())),
    raiseEvent: (instanceId, name, data) => send(instanceId, () => historyEvent({ EventType: eventType.eventRaised, Name: name, Input: data, ParentTraceContext: null }, stamp())),
    async purge(instanceId) {
      const live = lives.get(instanceId);
      if (!live) return 'unknown';
      if (!isOver(live.record)) return 'running';
      await remove(live);
      return 'purged';
    },
    async purgeBy(filter) {
      const found = [...lives.values()].filter(({ record }) => matches(record, filter));
      for (const live of found) await remove(live);
      return found.length;
    },
    get: (instanceId) => {
      const live = lives.get(instanceId);
      return live && statusOf(live.record);
    },
    instances: (filter = {}) => {
      const found = [...lives.values()].filter(({ record }) => matches(record, filter)).map(({ record }) => statusOf(record));
      return found.sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1));
    },
    history: async (instanceId) => {
      const live = lives.get(instanceId);
      if (!live) return [];
      return isOver(live.record) ? store.history(instanceId) : live.record.history;
    },
    handles: (triggerType) => triggerType === 'orchestrationTrigger' || triggerType === 'activityTrigger',
    clientBinding: () => {
      if (!api) throw new Error('The Durable management API is not running');
      return clientBinding(api.url, options.hubName);
    },
    async start() {
      if (options.http !== false) api = await startManagementApi(durable, log);
      for (const live of [...lives.values()]) work.resume(live);
    },
    async stop() {
      await work.stop();
      await api?.close();
      api = undefined;
    },
  };
  return durable;
}
