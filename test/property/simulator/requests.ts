// What clients ask for: few names, groups and locations, so that they meet; mostly the right path, now and then another's.
import type { HsmRequest } from '../../../shared/domain/hsmSettings';
import type { ClientTask, KeyTask, Where } from './commands';
import { keyAddress } from './history';
import { pickWeighted } from './random';
import type { World } from './world';

const NAMES = ['alpha', 'beta'];
const KEYS = ['first', 'second'];
const ADMINISTRATORS = ['00000000-0000-4000-8000-000000000001'];
export const HOME: Where = { subscription: 's1', group: 'g1', location: 'westus', name: 'alpha' };

/** The groups that stand when a run begins. */
export const GROUPS = [
  { subscription: 's1', group: 'g1' },
  { subscription: 's1', group: 'g2' },
  { subscription: 's2', group: 'g1' },
];

export function anyTask(world: World): ClientTask | KeyTask {
  const kind = pickWeighted(world.random, world.profile.commands);
  if (isOfKeys(kind)) return anyKeyTask(world, kind);
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

const isOfKeys = (kind: ClientTask['kind'] | KeyTask['kind']): kind is KeyTask['kind'] => kind.startsWith('key');

export const keyTaskOf = (kind: KeyTask['kind'], hsm: string, more: Partial<KeyTask> = {}): KeyTask => ({
  kind,
  hsm,
  key: 'first',
  version: undefined,
  item: '0',
  limit: 0,
  ...more,
});

function anyKeyTask(world: World, kind: KeyTask['kind']): KeyTask {
  const { random, profile } = world;
  const hsm = NAMES[random.below(profile.names)] as string;
  const key = random.chance(0.7) ? 'first' : (KEYS[random.below(profile.keys)] as string);
  const asksVersion = (kind === 'keyGet' || kind === 'keyUpdate') && random.chance(0.5);
  return keyTaskOf(kind, hsm, { key, version: asksVersion ? anyVersion(world, hsm, key) : undefined, item: random.pick(['0', '0', 'z']), limit: random.chance(0.4) ? 1 : 0 });
}

/** One that the key has or had, if there is any. */
function anyVersion({ history, random }: World, hsm: string, key: string): string | undefined {
  const incarnation = history.hsms.get(hsm)?.at(-1)?.value?.incarnation ?? '';
  const ids = (history.keys.get(keyAddress(incarnation, key)) ?? []).flatMap(({ value }) => value?.current.version ?? []);
  return ids.length ? random.pick(ids) : undefined;
}

/** Part of a life, in its order: what others get done while someone is stalled. */
export function lifeOf(world: World): readonly (ClientTask | KeyTask)[] {
  const { random, profile } = world;
  const which = random.below(1000) / 1000;
  if (which < profile.keyLife) return keyLifeOf(world);
  if (which < profile.keyLife + profile.fenceLife) return fenceLifeOf(world);
  const life = ['put', 'grant', 'remove', random.chance(0.5) ? 'purge' : 'recover', 'put', 'grant', 'remove', 'purge'] as const;
  const state = world.history.hsms.get('alpha')?.at(-1)?.value;
  const from = !state ? 0 : state.deletion ? 3 : 2;
  const part = life.slice(from, from + 1 + random.below(4)).map((kind) => taskOf(kind, HOME, { item: '0' }));
  return part.flatMap((task) => (task.kind === 'remove' && random.chance(0.5) ? [keyTaskOf('keyCreate', HOME.name), task] : [task]));
}

/** A key's: with an HSM that is deleted and recovered around it now and then. */
function keyLifeOf({ random, history }: World): readonly (ClientTask | KeyTask)[] {
  const life = ['keyCreate', 'keyCreate', 'keyGrant', 'keyRemove', random.chance(0.5) ? 'keyPurge' : 'keyRecover', 'keyCreate', 'keyGrant', 'keyRemove', 'keyPurge'] as const;
  const hsm = history.hsms.get(HOME.name)?.at(-1)?.value;
  const key = history.keys.get(keyAddress(hsm?.incarnation ?? '', 'first'))?.at(-1)?.value;
  const from = !key ? 0 : key.deletion ? 4 : 1 + random.below(3);
  const part = life.slice(from, from + 1 + random.below(5)).map((kind) => keyTaskOf(kind, HOME.name));
  if (!hsm) return [taskOf('put', HOME), ...part];
  if (hsm.deletion) return [taskOf('recover', HOME), ...part];
  return random.chance(0.15) ? [...part, taskOf('remove', HOME), ...(random.chance(0.6) ? [taskOf('recover', HOME)] : [])] : part;
}

/** Purge protection comes on, or a purge by hand meets it. */
function fenceLifeOf({ random, history }: World): readonly (ClientTask | KeyTask)[] {
  const hsm = history.hsms.get(HOME.name)?.at(-1)?.value;
  const key = history.keys.get(keyAddress(hsm?.incarnation ?? '', 'first'))?.at(-1)?.value;
  const purge = [...(key ? [] : [keyTaskOf('keyCreate', HOME.name)]), ...(key?.deletion ? [] : [keyTaskOf('keyRemove', HOME.name)]), keyTaskOf('keyPurge', HOME.name)];
  if (!hsm) return [taskOf('put', HOME), ...purge];
  if (hsm.deletion) return [taskOf('recover', HOME), ...(random.chance(0.5) ? purge : [taskOf('protect', HOME)])];
  if (hsm.settings.purgeProtection) return purge;
  return random.pick([purge, purge, [taskOf('protect', HOME)], [...purge.slice(0, -1), taskOf('protect', HOME)], [taskOf('remove', HOME)]]);
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
