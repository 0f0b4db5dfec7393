// What a person reads in a history: calls, records, results and answers in a few words.
import type { Transaction, Value } from '../../../shared/domain/plan';
import { HSM_ROW } from '../../../shared/domain/rows';
import type { Call } from './world';

/** The name of an error of the catalogue, or what an unexpected one says. */
export const errorName = (error: unknown): string => (error instanceof Error && 'error' in error ? String(error.error) : String(error));

export const transactionText = ({ table, partition, writes }: Transaction): string =>
  `write ${table}/${partition}: ${writes.map((write) => `${write.kind} ${write.row}${'value' in write && (write.row === HSM_ROW || write.row.startsWith('k!')) ? ` ${recordText(write.value)}` : ''}`).join(' + ')}`;

function recordText(value: Value): string {
  const { incarnation, deletion, settings, versions } = value as {
    incarnation: string;
    deletion?: { deletionId: string; purgeAt: number };
    settings?: { retentionDays: number; purgeProtection: boolean };
    versions?: number;
  };
  const state = deletion ? `deleted by ${deletion.deletionId}, due ${new Date(deletion.purgeAt * 1000).toISOString().slice(0, 19)}Z` : 'active';
  const more = settings ? `${settings.retentionDays} days${settings.purgeProtection ? ', protected' : ''}` : `${versions} versions`;
  return `{${incarnation}, ${state}, ${more}}`;
}

export function resultText({ result, kind }: Call): string {
  const value = (result as { value?: unknown } | undefined)?.value;
  if (kind === 'write') return value && typeof value === 'object' && 'status' in value ? `refused, ${String(value.status)}` : 'stored';
  if (kind !== 'read' && kind !== 'page') return 'done';
  const found = (value as { found?: { value?: Value; rows?: readonly unknown[]; next?: string } }).found;
  if (kind === 'page') return `${found?.rows?.length ?? 0} rows${found?.next === undefined ? '' : ', more to come'}`;
  return found?.value ? ('settings' in found.value || 'versions' in found.value ? recordText(found.value) : 'found') : 'nothing there';
}

export const answerText = (value: unknown): string =>
  value === undefined ? 'done' : typeof value === 'object' && value !== null && 'record' in value ? 'accepted' : JSON.stringify(value).slice(0, 120);
