// What clients and triggers ask of the service in a run: tasks as data, and how each is carried out through the real services, in the order of calls that the functions make.
import type { HsmRequest } from '../../../shared/domain/hsmSettings';
import type { DeletedHsmPath, HsmPath, HsmRecord } from '../../../shared/domain/managedHsm';
import type { Debt, Timer, Value } from '../../../shared/domain/plan';
import { HSM_ROW } from '../../../shared/domain/rows';
import type { Page, Ports } from '../../../shared/ports';
import type { Question } from './engine';
import { caller, performOnKey } from './keyCommands';
import type { Message, World } from './world';

export type Where = { readonly subscription: string; readonly group: string; readonly location: string; readonly name: string };

export type ClientTask = {
  readonly kind:
    | 'put'
    | 'protect'
    | 'patch'
    | 'recover'
    | 'remove'
    | 'purge'
    | 'show'
    | 'showDeleted'
    | 'list'
    | 'listDeleted'
    | 'nameRefusal'
    | 'groupPut'
    | 'groupRemove'
    | 'groupShow'
    | 'grant';
  readonly where: Where;
  readonly request: HsmRequest;
  /** The name of an assignment. */
  readonly item: string;
  /** Rows of a page of a list; 0 for all at once. */
  readonly limit: number;
};
export type KeyTask = {
  readonly kind: 'keyCreate' | 'keyUpdate' | 'keyRemove' | 'keyRecover' | 'keyPurge' | 'keyGet' | 'keyShowDeleted' | 'keyList' | 'keyListDeleted' | 'keyVersions' | 'keyGrant';
  readonly hsm: string;
  readonly key: string;
  /** The version meant, where one is. */
  readonly version: string | undefined;
  /** The name of an assignment. */
  readonly item: string;
  /** Items of a page of a list; 0 for many. */
  readonly limit: number;
};
export type LookTask = { readonly kind: 'look'; readonly timer: Timer; readonly forged: boolean; readonly question?: Question };
type EraseTask = { readonly kind: 'erase'; readonly debt: Debt; readonly message: Message | undefined };
type SweepTask = { readonly kind: 'sweep' };
export type Task = ClientTask | KeyTask | LookTask | EraseTask | SweepTask;

export const isKeyTask = (task: Task): task is KeyTask => task.kind.startsWith('key');

const TENANT = '00000000-0000-4000-8000-00000000000b';

const hsmPath = ({ subscription, group, name }: Where): HsmPath => ({ subscription, group, name, display: { group, name } });
const deletedPath = ({ subscription, location, name }: Where): DeletedHsmPath => ({ subscription, location, name });

/** The services, as the composition root makes them. */
function servicesOn(world: World, ports: Ports) {
  const parameters = {
    tenantId: TENANT,
    daySeconds: world.daySeconds,
    lroSeconds: () => world.lroSeconds,
    transitionSeconds: world.transitionSeconds,
    grantsAtCreation: world.grantsAtCreation ? [{ principalId: caller.objectId, roleGuid: 'r' }] : [],
    functionTimeoutSeconds: world.timeoutSeconds,
    erasePageRows: world.erasePageRows,
  };
  const retention = world.code.retention(ports, parameters);
  return {
    retention,
    sweeper: world.code.sweeper(ports, parameters, retention),
    hsms: world.code.hsms(ports, parameters, retention),
    groups: world.code.groups(ports, retention),
    keys: world.code.keys(ports, parameters, retention),
    rights: world.code.rights(ports),
  };
}

/** Carries a task out. What it resolves with is what its asker is told. */
export async function perform(world: World, ports: Ports, task: Task): Promise<unknown> {
  const services = servicesOn(world, ports);
  const { retention, hsms, groups } = services;
  if (task.kind === 'look') return retention.look(task.timer);
  if (task.kind === 'erase') return retention.erase(task.debt);
  if (task.kind === 'sweep') return services.sweeper.sweep();
  if (isKeyTask(task)) return performOnKey(world, ports, services, task);
  const { where, request } = task;
  const path = hsmPath(where);
  const groupPath = { subscription: where.subscription, group: where.group, display: where.group };
  // As http/operation does: the group and the record are read side by side, and the group is looked at first.
  const readHsm = async () => (await Promise.all([groups.show(groupPath), hsms.read(path.name)]))[1];
  switch (task.kind) {
    case 'put':
    case 'protect':
    case 'recover':
      return hsms.put(path, request, caller, await readHsm());
    case 'patch':
      return hsms.patch(path, request, caller, await readHsm());
    case 'remove':
      return hsms.remove(path, caller, await readHsm());
    case 'purge':
      return hsms.purge(deletedPath(where), await hsms.read(path.name));
    case 'show':
      return hsms.show(await readHsm(), path);
    case 'showDeleted':
      return hsms.showDeleted(await hsms.read(path.name), deletedPath(where));
    case 'list':
      if (task.item === 'group') await groups.show(groupPath);
      return listAll((page) => hsms.list(where.subscription, task.item === 'group' ? where.group : undefined, page), task.limit);
    case 'listDeleted':
      return listAll((page) => hsms.listDeleted(where.subscription, page), task.limit);
    case 'nameRefusal':
      return hsms.nameRefusal(where.name);
    case 'groupPut':
      return groups.put(groupPath, where.location, request.tags);
    case 'groupRemove':
      return groups.remove(groupPath, caller);
    case 'groupShow':
      return groups.show(groupPath);
    case 'grant':
      return grantRole(ports, where.name, task.item);
  }
}

type ListPage = { readonly items: readonly { readonly record: HsmRecord }[]; readonly next?: string };

async function listAll(list: (page: { limit?: number; after?: string }) => Promise<ListPage>, limit: number): Promise<readonly HsmRecord[]> {
  if (limit === 0) return (await list({})).items.map((item) => item.record);
  const records: HsmRecord[] = [];
  let after: string | undefined;
  do {
    const page = await list({ limit, ...(after !== undefined && { after }) });
    records.push(...page.items.map((item) => item.record));
    after = page.next;
  } while (after !== undefined);
  return records;
}

/**
 * Stands in for assigning a local role under a name that the client chose. A row of an earlier incarnation counts as absent and is replaced. The
 * record and the row come by one read, as design §4 has it: read one after the other, a stalled writer could take a LATER incarnation's row for an
 * earlier one's, and replace it.
 */
async function grantRole({ store }: Ports, name: string, assignment: string): Promise<void> {
  const row = `a!${assignment}`;
  const { rows } = await firstRows(store, name);
  const record = rows.find((each) => each.row === HSM_ROW)?.value;
  const incarnation = record?.incarnation;
  const held = rows.find((each) => each.row === row);
  if (!record || record.deletion || held?.value.incarnation === incarnation) return;
  const value: Value = { incarnation, principalId: 'p', roleGuid: 'r', scope: '/' };
  await store.transact({ table: 'hsms', partition: name, writes: [held ? { kind: 'replace', row, etag: held.etag, value } : { kind: 'insert', row, value }] });
}

async function firstRows(store: Ports['store'], name: string): Promise<Page<Value>> {
  for (let next: string | undefined; ; ) {
    const { found } = await store.page<Value>({ table: 'hsms', partition: name, from: HSM_ROW, to: 'g' }, 1000, next);
    if (found.rows.length || found.next === undefined) return found;
    next = found.next;
  }
}

export const debtText = ({ hsm, incarnation, key }: Debt): string => `${hsm} ${incarnation}${key ? `/${key.name} ${key.incarnation}` : ''}`;

/** What a person reads in a history. */
export function taskText(task: Task): string {
  if (task.kind === 'look')
    return `${task.forged ? 'forged ' : ''}timer of deletion ${task.timer.deletionId} of ${task.timer.hsm}${task.timer.key ? `/${task.timer.key.name}` : ''}`;
  if (task.kind === 'erase') return `${task.message ? '' : 'forged '}clean-up of ${debtText(task.debt)}`;
  if (task.kind === 'sweep') return 'sweep';
  if (isKeyTask(task)) return `${task.kind} ${task.hsm}/${task.key}${task.version === undefined ? '' : ` version ${task.version}`}`;
  const { where, request } = task;
  const at = `${where.subscription}/${where.group}/${where.name}`;
  if (task.kind === 'groupPut' || task.kind === 'groupRemove' || task.kind === 'groupShow') return `${task.kind} ${where.subscription}/${where.group}`;
  if (task.kind === 'purge' || task.kind === 'showDeleted') return `${task.kind} ${where.subscription}/${where.location}/${where.name}`;
  if (task.kind === 'list' || task.kind === 'listDeleted') return `${task.kind} ${where.subscription}${task.item === 'group' ? `/${where.group}` : ''}`;
  const { location: _, administrators: __, recover: ___, ...rest } = request;
  return `${task.kind} ${at}${task.kind === 'grant' ? ` ${task.item}` : ` ${JSON.stringify(rest)}`}`;
}
