// Loads the services that a simulation runs from a folder that is given, so that a mutated copy can stand in for the build. The simulator's own types come from the sources.
import { join, resolve } from 'node:path';

/** Beside this file's own tree: the sources under Jest, `dist` when compiled. */
const OWN_TREE = join(__dirname, '..', '..', '..');

export type CodeUnderTest = ReturnType<typeof loadCode>;

/** @param tree a folder that holds `shared/`, compiled; the tree that this file stands in by default. */
export function loadCode(tree: string = OWN_TREE) {
  const load = (name: string): unknown => require(join(resolve(tree), 'shared', name));
  return {
    tree: resolve(tree),
    hsms: (load('service/hsms') as typeof import('../../../shared/service/hsms')).hsms,
    groups: (load('service/groups') as typeof import('../../../shared/service/groups')).groups,
    retention: (load('service/retention') as typeof import('../../../shared/service/retention')).retention,
    refuse: (load('domain/errors') as typeof import('../../../shared/domain/errors')).refuse,
  };
}
