// Loads the services that a simulation runs from a folder that is given, so that a mutated copy can stand in for the build. The simulator's own types come from the sources.
import { join, resolve } from 'node:path';
import type { HostCore } from '../../../local/host/functionsCore';
import { loadOrchestrator } from './orchestrator';

/** Beside this file's own tree: the sources under Jest, `dist` when compiled. */
const OWN_TREE = join(__dirname, '..', '..', '..');

/** The registered orchestrator and activity, and how to invoke them. */
export type EngineCode = Pick<HostCore, 'functions' | 'invoke'>;

export type CodeUnderTest = ReturnType<typeof loadCode>;

/**
 * @param tree a folder that holds `shared/` and `functions/`, compiled; the tree that this file stands in by default.
 * @param orchestrator how to load the orchestrator, where the way of plain Node does not work.
 */
export function loadCode(tree: string = OWN_TREE, orchestrator: () => EngineCode = () => loadOrchestrator(resolve(tree))) {
  let loaded: EngineCode | undefined;
  const load = (name: string): unknown => require(join(resolve(tree), 'shared', name));
  return {
    tree: resolve(tree),
    /** Loaded when it is first asked for: most runs model the engine. */
    orchestrator: (): EngineCode => (loaded ??= orchestrator()),
    hsms: (load('service/hsms') as typeof import('../../../shared/service/hsms')).hsms,
    groups: (load('service/groups') as typeof import('../../../shared/service/groups')).groups,
    keys: (load('service/keys') as typeof import('../../../shared/service/keys')).keys,
    rights: (load('service/rights') as typeof import('../../../shared/service/rights')).rights,
    sweeper: (load('service/sweep') as typeof import('../../../shared/service/sweep')).sweeper,
    retention: (load('service/retention') as typeof import('../../../shared/service/retention')).retention,
    refuse: (load('domain/errors') as typeof import('../../../shared/domain/errors')).refuse,
  };
}
