// A service whose storage and timers a test can look into: a proxy between it and Azurite that sets the storage's clock and counts requests, the tables, the state of the Durable instances.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAzurite } from '../../local/azurite';
import { durableInstances } from './durableInstances';
import { type Service, type ServiceOptions, startService } from './service';
import { openStorage } from './storage';
import { type StorageProxy, startStorageProxy } from './storageProxy';

export type ObservedService = {
  readonly service: Service;
  readonly proxy: StorageProxy;
  readonly storage: ReturnType<typeof openStorage>;
  readonly instances: ReturnType<typeof durableInstances>;
  /** kill -9 of the host, `meanwhile`, and a new start with other settings. */
  restart(changes?: Partial<ServiceOptions>, meanwhile?: () => Promise<void>): Promise<void>;
  /** Lines of the host about what nobody caught, or what only the service's one catch did: none is wanted, ever. */
  faults(): readonly string[];
  stop(): Promise<void>;
};

const FAULT = /Unhandled rejection|Uncaught exception|\bunexpected \w*Error|\bFunctions\.\w+ failed/;

/** Wants dist to be built. */
export async function startObservedService(options: Omit<ServiceOptions, 'connectionString'> = {}): Promise<ObservedService> {
  const azurite = await startAzurite();
  const proxy = await startStorageProxy(azurite);
  const stateDir = await mkdtemp(join(tmpdir(), 'managed-hsm-test-'));
  const service = await startService({ ...options, connectionString: proxy.connectionString, env: { ...options.env, HOST_STATE_DIR: stateDir } });
  return {
    service,
    proxy,
    storage: openStorage(azurite.connectionString),
    instances: durableInstances(stateDir),
    async restart(changes = {}, meanwhile = async () => {}) {
      await service.kill();
      await meanwhile();
      await service.start(changes);
    },
    faults: () =>
      service
        .output()
        .split('\n')
        .filter((line) => FAULT.test(line)),
    async stop() {
      await service.stop();
      await proxy.stop();
      await azurite.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}
