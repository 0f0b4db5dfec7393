// What the programs of the keys' scenario brought, made comparable, and what the edge's log says of how their pollers waited.
import type { KeyStep } from './keysScenario';
import type { Outcome } from './scenario';

/** Ids of versions become their numbers in the order of creation, a list of them is sorted, and members that are null are as good as left out. */
export function keysMeasured(steps: readonly KeyStep[], outcomes: readonly Outcome[]): readonly Outcome[] {
  const created = outcomes.filter(({ version }, at) => steps[at]?.do === 'create' && version !== undefined).map(({ version }) => version);
  const numberOf = (version: unknown): number => created.indexOf(version) + 1;
  return outcomes.map((outcome) => {
    const members = Object.entries(outcome).filter(([, value]) => value !== null);
    return Object.fromEntries(
      members.map(([name, value]) => {
        if (name === 'version') return [name, numberOf(value)];
        // Two of one second stand in the order of their ids, which are random.
        return [name, name === 'versions' ? (value as unknown[]).map(numberOf).sort((a, b) => a - b) : value];
      }),
    );
  });
}

type KeyRequest = { readonly method: string; readonly list: string; readonly key: string; readonly status: string };

const isAccepted = ({ method, list, status }: KeyRequest): boolean =>
  status === '200' && ((method === 'DELETE' && list === 'keys') || (method === 'POST' && list === 'deletedkeys'));

/**
 * Deletions and recoveries that were not asked for as often as the table has them, or whose poller saw a 404 where there was no transition, or none where there was one.
 * @param requests lines of the edge's log
 */
export function unriddenTransitions(steps: readonly KeyStep[], requests: readonly string[], hasTransition: boolean): readonly string[] {
  const asked = requests.flatMap((line): readonly KeyRequest[] => {
    const [, method = '', list = '', key = '', status = ''] = /^(\w+) https:\/\/[^/]+\/(keys|deletedkeys)\/([^/?]+)\S* (\d+)$/.exec(line) ?? [];
    return method === '' ? [] : [{ method, list, key, status }];
  });
  const accepted = asked.flatMap((request, at) => (isAccepted(request) ? [{ request, after: asked.slice(at + 1) }] : []));
  const wanted = steps.filter((step) => (step.do === 'delete' || step.do === 'recover') && !('status' in step.expect));
  const counted = accepted.length === wanted.length ? [] : [`${accepted.length} were accepted, the table has ${wanted.length}`];
  return [
    ...counted,
    ...accepted.flatMap(({ request, after }) => {
      const polled = request.list === 'keys' ? 'deletedkeys' : 'keys';
      const polls = after.filter(({ method, list, key, status }) => method === 'GET' && list === polled && key === request.key && status !== '401');
      const waits = polls.findIndex(({ status }) => status === '200');
      return waits >= 0 && waits > 0 === hasTransition ? [] : [`${request.method} ${request.list}/${request.key}: the first 200 was preceded by ${waits} polls`];
    }),
  ];
}
