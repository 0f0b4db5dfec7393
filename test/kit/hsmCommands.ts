// The control plane's commands on HSMs as races and crashes send them: each to an HSM of its own, in a group of its own, with the shortest form of what they are told.
import type { Client, Reply } from './client';
import type { HsmState } from './hsmState';
import { deletedPath, groupPath, hsmPath, newHsm, recovering, SUBSCRIPTION } from './resources';

/** An HSM and who commands. `subscription` is a path; the first one by default. */
export type Subject = { readonly name: string; readonly client: Client; readonly subscription?: string };
export type Send = (subject: Subject) => Promise<Reply>;

export const groupOf = (name: string): string => `rg-${name}`;
const groupPathOf = ({ name, subscription = SUBSCRIPTION }: Subject) => groupPath(groupOf(name), subscription);
const pathOf = ({ name, subscription = SUBSCRIPTION }: Subject) => hsmPath(name, groupOf(name), subscription);

const createGroup: Send = (subject) => subject.client.send('PUT', groupPathOf(subject), { location: 'westus' });
export const removeGroup: Send = (subject) => subject.client.send('DELETE', groupPathOf(subject));
export const create: Send = (subject) => subject.client.send('PUT', pathOf(subject), newHsm());
/** A creation that says more. @param group the name of its group, by the name of the HSM */
export const createWith =
  ({ properties = {}, by, group = groupOf }: { readonly properties?: object; readonly by?: string; readonly group?: (name: string) => string }): Send =>
  ({ name, client }) =>
    client.send('PUT', hsmPath(name, group(name)), { ...newHsm(properties), ...(by !== undefined && { tags: { by } }) });
export const update =
  (change: object): Send =>
  (subject) =>
    subject.client.send('PATCH', pathOf(subject), change);
export const remove: Send = (subject) => subject.client.send('DELETE', pathOf(subject));
export const recover: Send = (subject) => subject.client.send('PUT', pathOf(subject), recovering);
export const purge: Send = ({ name, client }) => client.send('POST', `${deletedPath(name)}/purge`);

/** Status, and the code of an error. */
export const told = ({ status, json }: Reply): string => (status < 400 ? String(status) : `${status} ${json?.error?.code}`);

/** Makes the subjects' groups, then sends to all of them what stands before the test. @throws Error when one is refused */
export async function given(subjects: readonly Subject[], sends: readonly Send[]): Promise<void> {
  for (const send of [createGroup, ...sends]) {
    const refused = (await Promise.all(subjects.map(send))).filter(({ status }) => status >= 300);
    if (refused.length > 0) throw new Error(`what stands before the test was refused: ${refused.map(told).join(', ')}`);
  }
}

/** What the tables say after a creation with nothing special, after a deletion, after a purge. */
export const live = { record: 'live', administrators: 1, debts: [] } as const;
export const deleted = { record: 'deleted', administrators: 1, debts: [] } as const;
export const purgedBy = (by: HsmState['debts'][number]) => ({ record: 'none', administrators: 0, debts: [by] }) as const;
