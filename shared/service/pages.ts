// Ranges read to their end.
import type { Value } from '../domain/plan';
import type { Clocked, Page, Range, Store } from '../ports';

/** Every page of a range; empty pages come too, and only one that names no next is the last. */
export async function* pages<V extends Value>(store: Pick<Store, 'page'>, range: Range, limit: number): AsyncGenerator<Clocked<Page<V>>> {
  let next: string | undefined;
  do {
    const page = await store.page<V>(range, limit, next);
    yield page;
    next = page.found.next;
  } while (next !== undefined);
}
