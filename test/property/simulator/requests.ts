// What clients ask for: few names, groups and locations, so that they meet; mostly the right path, now and then another's.
import type { HsmRequest } from '../../../shared/domain/hsmSettings';
import type { ClientTask, Where } from './commands';
import { pickWeighted } from './random';
import type { World } from './world';

const NAMES = ['alpha', 'beta'];
const ADMINISTRATORS = ['00000000-0000-4000-8000-000000000001'];
export const HOME: Where = { subscription: 's1', group: 'g1', location: 'westus', name: 'alpha' };

/** The groups that stand when a run begins. */
export const GROUPS = [
  { subscription: 's1', group: 'g1' },
  { subscription: 's1', group: 'g2' },
  { subscription: 's2', group: 'g1' },
];

export function anyTask(world: World): ClientTask {
  const kind = pickWeighted(world.random, world.profile.commands);
  const where = anyWhere(world);
  return taskOf(kind, where, {
    item: kind === 'list' ? world.random.pick(['group', '']) : world.random.pick(['0', '0', '0', 'z']),
    limit: world.random.chance(0.3) ? 1 : 0,
    request: anyRequest(world, kind, where),
  });
}

export const taskOf = (kind: ClientTask['kind'], where: Where, more: Partial<ClientTask> = {}): ClientTask => ({
  kind,
  where,
  item: '0',
  limit: 0,
  request: { recover: kind === 'recover', location: where.location, administrators: ADMINISTRATORS, ...(kind === 'protect' && { purgeProtection: true }) },
  ...more,
});

/** Part of a life, in its order: what others get done while someone is stalled. */
export function lifeOf(world: World): readonly ClientTask[] {
  const { random } = world;
  const life = ['put', 'grant', 'remove', random.chance(0.5) ? 'purge' : 'recover', 'put', 'grant', 'keyCreate', 'remove', 'purge'] as const;
  const state = world.history.hsms.get('alpha')?.at(-1)?.value;
  const from = !state ? 0 : state.deletion ? 3 : 2;
  return life.slice(from, from + 1 + random.below(5)).map((kind) => taskOf(kind, HOME, { item: '0' }));
}

/** The record's own path, most of the time. */
function anyWhere({ random, profile, history }: World): Where {
  const name = NAMES[random.below(profile.names)] as string;
  const record = history.hsms.get(name)?.at(-1)?.value;
  const own: Where = record ? { name, subscription: record.subscription, group: record.group, location: record.settings.location } : { ...HOME, name };
  if (!random.chance(0.12)) return own;
  return { name, subscription: random.pick(['s1', 's1', 's2']), group: random.pick(['g1', 'g2']), location: random.pick(['westus', 'westus', 'eastus']) };
}

function anyRequest({ random }: World, kind: ClientTask['kind'], { location }: Where): HsmRequest {
  const common = { recover: kind === 'recover', ...(kind !== 'patch' && { location }), ...(kind === 'put' && { administrators: ADMINISTRATORS }) };
  return {
    ...common,
    ...(kind === 'protect' && { administrators: ADMINISTRATORS, purgeProtection: true }),
    ...(kind === 'put' && random.chance(0.7) && { retentionDays: random.pick([7, 7, 8, 30, 90]) }),
    ...((kind === 'put' || kind === 'patch') && random.chance(0.1) && { purgeProtection: random.chance(0.5) }),
    ...((kind === 'put' || kind === 'patch') && { tags: { v: String(random.below(3)) } }),
  };
}
