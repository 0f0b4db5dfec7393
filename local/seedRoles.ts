// The Azure role assignments that a local instance starts with: `contributor` is Managed HSM contributor of the subscription, `auditor` its reader. No API writes assignments.
import { tables } from '../shared/adapters/tables';
import { type ArmAssignment, HSM_CONTRIBUTOR_ROLE, READER_ROLE } from '../shared/domain/armRoles';
import { assignmentRow } from '../shared/domain/rows';
import { type Directory, objectIdsOf } from './principals';

const ROLES: Readonly<Record<string, string>> = { contributor: HSM_CONTRIBUTOR_ROLE, auditor: READER_ROLE };

/** Adds what is missing; what is there already stays. @throws Unavailable */
export async function seedRoles(connectionString: string, subscription: string, directory: Directory): Promise<void> {
  const { store, createTables } = tables({ connectionString }, { offsetSeconds: () => 0 });
  await createTables();
  const assignments = Object.entries(ROLES).flatMap(([name, roleGuid]) =>
    objectIdsOf(directory, name).map((principalId): ArmAssignment => ({ principalId, roleGuid, scope: { subscription } })),
  );
  // The principal's own id names its assignment, so that a second start writes none twice.
  await Promise.all(
    assignments.map((value) => store.transact({ table: 'subscriptions', partition: subscription, writes: [{ kind: 'insert', row: assignmentRow(value.principalId), value }] })),
  );
}
