// The two rows that keep purges by hand away from a protected HSM's keys, as they are read.
import type { Fence } from '../domain/key';
import type { Value } from '../domain/plan';
import { GUARD_ROW, OPEN_ROW } from '../domain/rows';
import type { Store } from '../ports';

export async function readFence(store: Store, incarnation: string): Promise<Fence> {
  // The guard first: whoever changes whether `open` is there writes the guard too, so a pair that does not belong together fails on the guard.
  const guard = await store.row<Value>('keys', incarnation, GUARD_ROW);
  const open = await store.row<Value>('keys', incarnation, OPEN_ROW);
  return { guard: guard.found, open: open.found };
}
