// The app's real orchestrator and activity, registered with a core of the embedded host's, but for the composition root: in its place stands a mailbox through which a run answers the activity's question.
import { join } from 'node:path';
import { createFunctionsCore, type HostCore } from '../../../local/host/functionsCore';
import type { Timer } from '../../../shared/domain/plan';
import type { LookAnswer } from '../../../shared/service/retention';

/** Who answers `lookAtDeletion` just now: the run that is being played. */
export const mailbox: { ask: (timer: Timer) => Promise<LookAnswer> } = {
  ask: () => Promise.reject(new Error('no run is being played')),
};

/** What the orchestrator's file imports from `shared/app`. */
export const appInItsPlace = {
  PURGE_AT_DEADLINE: 'purgeAtDeadline',
  ready: async (): Promise<void> => undefined,
  retentionService: () => ({ look: (timer: Timer) => mailbox.ask(timer) }),
};

export const createCore = (): HostCore => createFunctionsCore({ log: () => undefined, timeoutMs: undefined, isDisabled: () => false });

/** Loads `functions/purgeAtDeadline` of a compiled tree. Once per process and tree: functions register themselves. */
export function loadOrchestrator(tree: string): HostCore {
  const core = createCore();
  core.install();
  const app = require.resolve(join(tree, 'shared', 'app'));
  require.cache[app] = Object.assign(Object.create(module) as NodeJS.Module, { id: app, filename: app, loaded: true, exports: appInItsPlace });
  require(join(tree, 'functions', 'purgeAtDeadline'));
  return core;
}
